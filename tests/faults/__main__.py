"""The fault campaign: `python -m tests.faults --seed 0 --kills 200`.

In pieces: `--report PAGE --only kills --kills 20`, then the same with `--more`, again
and again: each adds its faults to what tests/faults/results.json has.

Needs Linux; full disks and read-only folders need `unshare` and `mount`, as root or as
a user who may have namespaces of their own. Writes docs/faults.md with `--report`, and
ends with 1 if anything was lost, differed or was left behind.
"""

from __future__ import annotations

import argparse
import json
import shutil
import sys
import tempfile
import time
from dataclasses import asdict
from pathlib import Path
from typing import Any

from crosscam.experiment.tables import between_marks
from crosscam.files import write_bytes, write_json
from tests.faults import limits
from tests.faults.checks import Outcome
from tests.faults.clone import Clone, prepared
from tests.faults.commands import Repro
from tests.faults.kills import Case
from tests.faults.kinds import KINDS, Job
from tests.faults.moments import Timeline, timeline
from tests.faults.report import failed, messages, table

RESULTS = Path(__file__).parent / "results.json"
MOUNTING = {"disk full", "read-only folder", "full remote"}


def main() -> None:
    """Inject faults, tell what became of each, write the report."""
    arguments = parsed()
    kinds = arguments.only or list(KINDS)
    if MOUNTING & {*kinds}:
        limits.enter_mounts()
    folder = Path(tempfile.mkdtemp(prefix="faults-", dir=arguments.folder)).resolve()
    case, results = begin(folder), earlier_results(arguments)
    for kind in kinds:
        of_kind = results[kind] = begun(kind, arguments, results)
        job = job_of(kind, arguments, case, folder)
        job.begun = of_kind["chains"]
        job.top.mkdir()
        for outcome in KINDS[kind].run(job):
            of_kind["outcomes"].append(outcome)
            of_kind["chains"] = job.begun
            tell(outcome)
            keep(arguments, folder, results)
    finish(results, folder)


def begun(
    kind: str, arguments: argparse.Namespace, results: dict[str, Any]
) -> dict[str, Any]:
    """Return what there is of a kind before this part: nothing without `--more`.

    Nor what does not say how many chains it had: it is of before all that is counted.
    """
    earlier = results.get(kind, {}) if arguments.more else {}
    if "chains" not in earlier:
        earlier = {"chains": 0, "outcomes": []}
    return earlier | {"seed": arguments.seed}


def job_of(kind: str, arguments: argparse.Namespace, case: Case, folder: Path) -> Job:
    """Return what is to be done of a kind."""
    number = arguments.kills if kind == "kills" else arguments.number
    seed = (arguments.seed, list(KINDS).index(kind))
    return Job(case, number or KINDS[kind].number, seed, folder / kind, arguments.jobs)


def parsed() -> argparse.Namespace:
    """Return the arguments."""
    parser = argparse.ArgumentParser("python -m tests.faults", description=__doc__)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--kills", type=int, help="of kind kills; else 200")
    parser.add_argument("--only", nargs="+", choices=KINDS, metavar="KIND")
    parser.add_argument("--number", type=int, help="of faults of each other kind")
    parser.add_argument(
        "--more", action="store_true", help="add to the results of the page's kinds"
    )
    parser.add_argument("--jobs", type=int, default=1, help="chains at a time")
    parser.add_argument("--folder", help="where copies are made; memory is fastest")
    parser.add_argument("--report", type=Path, help="page to put the tables into")
    arguments = parser.parse_args()
    if arguments.more and not arguments.report:
        parser.error("--more adds to the results of a page: give --report")
    return arguments


def begin(folder: Path) -> Case:
    """Return what every fault begins with: a committed run, and another to come to."""
    started = time.monotonic()
    pristine = prepared(Clone(folder / "pristine"))
    lock, times, grown = reference(pristine, folder)
    case = Case(pristine, lambda: lock, times, grown)
    say(f"ready after {time.monotonic() - started:.0f} s: {folder}")
    return case


def reference(pristine: Clone, folder: Path) -> tuple[str, Timeline, int]:
    """Run `dvc repro` without a fault.

    Returns its dvc.lock, when stages were seen, and by how many bytes files grew.
    """
    command = Repro(pristine.copy(folder / "reference"))
    command.prepare()
    times = timeline(command)
    return command.lock(), times, size(command.clone.top) - size(pristine.top)


def size(folder: Path) -> int:
    """Return the bytes of all files below a folder."""
    return sum(p.stat().st_size for p in folder.rglob("*") if p.is_file())


def earlier_results(arguments: argparse.Namespace) -> dict[str, Any]:
    """Return the results that are kept, by kind."""
    if not (arguments.report and RESULTS.exists()):
        return {}
    results: dict[str, Any] = json.loads(RESULTS.read_text())
    for of_kind in results.values():
        of_kind["outcomes"] = [Outcome(**each) for each in of_kind["outcomes"]]
    return results


def tell(outcome: Outcome) -> None:
    """Say what became of a fault."""
    named = {k: v for k, v in vars(outcome).items() if v}
    say(" ".join(f"{k}={v}" for k, v in named.items()))


def say(line: str) -> None:
    sys.stdout.write(f"{line}\n")
    sys.stdout.flush()


def keep(arguments: argparse.Namespace, folder: Path, results: dict[str, Any]) -> None:
    """Write the results so far, and the page if one is wanted."""
    plain = {
        kind: of_kind | {"outcomes": [asdict(o) for o in of_kind["outcomes"]]}
        for kind, of_kind in results.items()
    }
    write_json(RESULTS if arguments.report else folder / "results.json", plain)
    if arguments.report:
        every = [o for of_kind in results.values() for o in of_kind["outcomes"]]
        text = arguments.report.read_text()
        text = between_marks(text, "table", table(every))
        text = between_marks(text, "messages", messages(every))
        write_bytes(arguments.report, text.encode())


def finish(results: dict[str, Any], folder: Path) -> None:
    """Say what failed; end with 1 if anything did."""
    faults = failed([o for of_kind in results.values() for o in of_kind["outcomes"]])
    for fault in faults:
        say(fault)
    if faults:
        raise SystemExit(f"{len(faults)} of these: see {folder}")
    shutil.rmtree(folder)


if __name__ == "__main__":
    main()
