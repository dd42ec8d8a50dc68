"""A push to a folder that is killed, or whose disk is full; then again, and pulled."""

from __future__ import annotations

import time
from pathlib import Path

import numpy as np

from tests.faults.checks import (
    Outcome,
    earlier,
    last_lines,
    lost,
    noted,
    status_troubles,
)
from tests.faults.clone import Clone, looks, md5, outputs
from tests.faults.kills import Case, tidy
from tests.faults.limits import KIB, leave, mounted, unmount
from tests.faults.processes import kill

REMOTE = "mine"
# push: false in dvc.yaml
PRIVATE = {"data/packed/images.bin", "data/features.npz", "plots/ranked.png"}


def prepare(case: Case, top: Path) -> tuple[Clone, Path]:
    """Return a copy with a remote, and the remote's folder."""
    clone, remote = case.pristine.copy(top), top.with_suffix(".remote")
    clone.done("dvc", "remote", "add", "--local", "--default", REMOTE, str(remote))
    return clone, remote


def run_killed_push(case: Case, top: Path, rng: np.random.Generator) -> Outcome:
    """Kill `dvc push` at a moment, push again, pull into a fresh clone."""
    clone, remote = prepare(case, top)
    before, outcome = earlier(clone), Outcome("kill in mid-push", "dvc push")
    with noted(outcome):
        process, pause = clone.start(["dvc", "push"]), looks("dvc push does nothing")
        while process.poll() is None and not remote.exists():
            next(pause)
        time.sleep(float(rng.uniform(0, 0.3)))
        outcome.injected = kill(clone.processes())
        process.wait()
        finish(clone, remote, outcome)
    outcome.lost += lost(clone, before)
    tidy(clone, [outcome])
    return outcome


def run_full_remote(case: Case, top: Path, room: int) -> Outcome:
    """Push to a full disk, then with room again."""
    clone, remote = prepare(case, top)
    mounted(remote)
    before, outcome = earlier(clone), Outcome("disk of the remote full", "dvc push")
    leave(remote, room)
    with noted(outcome):
        ended = clone.run("dvc", "push")
        outcome.injected = int(ended.status != 0)
        halves = len(list(remote.rglob("*.tmp")))
        said = last_lines(ended.output.replace(f"{top.parent}/", ""))
        told = f"{room // KIB} KiB, {halves} *.tmp of DVC: {said}"
        outcome.messages = [told] if ended.status else []
        leave(remote, 1 << 30)
        finish(clone, remote, outcome)
    outcome.lost += lost(clone, before)
    tidy(clone, [outcome])
    unmount(remote)
    return outcome


def finish(clone: Clone, remote: Path, outcome: Outcome) -> None:
    """Push again, and compare what a fresh clone pulls."""
    ended = clone.run("dvc", "push")
    if ended.status:
        outcome.troubles.append(f"again: {last_lines(ended.output)}")
    objects = [p for p in remote.glob("files/md5/*/*") if len(p.name) == 30]
    outcome.differing += [
        f"remote: {path.name}" for path in objects if not md5_fits(path)
    ]
    outcome.differing += pulled(clone, remote)
    outcome.troubles += status_troubles(clone)


def md5_fits(path: Path) -> bool:
    return md5(path) == path.parent.name + path.name


def pulled(clone: Clone, remote: Path) -> list[str]:
    """Return what a fresh clone does not get from the remote as it was."""
    fresh = Clone(clone.top.with_suffix(".fresh"))
    fresh.folder.mkdir(parents=True)
    fresh.done("git", "clone", "--quiet", str(clone.folder), ".")
    fresh.done("dvc", "remote", "add", "--local", "--default", REMOTE, str(remote))
    wanted = outputs(clone.lock())
    public = {path: name for path, name in wanted.items() if path not in PRIVATE}
    ended = fresh.run("dvc", "pull", *public)
    files = {path: fresh.folder / path for path in public}
    wrong = [p for p, f in files.items() if not f.exists() or md5(f) != public[p]]
    if not wrong and ended.status == 0:
        fresh.remove()
    return wrong + [last_lines(ended.output)] * bool(ended.status)
