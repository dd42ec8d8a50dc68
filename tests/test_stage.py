"""A stage that starts its own processes: what becomes of them if one is killed."""

from __future__ import annotations

import contextlib
import io
import logging
import os
import re
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import NoReturn

import numpy as np
import pandas as pd
import pytest
from PIL import Image

from crosscam.files import read_npz, write_csv
from crosscam.helpers import HELPS
from crosscam.stage import as_stage, several
from recipes.__main__ import build, texts
from stages import intra
from tests.faults.processes import at_work
from tests.repository import ROOT
from tests.tiny import CAMIDS, tiny_images

PARAMS = """
model: {backbone: test_convnext, aibn: deep, tnorm: true}
optim: {name: sgd}
distil: {cross_entropy: 1.0}
intra: {rounds: 1, epochs: 8, lr: 0.0001, clusters: {num_clusters: 5}}
compute: {processes: 2}
"""
LABELS = Path("data/pseudo/intra.npz")


def workspace(folder: Path) -> Path:
    """Write what the stage intra reads."""
    with contextlib.chdir(ROOT):
        params = build(texts() | {"tiny": PARAMS}, ["smoke", "tiny"])
    blobs = []
    for pixels in tiny_images().pixels:
        buffer = io.BytesIO()
        Image.fromarray(pixels.permute(1, 2, 0).numpy()).save(buffer, "PNG")
        blobs.append(buffer.getvalue())
    sizes = np.array([len(blob) for blob in blobs])
    columns = {"offset": np.cumsum(sizes) - sizes, "size": sizes, "camid": CAMIDS}
    for name in ("data/packed", "data/split", "models/weights"):
        (folder / name).mkdir(parents=True)
    (folder / "params.yaml").write_text(params)
    (folder / "models/weights/none").touch()
    (folder / "data/packed/images.bin").write_bytes(b"".join(blobs))
    write_csv(folder / "data/split/train.csv", pd.DataFrame(columns))
    return folder


def started(module: str, folder: Path) -> subprocess.Popen[str]:
    return subprocess.Popen(
        [sys.executable, "-m", module],
        cwd=folder,
        env=os.environ | {"OMP_WAIT_POLICY": "passive", "PYTHONPATH": str(ROOT)},
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )


def helpers_in(folder: Path) -> list[int]:
    """Return the processes at work there that another one has started."""
    found = []
    for process in at_work(folder):
        with contextlib.suppress(OSError):
            settings = Path(f"/proc/{process.pid}/environ").read_bytes()
            if f"{HELPS}=".encode() in settings:
                found.append(process.pid)
    return found


def soon(is_so: Callable[[], bool]) -> bool:
    """Return whether something is so within some seconds."""
    end = time.monotonic() + 20
    while not is_so() and time.monotonic() < end:
        time.sleep(0.05)
    return is_so()


def trained(folder: Path) -> np.ndarray:
    """Run the stage with one process, in this one; return its pseudo labels."""
    params = folder / "params.yaml"
    text = params.read_text()
    assert "processes: 2" in text
    params.write_text(text.replace("processes: 2", "processes: 1"))
    with contextlib.chdir(folder):
        intra.main()
    return read_npz(folder / LABELS, ["labels"])["labels"]


@pytest.mark.long
def test_a_run_whose_helper_is_killed_ends_and_is_taken_up_alone(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    folder = workspace(tmp_path / "killed")
    said = []
    with started("stages.intra", folder) as stage:
        assert stage.stdout
        for line in stage.stdout:
            said.append(line)
            if "epoch 1/8" in line:
                (helper,) = helpers_in(folder)
                os.kill(helper, signal.SIGKILL)
    assert stage.returncode == 1
    assert said[-1] == (
        "process 2 of 2 was ended by SIGKILL, and all others with it: repeat the "
        "command: training goes on after the last whole epoch\n"
    )
    assert "Traceback" not in "".join(said)
    assert not (folder / LABELS).exists()
    assert at_work(folder) == []

    with caplog.at_level(logging.INFO):
        labels = trained(folder)
    (epoch,) = re.findall(r"going on after intra round 1/1 epoch (\d)", caplog.text)
    assert 1 <= int(epoch) < 8
    assert not list((folder / ".runs").iterdir())
    assert np.array_equal(labels, trained(workspace(tmp_path / "whole")))


@pytest.mark.long
def test_helpers_end_with_the_first_process(tmp_path: Path) -> None:
    """However it ends: here it has no chance to tell them."""
    with started("tests.waiting_stage", tmp_path) as stage:
        assert stage.stdout
        lines = sorted(stage.stdout.readline() for _ in range(2))
        assert lines[0] == f"0 {stage.pid} \n"
        _, helper, folder = lines[1].split()
        assert helpers_in(tmp_path) == [int(helper)]
        assert Path(folder).is_dir()
        stage.kill()
    assert stage.returncode == -signal.SIGKILL
    assert soon(lambda: not at_work(tmp_path))
    assert not Path(folder).exists()


def test_alone_nothing_is_started(tmp_path: Path) -> None:
    with contextlib.chdir(tmp_path), several(1, "nothing.at.all"):
        assert at_work(tmp_path) == []


def test_an_error_that_says_what_to_do_is_a_line() -> None:
    with pytest.raises(SystemExit, match=r"^do it$"), as_stage(KeyError, LookupError):
        raise LookupError("do it")


def test_where_nccl_is_left_no_normal_end_is_waited_for(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """After an error its group is not destroyed, and a normal end may take for ever."""

    def ended(status: int) -> NoReturn:
        raise SystemExit(status)

    monkeypatch.setattr("torch.distributed.is_initialized", lambda: True)
    monkeypatch.setattr(os, "_exit", ended)
    with pytest.raises(SystemExit, match=r"^1$"), as_stage(LookupError):
        raise LookupError("do it")
    assert capsys.readouterr().err == "do it\n"


def test_any_other_error_comes_as_it_is() -> None:
    with pytest.raises(ValueError, match="a bug"), as_stage(KeyError):
        raise ValueError("a bug")
