from __future__ import annotations

import itertools
import logging
import os
import re
from dataclasses import asdict, dataclass

import numpy as np
import pytest
import torch
from threadpoolctl import threadpool_info, threadpool_limits

from crosscam.params import ParamsError, parse_tree
from crosscam.train import devices as module
from crosscam.train.devices import ComputeParams, placed, randomness, start_device
from tests.tiny import tiny_network


@dataclass(frozen=True)
class Section:
    compute: ComputeParams


@pytest.fixture(autouse=True)
def restored(monkeypatch):
    """Undo what these tests set for the whole process."""
    threads = torch.get_num_threads()
    limits = threadpool_limits()  # the limits to go back to
    monkeypatch.setenv("CUBLAS_WORKSPACE_CONFIG", "")
    monkeypatch.delenv("CUBLAS_WORKSPACE_CONFIG")
    yield
    limits.restore_original_limits()
    torch.set_num_threads(threads)
    torch.use_deterministic_algorithms(False)


def compute(device, threads=1, **changes):
    return ComputeParams(device, threads, 1.0, 64, **changes)


@pytest.mark.parametrize("threads", [1, 2])
def test_threads_of_numpy_and_of_torch(threads):
    start_device(compute("cpu", threads))
    assert torch.get_num_threads() == threads
    assert {pool["num_threads"] for pool in threadpool_info()} == {threads}


def draws(seed, *position):
    own = randomness(seed, *position)
    return (
        own.numpy.integers(2**62, size=2).tolist()
        + torch.randint(2**62, (2,), generator=own.torch).tolist()
        + torch.randint(2**62, (2,)).tolist()
    )


@pytest.mark.parametrize(
    ("asked", "is_available", "given"),
    [
        ("cpu", True, "cpu"),
        ("cpu", False, "cpu"),
        ("auto", True, "cuda"),
        ("auto", False, "cpu"),
        ("cuda", True, "cuda"),
    ],
)
def test_device(monkeypatch, asked, is_available, given):
    monkeypatch.setattr(torch.cuda, "is_available", lambda: is_available)
    assert start_device(compute(asked)) == torch.device(given)


def test_no_gpu(monkeypatch):
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    with pytest.raises(
        ParamsError, match=r"compute\.device: torch finds no GPU, got 'cuda': set it to"
    ):
        start_device(compute("cuda"))


def test_each_process_has_a_gpu_of_its_own(monkeypatch):
    taken = []
    monkeypatch.setattr(torch.cuda, "is_available", lambda: True)
    monkeypatch.setattr(torch.cuda, "device_count", lambda: 2)
    monkeypatch.setattr(torch.cuda, "set_device", taken.append)
    monkeypatch.setattr(module, "world_size", lambda: 4)
    for number in range(2):  # of one of two machines
        place = number, 2
        monkeypatch.setattr(module, "place_on_machine", lambda place=place: place)
        assert start_device(compute("auto")) == torch.device("cuda")
    assert taken == [0, 1]
    monkeypatch.setattr(module, "place_on_machine", lambda: (0, 4))
    with pytest.raises(
        ParamsError, match=r"compute\.processes: must be at most 2, one for each GPU"
    ):
        start_device(compute("cuda"))
    assert taken == [0, 1]


@pytest.mark.parametrize("number", [0, 257])
def test_processes_have_a_range(number):
    plain = {"device": "cpu", "threads": 1, "image_cache_gb": 1.0, "batch_size": 64}
    tree = {"compute": plain | {"processes": number}}
    with pytest.raises(ParamsError, match="at least 1 and at most 256, got"):
        parse_tree(tree, Section, "it")


def test_threads_and_deterministic_algorithms(caplog):
    torch.use_deterministic_algorithms(False)
    with caplog.at_level(logging.INFO):
        start_device(compute("cpu", threads=2))
    assert torch.get_num_threads() == 2
    assert torch.are_deterministic_algorithms_enabled()
    assert not torch.utils.deterministic.fill_uninitialized_memory
    assert os.environ["CUBLAS_WORKSPACE_CONFIG"] == ":4096:8"
    assert f"torch {torch.__version__}" in caplog.text
    assert "device cpu, fp32, 2 threads" in caplog.text


@pytest.mark.parametrize(
    ("key", "value", "fault"),
    [
        ("precision", "fp16", "must be one of ['fp32', 'bf16'], got 'fp16', did you"),
        ("compile", 1, "expected bool, got 1"),
    ],
)
def test_bad_values(key, value, fault):
    tree = {**asdict(compute("cpu", precision="bf16", compile=True)), key: value}
    with pytest.raises(ParamsError, match=re.escape(f"test: {key}: {fault}")):
        parse_tree(tree, ComputeParams, "test")


def test_fp32_is_not_tf32():
    torch.backends.cuda.matmul.allow_tf32 = torch.backends.cudnn.allow_tf32 = True
    start_device(compute("cpu"))
    assert not torch.backends.cuda.matmul.allow_tf32
    assert not torch.backends.cudnn.allow_tf32


def test_a_network_is_placed():
    network = tiny_network()
    assert network.precision == "fp32"
    there = torch.device("meta")
    assert placed(network, compute("cpu", precision="bf16"), there) is network
    assert network.precision == "bf16"
    assert {p.device.type for p in network.parameters()} == {"meta"}
    assert not any("forward" in vars(module) for module in network.modules())


def test_what_cannot_be_compiled_is_said_at_once(monkeypatch):
    def fail(*_, **__):
        raise RuntimeError("No working C++ compiler found\nat great length")

    monkeypatch.setattr(torch, "compile", fail)
    with pytest.raises(ParamsError) as caught:
        placed(tiny_network(), compute("cpu", compile=True), torch.device("cpu"))
    assert str(caught.value) == (
        "compute.compile: torch cannot compile for cpu here, got RuntimeError: No "
        "working C++ compiler found: install a C++ compiler (and Triton for a GPU), or "
        "set it to false"
    )


def test_streams_repeat_by_seed_and_position():
    assert draws(0, 1, 2, 3) == draws(0, 1, 2, 3)
    first = draws(0, 1, 2, 3)
    torch.manual_seed(5)
    np.random.default_rng(5).random()
    assert draws(0, 1, 2, 3) == first


def test_streams_differ_by_seed_and_position():
    places = itertools.product((0, 1, 2**32 - 1), (1, 2), (0, 1), (0, 1, 2))
    streams = [draws(*place) for place in places]
    numbers = [number for stream in streams for number in stream]
    assert len(set(numbers)) == len(numbers)
