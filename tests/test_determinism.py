"""The same inputs give the same bytes, under settings that are opposite in all ways."""

from __future__ import annotations

import contextlib
import json
from pathlib import Path

import pytest

from benchmarks.lab import STAGES, Lab, Ran
from benchmarks.variations import FAR, Variation, threads_of
from recipes.__main__ import build, texts
from tests.repository import ROOT

# The least of a network that has all parts, on fewer images than the smoke recipe's.
LEAST = (
    "synthesize: {train_pids: 6, test_pids: 4}\n"
    "model: {backbone: test_convnext, aibn: deep, tnorm: true}\n"
    "distil: {cross_entropy: 1.0, triplet: 1.0}\n"
)
PLAIN = Variation(
    *("", "plain"),
    env={"PYTHONHASHSEED": "0", "LC_ALL": "C", "TZ": "UTC"} | threads_of(1),
    hooks=("one_core",),
)
ODD = Variation(
    *("", "odd"),
    env={
        **threads_of(2),
        "PYTHONHASHSEED": "1",
        "LC_ALL": "C.UTF-8",
        "TZ": "America/St_Johns",
        "MALLOC_PERTURB_": "165",
    },
    folder=FAR,
    umask=0o077,
    hooks=("backwards", "later"),
)
# One process for all stages: most of a tiny run is the start of torch.
RUN = f"from stages import {', '.join(STAGES)}\n"
RUN += f"for stage in ({', '.join(STAGES)}):\n    stage.main()\n"
PROBE = """
import json, os, time
umask = os.umask(0)
told = {
    "sets": list({f"name{number}" for number in range(50)}),
    "listing": os.listdir("crosscam"),
    "scanned": [entry.name for entry in os.scandir("crosscam")],
    "hour": time.localtime(0).tm_hour,
    "day": time.localtime().tm_yday + 366 * time.localtime().tm_year,
    "umask": umask,
    "folder": os.getcwd(),
    "threads": os.environ["OMP_NUM_THREADS"],
}
print(json.dumps(told))
"""


@pytest.fixture(scope="module")
def lab(tmp_path_factory: pytest.TempPathFactory) -> Lab:
    """Return an empty place to run in, with the parameters of a tiny run."""
    with contextlib.chdir(ROOT):
        params = build(texts() | {"least": LEAST}, ["smoke", "least"])
    return Lab(tmp_path_factory.mktemp("lab"), params)


@pytest.mark.long
@pytest.mark.pipeline
def test_opposite_settings_give_the_same_bytes(lab: Lab) -> None:
    found = []
    for how in (PLAIN, ODD):
        folder = lab.workspace(how.label, how)
        lab.python(folder, how, "-c", RUN)
        found.append(Ran(folder, 0).md5s())
    assert len(found[0]) == 24
    assert found[0] == found[1]


def test_the_settings_are_opposite(lab: Lab) -> None:
    """Else the test above would show nothing."""
    told = [
        json.loads(
            lab.python(lab.workspace(f"probe-{how.label}", how), how, "-c", PROBE)
        )
        for how in (PLAIN, ODD)
    ]
    assert [key for key in told[0] if told[0][key] == told[1][key]] == []
    for key in ("sets", "listing", "scanned"):
        assert sorted(told[0][key]) == sorted(told[1][key])


def test_another_number_moves_the_bytes(lab: Lab, tmp_path: Path) -> None:
    (tmp_path / "metrics").mkdir()
    (tmp_path / "metrics/evaluate.json").write_text("1\n")
    before = Ran(tmp_path, 0).md5s()
    (tmp_path / "metrics/evaluate.json").write_text("2\n")
    assert before.keys() == Ran(tmp_path, 0).md5s().keys() == {"metrics/evaluate.json"}
    assert before != Ran(tmp_path, 0).md5s()
