"""How long a run takes to each place and back: `python -m tests.servers.times`."""

from __future__ import annotations

import os
import sys
import tempfile
import time
from pathlib import Path

from tests.servers.clones import ROOT, Clone
from tests.servers.conftest import STORES
from tests.servers.server import Server
from tests.servers.web import Web


def timed(clone: Clone, *arguments: str, fails: bool = False) -> str:
    """Run DVC; return the seconds it took and, in brackets, those of its processor."""
    start, used = time.monotonic(), os.times()
    clone.dvc(*arguments, fails=fails)
    seconds, now = time.monotonic() - start, os.times()
    busy = now.children_user + now.children_system
    return f"{seconds:.1f} ({busy - used.children_user - used.children_system:.1f})"


def main() -> None:
    """Print a row for each place: push, push again, pull into a fresh clone."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        run = Clone(ROOT).clone(folder / "run")
        run.dvc("pull")
        for kind, make in {**STORES, "http": Web}.items():
            (folder / kind).mkdir()
            store = make(folder / kind)
            if isinstance(store, Server):
                store.values["port"] = store.relay.target  # not through the relay
            if isinstance(store, Web):
                store.folder.rmdir()
                store.folder.symlink_to(run.folder / ".dvc-store")
            store.start()
            clone = run.copy(folder / kind / "clone")
            fresh = run.clone(folder / kind / "fresh")
            store.name_to(clone)
            store.name_to(fresh)
            writable = not isinstance(store, Web)
            times = [timed(clone, "push") if writable else "–" for _ in range(2)]
            times.append(timed(fresh, "pull", fails=writable))
            objects = [*store.objects()]
            sys.stdout.write(f"| {kind} | {' | '.join(times)} | {len(objects)} |\n")
            store.stop()


if __name__ == "__main__":
    main()
