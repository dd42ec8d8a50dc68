"""Only one of the processor's cores is there, as far as programs can see."""

import os

if hasattr(os, "sched_setaffinity"):  # on Linux
    os.sched_setaffinity(0, {min(os.sched_getaffinity(0))})
