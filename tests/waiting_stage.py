"""A stage on two processes that says who they are, and waits: for `test_stage`."""

from __future__ import annotations

import os
import sys
import time

from crosscam.helpers import Helper
from crosscam.processes import rank
from crosscam.stage import as_stage, several

if __name__ == "__main__":
    with as_stage(), several(2, "tests.waiting_stage"):
        helper = Helper.this()
        place = helper.file.parent if helper else ""
        sys.stdout.write(f"{rank()} {os.getpid()} {place}\n")
        sys.stdout.flush()
        time.sleep(60)
