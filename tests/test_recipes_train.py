"""Each published system in its small form trains: a round of each kind, in seconds."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from crosscam.model.aibn import AIBN
from crosscam.model.checkpoint import initial_network
from crosscam.params import parse_params
from crosscam.train.alternate import alternate
from crosscam.train.intra import intra_round
from crosscam.train.progress import Progress
from recipes.__main__ import build, texts
from stages import inter, intra
from tests.repository import ROOT
from tests.tiny import FIRST_INTRA, NUM_CAMERAS, NUM_PEOPLE, tiny_images

SYSTEMS = {  # by what it is made of: AIBN's norms, camera styles
    "iics": (True, False),
    "iics-threshold": (True, False),
    "iids": (True, True),
    "convnext": (False, False),
    "convnext-aibn-tnorm": (True, True),
}


@pytest.mark.parametrize("system", SYSTEMS)
def test_the_small_form_of_a_system_trains(
    system: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(ROOT)
    text = build(texts(), [system, "synthetic"])
    start, p = (
        parse_params(text, kind, system) for kind in (intra.Params, inter.Params)
    )
    images, cut = tiny_images(), {"num_clusters": NUM_PEOPLE, "quantile": 0.1}
    within = replace(p.intra, clusters=replace(p.intra.clusters, **cut))
    across = replace(p.inter, clusters=replace(p.inter.clusters, **cut), rounds=1)
    source = start.weights, Path(), range(NUM_CAMERAS)
    network = initial_network(start.model, start.seed, *source)
    progress = Progress(network)
    given = images, within, p, FIRST_INTRA, 1, within.lr
    heads = intra_round(network, *given, progress).heads
    rounds = alternate(network, heads, images, within, across, p, progress)
    assert [name for name, _ in rounds] == ["intra", "inter"]
    assert all(done.num_clusters > 1 for _, done in rounds)
    has_aibn = any(isinstance(module, AIBN) for module in network.modules())
    assert (has_aibn, network.styles is not None) == SYSTEMS[system]
