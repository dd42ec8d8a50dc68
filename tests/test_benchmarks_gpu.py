"""The benchmarks of whole rounds run anywhere, and their sums are right."""

from __future__ import annotations

import json
import re
from collections import Counter

import pytest
import torch

from benchmarks import _phases, gpu, gpu_agreement, profile_run
from benchmarks._crowd import crowd
from benchmarks._phases import REST, Clock, lines
from benchmarks.gpu import Seconds
from crosscam.files import write_csv
from crosscam.train import rounds

SMALL = ["--device", "cpu", "--threads", "1", "--images", "30", "--cameras", "3"]
SMALL += ["--size", "64", "32", "--steps", "1", "--batch-size", "32"]


@pytest.fixture(autouse=True)
def _restored():
    yield
    torch.use_deterministic_algorithms(False)


@pytest.fixture
def ticks(monkeypatch):
    """Let each look at the clock find it one second later."""
    time = iter(range(1000))
    monkeypatch.setattr(_phases, "now", lambda: next(time))


@pytest.mark.usefixtures("ticks")
def test_a_phase_within_another_counts_for_itself():
    clock = Clock()  # 0
    clock.begin("outer")  # 1
    clock.begin("inner")  # 2
    clock.end()  # 3
    clock.end()  # 4
    assert clock.taken() == {REST: 1 + 1, "outer": 1 + 1, "inner": 1}  # 5
    clock.begin("outer")  # 6
    clock.end()  # 7
    assert clock.taken() == {REST: 2, "outer": 1}


def test_functions_are_what_they_were_afterwards():
    before = rounds.decode_all
    with _phases.timed_phases():
        assert rounds.decode_all is not before
    assert rounds.decode_all is before


def test_lines_by_hand():
    assert lines(Counter({"a": 1.0, "b": 3.0})) == [
        "  b                   3.00 s  75.0 %",
        "  a                   1.00 s  25.0 %",
        "  all                 4.00 s",
    ]


def test_forty_rounds_by_hand():
    parts = Counter({"a": 1.0}), Counter({"a": 2.0}), Counter({"a": 3.0, "b": 0.5})
    # A first one, 40 across cameras, and 39 between them.
    assert Seconds(*parts).of_rounds(40) == {"a": 1 + 80 + 117, "b": 19.5}


def test_a_function_that_has_moved_is_told(monkeypatch):
    monkeypatch.setitem(_phases.PHASES, ("crosscam.train.rounds", "gone"), "decode")
    with pytest.raises(AttributeError, match="gone"), _phases.timed_phases():
        pass


@pytest.mark.long
def test_a_small_run_on_a_cpu(capsys, tmp_path):
    system, out = "iids,synthetic,smoke", tmp_path / "out.json"
    asked = ["--systems", system, "--precisions", "fp32", "--out", str(out)]
    gpu.main([*SMALL, *asked])
    result = json.loads(out.read_text())[f"{system}, fp32"]
    assert result["seconds"]["intra"]["keeping"] > 0
    told = capsys.readouterr().out
    assert "30 images of 3 cameras, 64 × 32" in told
    assert re.search(r"training +\d+ images/s, \d+ % of the roofline: \d+ by", told)
    for kind in ("decoding and the first intra", "an inter", "an intra", "40"):
        assert f"\n {kind} round" in told
    named = set(re.findall(r"^  ([a-z -]+?) +[\d.]+ s +[\d.]+ %$", told, re.MULTILINE))
    phases = {"decode", "measure styles", "extraction", "training", "keeping", REST}
    assert phases <= named


def test_agreement_is_judged_by_the_tolerance(monkeypatch, capsys):
    """The whole of it runs in two minutes on a CPU: here is what it is made of."""
    small = ["--device", "cpu", "--images", "50", "--classes", "60", "--systems", "any"]
    checks = [gpu_agreement.Check("near", 0.5, 1.0)]
    monkeypatch.setattr(gpu_agreement, "of_system", lambda *_: checks)
    gpu_agreement.main(small)
    told = capsys.readouterr().out.splitlines()
    assert told[0].startswith("distances and scores of 50 images, 60 classes  ")
    assert [line.rpartition(": ")[2] for line in told] == ["ok", "ok"]
    checks.append(gpu_agreement.Check("far", 2.0, 1.0))
    with pytest.raises(SystemExit) as ended:
        gpu_agreement.main(small)
    assert ended.value.code == 1
    assert "TOO LARGE" in capsys.readouterr().out


def test_differing_bytes_by_hand():
    one = gpu_agreement.Life(b"abc", b"12", 0.0)
    assert gpu_agreement.differing(one, one._replace(loss=9.0)) == 0
    assert gpu_agreement.differing(one, one._replace(weights=b"axx")) == 2
    assert gpu_agreement.differing(one, one._replace(labels=b"1")) == 2


@pytest.mark.long
def test_the_phases_of_a_small_job(tmp_path, capsys):
    (tmp_path / "packed").mkdir()
    _, table = crowd(tmp_path / "packed/images.bin", 30, 3)
    write_csv(tmp_path / "split/train.csv", table)
    profile_run.main(["--recipe", "smoke", "--data", str(tmp_path)])
    told = capsys.readouterr().out
    assert "stage intra, rounds: 1, cpu, 1 threads" in told
    assert "stage inter, rounds: 1, cpu, 1 threads" in told
    shares = [float(share) for share in re.findall(r"([\d.]+) %", told)]
    assert sum(shares) == pytest.approx(200, abs=1)
    assert "no data/split/query.csv: no features are extracted and evaluated" in told
