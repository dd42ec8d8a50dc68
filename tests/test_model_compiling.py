from __future__ import annotations

from dataclasses import replace

import pytest
import torch

from crosscam.data.augment import normalise
from crosscam.model import compiling as module
from crosscam.model.compiling import check_compiler, compile_stages
from crosscam.model.moments import Style
from crosscam.params import ParamsError
from crosscam.train.measure import measure_styles
from tests.tiny import ARCHITECTURE, tiny_images, tiny_network

# One block per stage: what is traced takes a second each.
SMALL = replace(ARCHITECTURE, backbone="resnet10t", options={"channels": (8, 8, 8, 8)})
STYLED, MIXED = replace(SMALL, tnorm=True), replace(SMALL, aibn="all")

# torch looks for a gradient where there is none, and holds its own warning back.
pytestmark = pytest.mark.filterwarnings("ignore:The .grad attribute of a Tensor")


@pytest.fixture
def compiled(monkeypatch):
    """Let torch trace and compile nothing; return the graphs that it would compile."""
    graphs = []

    def backend(graph, inputs):
        graphs.append(graph)
        return graph.forward

    torch._dynamo.reset()
    monkeypatch.setattr(module, "BACKEND", backend)
    limit = torch.compiler.config.recompile_limit
    yield graphs
    torch.compiler.config.recompile_limit = limit
    torch._dynamo.reset()


def batch(network, num=6):
    return normalise(tiny_images().pixels[:num], network.mean, network.std)


def same_state(one, other):
    states = one.state_dict(), other.state_dict()
    return all(torch.equal(value, states[1][key]) for key, value in states[0].items())


@pytest.mark.long
def test_camera_styles_act_between_compiled_stages(compiled):
    """Each pass with its own style, on one compilation of what lies between."""
    network, plain = tiny_network(STYLED), tiny_network(STYLED)
    state = list(network.state_dict())
    compile_stages(network)
    compile_stages(network)  # once is enough
    assert list(network.state_dict()) == state
    for each in (network, plain):
        measure_styles(each, tiny_images(), 64)
    assert same_state(network, plain)
    images, sources = batch(plain), plain.styles.positions(tiny_images().camids[:6])
    numbers = []
    for targets in ([1, 2, 0, -1, 2, 1], [2] * 6, [-1] * 6):
        style = Style(sources, torch.tensor(targets))
        with torch.no_grad(), plain.styles.applied(style):
            expected = plain(images)
        with torch.no_grad(), network.styles.applied(style):
            assert torch.equal(network(images), expected)
        numbers.append(len(compiled))
    assert numbers[0] == numbers[2] >= 4


@pytest.mark.long
def test_gradients_pass_through_compiled_stages(compiled):
    network, plain = tiny_network(MIXED), tiny_network(MIXED)
    compile_stages(network)
    for each in (network, plain):
        each.train()(batch(each)).square().sum().backward()
    assert len(compiled) >= 4
    other = dict(plain.named_parameters())
    for name, parameter in network.named_parameters():
        if parameter.requires_grad:
            assert torch.equal(parameter.grad, other[name].grad), name
    assert same_state(network, plain)


def test_a_backbone_without_stages_is_compiled_as_a_whole(compiled):
    options = {"depth": 1, "embed_dim": 48}
    transformer = replace(
        ARCHITECTURE, backbone="vit_tiny_patch16_224", options=options
    )
    network, plain = tiny_network(transformer).eval(), tiny_network(transformer).eval()
    compile_stages(network)
    with torch.no_grad():
        assert torch.equal(network(batch(network)), plain(batch(plain)))
    assert compiled


def test_a_compiler_that_works(compiled):
    check_compiler(torch.device("cpu"))
    assert len(compiled) == 1


def test_a_compiler_that_does_not(monkeypatch):
    def backend(graph, inputs):
        raise OSError("c++: command not found")

    torch._dynamo.reset()
    monkeypatch.setattr(module, "BACKEND", backend)
    with pytest.raises(
        ParamsError,
        match=r"compute\.compile: torch cannot compile for cpu here, got .*: install a",
    ):
        check_compiler(torch.device("cpu"))
