from __future__ import annotations

import sys
import types
from dataclasses import replace
from pathlib import Path

import pytest
import torch

from crosscam.train import run_key as module
from crosscam.train.run_key import run_key
from tests.tiny import SETTING

CPU = torch.device("cpu")


@pytest.fixture
def workspace(tmp_path, monkeypatch):
    """Return a folder with data, and one module of it that is loaded."""
    (tmp_path / "images.bin").write_bytes(b"images")
    (tmp_path / "stages").mkdir()
    code = types.ModuleType("loaded_by_the_test")
    code.__file__ = str(tmp_path / "stages/code.py")
    Path(code.__file__).write_text("one = 1\n")
    monkeypatch.setitem(sys.modules, code.__name__, code)
    return tmp_path


def key(workspace, stage="intra", params=SETTING):
    return run_key(stage, params, [workspace / "images.bin"], CPU, workspace)


def test_a_key_names_the_stage(workspace):
    name, _, digits = key(workspace).partition("-")
    assert name == "intra"
    assert len(digits) == 16
    assert set(digits) <= set("0123456789abcdef")


def test_the_same_run_has_the_same_key(workspace):
    assert key(workspace) == key(workspace)


def test_a_run_may_be_taken_up_by_another_number_of_processes(workspace):
    compute = replace(SETTING.compute, processes=4)
    assert key(workspace, params=replace(SETTING, compute=compute)) == key(workspace)


def test_params_data_code_stage_libraries_and_hardware_tell_runs_apart(
    workspace, monkeypatch
):
    keys = [key(workspace), key(workspace, "inter")]
    keys.append(key(workspace, params=replace(SETTING, seed=SETTING.seed + 1)))
    compute = replace(SETTING.compute, threads=2)
    keys.append(key(workspace, params=replace(SETTING, compute=compute)))
    (workspace / "images.bin").write_bytes(b"others")
    keys.append(key(workspace))
    (workspace / "stages/code.py").write_text("one = 2\n")
    keys.append(key(workspace))
    monkeypatch.setattr(module, "version", lambda name: "0")
    keys.append(key(workspace))
    monkeypatch.setattr(module, "_hardware", lambda device: "another")
    keys.append(key(workspace))
    assert len(set(keys)) == len(keys)


def test_processors_and_what_libraries_take_them_for_tell_runs_apart(
    tmp_path, monkeypatch
):
    table, found = tmp_path / "cpuinfo", []
    for text in ("", "flags : avx2\n", "flags : avx512f\n", "model name : other\n"):
        table.write_text(text)
        found.append(module._hardware(CPU, table))
    monkeypatch.setenv("MKL_CBWR", "COMPATIBLE")
    found.append(module._hardware(CPU, table))
    assert len({tuple(each) for each in found}) == 5
    table.write_text("cpu MHz : 2450.1\nmodel name : other\nmodel name : other\n")
    assert module._hardware(CPU, table) == found[-1]  # speeds change, and cores repeat
    table.unlink()
    assert module._hardware(CPU, table)


def test_code_that_is_not_loaded_does_not_count(workspace):
    before = key(workspace)
    (workspace / "stages/other.py").write_text("")
    assert key(workspace) == before
