"""What must hold after a fault: earlier results, `dvc status`, what is left behind."""

from __future__ import annotations

import re
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import NamedTuple

from dvc.schema import COMPILED_LOCKFILE_SCHEMA
from ruamel.yaml import YAML
from ruamel.yaml.error import YAMLError
from voluptuous import Invalid

from crosscam.runs import MARK
from tests.faults.clone import EDIT, EDITED, NOTES, Clone, CommandError

OURS = r"\..+\.\d+\.\w+\.tmp"  # .<name>.<process>.<random>.tmp
WAITED = "held by process"
# What differs from run to run, and from machine to machine, in what a command says.
VARYING = (
    (r" / Having any troubles\? .*? happy to help!", ""),
    (r"synthesize \d+ images of World\(.*?\) / ", ""),
    (r"/\S*/site-packages/", ""),
    (r"\.[\w-]{22}\.tmp", "….tmp"),
    (r"(?<=md5/)[0-9a-f]{2}/[0-9a-f]{30}", "…"),
    (r"(?<=md5/)[0-9a-f]{2}/", "…/"),
    (r"(?<=runs/)[0-9a-f]{2}\b", "…"),
    (r"\b[0-9a-f]{32}\b", "…"),
    (r"\b(intra|inter)-[0-9a-f]{16}", r"\1-…"),
    (r"-[0-9a-f]{8}\.lock", "-….lock"),
    (r"experiment '[0-9a-f]{7}'", "experiment '…'"),
    (r"\b\d+([./])(remote|clone)/", r"\2/"),
    (r"(needs|got) [\d.]+ (MB|GB)", r"\1 … \2"),
)


class Earlier(NamedTuple):
    """What was there before: the commit, and the cached files by md5."""

    commit: str
    objects: frozenset[str]


@dataclass
class Outcome:
    """What became of a command, and of what was there before it.

    Parameters
    ----------
    fault, command
        Kind of fault, and name of the command that it was injected into.
    injected
        Number of faults.
    lost, differing, troubles
        Earlier results that are gone; outputs that are not the reference's; all else
        that must not be.
    kept, resumed
        After how many faults a stage that had whole epochs on disk was run again, and
        after how many of these it went on after the last of them.
    waited, detached, stashed, cut
        How often an orphan was waited for, HEAD was detached, edits that are not
        committed were in git's stash, and dvc.lock was cut off.
    left
        Temporary files and locks that nobody removed.
    messages
        What the command said about the fault.
    """

    fault: str
    command: str
    injected: int = 0
    lost: list[str] = field(default_factory=list)
    differing: list[str] = field(default_factory=list)
    troubles: list[str] = field(default_factory=list)
    kept: int = 0
    resumed: int = 0
    waited: int = 0
    detached: int = 0
    stashed: int = 0
    cut: int = 0
    left: list[str] = field(default_factory=list)
    messages: list[str] = field(default_factory=list)


@contextmanager
def noted(outcome: Outcome) -> Iterator[None]:
    """Note a command that failed or did not end, which ends the block."""
    try:
        yield
    except CommandError as error:
        outcome.troubles.append(str(error))


def earlier(clone: Clone) -> Earlier:
    commit = clone.done("git", "rev-parse", "main").strip()
    return Earlier(commit, frozenset(clone.objects()))


def lost(clone: Clone, before: Earlier) -> list[str]:
    """Return what is gone or damaged of what was there before."""
    objects = clone.objects()
    found = [f"cache: {name}" for name in before.objects - objects.keys()]
    found += [f"cache, damaged: {name}" for name, own in objects.items() if name != own]
    if clone.run("git", "rev-parse", "main").output.strip() != before.commit:
        found.append("the branch")
    if not (is_edited(clone) or is_stashed(clone)):
        found.append("an edited file")
    if not (clone.folder / NOTES).exists():
        found.append("a file that is not committed")
    return found


def is_edited(clone: Clone) -> bool:
    """Return whether the user's edit is in the workspace."""
    edited = clone.folder / EDITED
    return edited.exists() and edited.read_text().endswith(EDIT)


def is_stashed(clone: Clone) -> bool:
    """Return whether git's stash has it: DVC puts it there for a moment."""
    return clone.run("git", "show", f"stash:{EDITED}").output.endswith(EDIT)


def status_troubles(clone: Clone) -> list[str]:
    """Return what is wrong with `dvc status`."""
    ended = clone.run("dvc", "status")
    if ended.status == 0 and "Traceback" not in ended.output:
        return []
    return [f"dvc status: {ended.status}: {last_lines(ended.output)}"]


def mended_lock(clone: Clone) -> bool:
    """Bring dvc.lock back, as the documentation says, if it is not whole."""
    path = clone.folder / "dvc.lock"
    try:
        COMPILED_LOCKFILE_SCHEMA(YAML(typ="safe").load(path))
    except (YAMLError, Invalid):
        clone.done("git", "checkout", "--quiet", "--", "dvc.lock")
        return True
    return False


def is_detached(clone: Clone) -> bool:
    return not (clone.folder / ".git/HEAD").read_text().startswith("ref:")


def left_behind(clone: Clone) -> list[str]:
    """Return locks, states and temporary files of ours; DVC leaves some of its own."""
    folder = clone.folder
    files = [p for p in (folder / ".runs").rglob("*") if p.is_file()]
    if clone.goal:
        # A later stage, which does not come, removes the state of a finished one.
        files = [p for p in files if not (p.parent / MARK).exists()]
    for top in ("data", "metrics", "models", "plots"):
        found = (folder / top).rglob("*.tmp")
        files += [path for path in found if re.fullmatch(OURS, path.name)]
    return [file.relative_to(folder).as_posix() for file in files]


def last_lines(output: str) -> str:
    """Return what a command said at last: its own line, and that of DVC."""
    lines = [line for line in output.splitlines() if line.strip()]
    errors = [line for line in lines if re.match(r"(\w+\.)*(\w*Error\b|ERROR: )", line)]
    return plain(" / ".join(dict.fromkeys([*lines[-2:], *errors[-2:]])))


def plain(said: str) -> str:
    """Return what was said without names and paths that are of one run alone."""
    for pattern, instead in VARYING:
        said = re.sub(pattern, instead, said)
    return said
