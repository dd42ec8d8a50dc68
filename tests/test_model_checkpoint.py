from __future__ import annotations

import json
import pickle
from dataclasses import replace

import numpy as np
import pytest
import safetensors.numpy
import timm
import torch

from crosscam.files import write_safetensors
from crosscam.model.aibn import AIBN
from crosscam.model.checkpoint import (
    CheckpointError,
    initial_network,
    load_checkpoint,
    save_checkpoint,
    untrained,
)
from crosscam.model.heads import Head, HeadParams
from crosscam.model.network import Architecture, Network

TINY = Architecture("test_convnext", {}, (64, 32), 1, "gem", "feature")
IMAGES = torch.randn(3, 3, 64, 32, generator=torch.Generator().manual_seed(0))


def built(architecture=TINY, seed=0):
    torch.manual_seed(seed)
    return Network(architecture)


def heads_of(network):
    torch.manual_seed(5)
    cosine = Head(network.feature_size, 4, HeadParams("cosine", 16.0), neck=True)
    linear = Head(network.feature_size, 2, HeadParams("linear", 1.0), neck=False)
    return {3: cosine, -1: linear}


@pytest.fixture
def saved(tmp_path):
    path = tmp_path / "models" / "mine.safetensors"
    network = built()
    save_checkpoint(path, network, heads_of(network))
    return path


@pytest.fixture
def parts(saved):
    """Return the tensors and the metadata of a checkpoint, to spoil them."""
    return content(saved)


def content(path):
    data = path.read_bytes()
    header = json.loads(data[8 : 8 + int.from_bytes(data[:8], "little")])
    return safetensors.numpy.load(data), json.loads(header["__metadata__"]["crosscam"])


def written(path, tensors, about):
    write_safetensors(path, tensors, {"crosscam": json.dumps(about)})
    return path


def timm_state(name="test_convnext"):
    model = timm.create_model(name)
    return {key: value.numpy() for key, value in model.state_dict().items()}


# There and back


def test_options_that_are_lists_come_back(tmp_path):
    options = {"channels": (8, 8, 8, 8), "zero_init_last": False}
    network = built(replace(TINY, backbone="resnet10t", options=options))
    save_checkpoint(tmp_path / "a.safetensors", network, {})
    again = load_checkpoint(tmp_path / "a.safetensors").network
    assert again.architecture == network.architecture
    assert again.state_dict().keys() == network.state_dict().keys()


def test_round_trip_gives_the_same_features(saved):
    network = built()
    heads = heads_of(network)
    restored = load_checkpoint(saved)
    assert restored.network.architecture == TINY
    assert restored.heads.keys() == heads.keys()
    with torch.no_grad():
        features = network.eval()(IMAGES)
        assert torch.equal(restored.network.eval()(IMAGES), features)
        for camid, head in heads.items():
            logits = restored.heads[camid].eval()(features)
            assert torch.equal(logits, head.eval()(features))
            assert restored.heads[camid].params == head.params


def test_equal_weights_give_equal_bytes(saved, tmp_path):
    network, heads = built(), heads_of(built())
    again, turned = tmp_path / "again", tmp_path / "turned"
    save_checkpoint(again, network, dict(reversed(heads.items())))
    assert again.read_bytes() == saved.read_bytes()
    save_checkpoint(turned, network.to(memory_format=torch.contiguous_format), heads)
    assert turned.read_bytes() == saved.read_bytes()
    restored = load_checkpoint(saved)
    save_checkpoint(again, restored.network, restored.heads)
    assert again.read_bytes() == saved.read_bytes()


def test_other_weights_give_other_bytes(saved, tmp_path):
    network = built(seed=1)
    save_checkpoint(tmp_path / "other", network, heads_of(network))
    assert (tmp_path / "other").read_bytes() != saved.read_bytes()


def test_metadata_say_what_is_inside(parts):
    _, about = parts
    assert about["format"] == "crosscam-1"
    assert about["architecture"]["backbone"] == "test_convnext"
    assert about["feature_size"] == 64
    assert about["mean"] == pytest.approx([0.5] * 3, abs=0.1)
    assert about["heads"]["3"] == {
        "kind": "cosine", "scale": 16.0, "num_classes": 4, "neck": True
    }  # fmt: skip


def test_training_goes_on_from_a_checkpoint(saved):
    network = load_checkpoint(saved).network
    assert all(p.requires_grad for p in network.backbone.parameters())
    assert not network.neck.bias.requires_grad


# Checkpoints that cannot be used


def test_no_such_file(tmp_path):
    with pytest.raises(CheckpointError, match=r"x\.safetensors: no such file: put"):
        load_checkpoint(tmp_path / "x.safetensors")


def test_a_pickle_is_not_opened(tmp_path):
    path = tmp_path / "evil.safetensors"
    path.write_bytes(pickle.dumps({"weights": 1}))
    with pytest.raises(CheckpointError, match=r"is not a safetensors file.*convert it"):
        load_checkpoint(path)


def test_a_file_cut_short(saved):
    saved.write_bytes(saved.read_bytes()[:-5])
    with pytest.raises(CheckpointError, match="is not a safetensors file"):
        load_checkpoint(saved)


def test_a_file_of_another_project(tmp_path):
    path = tmp_path / "timm.safetensors"
    write_safetensors(path, timm_state(), {"format": "pt"})
    with pytest.raises(
        CheckpointError, match=r"(?s)not a crosscam-1 checkpoint.*format: missing"
    ):
        load_checkpoint(path)


@pytest.mark.parametrize(
    ("change", "fault"),
    [
        (
            lambda about: about.update(format="crosscam-2"),
            r"format: must be one of \['crosscam-1'\], got 'crosscam-2'",
        ),
        (lambda about: about.pop("heads"), "heads: missing key"),
        (lambda about: about.update(heads=[]), "heads: expected a mapping"),
        (
            lambda about: about["heads"]["3"].update(num_classes=-1),
            "num_classes: must be at",
        ),
        (
            lambda about: about["architecture"].update(bogus=1),
            "architecture.bogus: unknown key",
        ),
        (lambda about: about["architecture"].update(backbone="q"), "no such model"),
        (
            lambda about: about["architecture"].update(options={"pretrained": True}),
            "options: must not load weights",
        ),
    ],
)
def test_metadata_that_make_no_sense(saved, parts, change, fault):
    tensors, about = parts
    change(about)
    written(saved, tensors, about)
    with pytest.raises(CheckpointError, match=rf"(?s){saved.name}: is not a .*{fault}"):
        load_checkpoint(saved)


def test_metadata_that_are_no_json(saved, parts):
    write_safetensors(saved, parts[0], {"crosscam": "{"})
    with pytest.raises(CheckpointError, match="metadata: Expecting property name"):
        load_checkpoint(saved)


def test_every_fault_of_the_tensors_is_named(saved, parts):
    tensors, about = parts
    del tensors["heads.3.weight"]
    tensors["network.extra"] = np.zeros(1, np.float32)
    tensors["heads.-1.weight"] = np.zeros((2, 5), np.float32)
    tensors["network.neck.weight"][7] = np.nan
    written(saved, tensors, about)
    with pytest.raises(CheckpointError) as caught:
        load_checkpoint(saved)
    first, *lines = str(caught.value).splitlines()
    assert first.startswith(f"{saved}: 4 keys do not fit the model")
    assert lines == [
        "  heads.3.weight: missing",
        "  network.extra: unexpected",
        "  network.neck.weight: holds values that are not finite",
        "  heads.-1.weight: shape (2, 5), expected (2, 64)",
    ]


# What training starts from


def test_random_weights_depend_on_the_seed_alone(tmp_path):
    torch.manual_seed(9)
    before = torch.get_rng_state()
    network = initial_network(TINY, 0, "none", tmp_path)
    assert torch.equal(torch.get_rng_state(), before)
    torch.manual_seed(10)
    same = initial_network(TINY, 0, "none", tmp_path)
    other = initial_network(TINY, 1, "none", tmp_path)
    features, again, others = (n.eval()(IMAGES) for n in (network, same, other))
    assert torch.equal(features, again)
    assert not torch.equal(features, others)


def test_from_a_checkpoint(saved):
    network = initial_network(TINY, 8, saved.name, saved.parent)
    assert torch.equal(network.eval()(IMAGES), built().eval()(IMAGES))


def test_from_a_checkpoint_of_another_architecture(saved):
    other = replace(TINY, pooling="gap")
    with pytest.raises(CheckpointError, match=r"global_pool\.power: unexpected"):
        initial_network(other, 0, saved.name, saved.parent)


def test_from_a_checkpoint_of_another_backbone(saved):
    other = replace(TINY, backbone="test_convnext2")
    told = r"is of test_convnext, model\.backbone is 'test_convnext2': set that, or"
    with pytest.raises(CheckpointError, match=told):
        initial_network(other, 0, saved.name, saved.parent)


@pytest.mark.parametrize("tag", ["", ".r160_in1k"])
def test_from_weights_that_say_whose_they_are(tag, tmp_path):
    state = timm_state()
    write_safetensors(tmp_path / "w.safetensors", state, {"timm": "test_convnext"})
    own = replace(TINY, backbone=f"test_convnext{tag}")
    initial_network(own, 0, "w.safetensors", tmp_path)
    write_safetensors(tmp_path / "w.safetensors", state, {"timm": "test_convnext3"})
    with pytest.raises(CheckpointError, match="is of test_convnext3, model"):
        initial_network(own, 0, "w.safetensors", tmp_path)


def test_another_stride_is_told(saved, caplog):
    initial_network(TINY, 0, saved.name, saved.parent)
    assert caplog.messages == []
    other = replace(TINY, last_stride=2)
    initial_network(other, 0, saved.name, saved.parent)
    (message,) = caplog.messages
    assert message == (
        f"{saved}: was trained with a last stride of 1, model.last_stride is 2"
    )


def test_from_a_timm_state_dict(tmp_path):
    state = timm_state()
    write_safetensors(tmp_path / "w.safetensors", state, {})
    network = initial_network(TINY, 0, "w.safetensors", tmp_path)
    loaded = network.backbone.state_dict()
    assert loaded.keys() - state.keys() == {"head.global_pool.power"}
    assert state.keys() - loaded.keys() == {"head.fc.weight", "head.fc.bias"}
    for key in loaded.keys() & state.keys():
        assert torch.equal(loaded[key], torch.from_numpy(state[key])), key
    assert loaded["head.global_pool.power"].tolist() == [3]


@pytest.mark.parametrize(
    ("key", "value", "fault"),
    [
        ("stem.0.weight", None, "missing"),
        ("head.other.weight", np.zeros(2, np.float32), "unexpected"),
        (
            "head.norm.weight",
            np.zeros(3, np.float32),
            r"shape \(3,\), expected \(64,\)",
        ),
        ("head.norm.weight", np.full(64, np.inf, np.float32), "not finite"),
    ],
)
def test_a_timm_state_dict_must_fit(tmp_path, key, value, fault):
    state = timm_state()
    del state[key if key in state else "head.fc.bias"]
    if value is not None:
        state[key] = value
    write_safetensors(tmp_path / "w.safetensors", state, {})
    with pytest.raises(CheckpointError, match=rf": 1 keys.*\n  {key}: .*{fault}"):
        initial_network(TINY, 0, "w.safetensors", tmp_path)


@pytest.mark.parametrize("name", ["../w.safetensors", "a/w.safetensors", "/w", "."])
def test_weights_are_a_file_name(tmp_path, name):
    (tmp_path / "in" / "a").mkdir(parents=True)
    for folder in (tmp_path, tmp_path / "in" / "a"):
        write_safetensors(folder / "w.safetensors", timm_state(), {})
    with pytest.raises(CheckpointError, match=r"weights: must be none, timm or .*copy"):
        initial_network(TINY, 0, name, tmp_path / "in")


@pytest.mark.parametrize("name", ["w.safetensors", "", ".."])
def test_no_such_weights(tmp_path, name):
    with pytest.raises(CheckpointError, match="no such file: put the checkpoint there"):
        initial_network(TINY, 0, name, tmp_path)


# Weights that timm downloads


@pytest.fixture
def downloads(monkeypatch):
    """Let timm "download" weights drawn from seed 77, and say what it was asked for."""
    create, asked = timm.create_model, []

    def create_model(name, pretrained=False, **options):
        if not pretrained:
            return create(name, **options)
        asked.append((name, options))
        torch.manual_seed(77)
        return create(name, **options)

    monkeypatch.setattr(timm, "create_model", create_model)
    return asked


def test_from_timm(downloads, tmp_path):
    architecture = replace(TINY, options={"ls_init_value": 0.5})
    network = initial_network(architecture, 0, "timm", tmp_path)
    assert downloads == [("test_convnext", {"ls_init_value": 0.5})]
    torch.manual_seed(77)
    expected = timm.create_model("test_convnext", ls_init_value=0.5).state_dict()
    assert torch.equal(network.backbone.stem[0].weight, expected["stem.0.weight"])


def test_from_timm_a_transformer_of_our_image_size(downloads, tmp_path):
    architecture = Architecture("test_vit", {}, (64, 32), 2, "gap", "none")
    network = initial_network(architecture, 0, "timm", tmp_path)
    assert downloads == [("test_vit", {"img_size": (64, 32)})]
    assert network.eval()(IMAGES).shape == (3, 64)


@pytest.mark.parametrize(
    "error",
    [
        # As the hub's LocalEntryNotFoundError, which timm lets through when offline.
        FileNotFoundError("Please check your connection"),
        RuntimeError("No pretrained weights exist for test_convnext"),
    ],
)
def test_timm_has_no_weights_at_hand(monkeypatch, tmp_path, error):
    create = timm.create_model

    def create_model(name, pretrained=False, **options):
        if pretrained:
            raise error
        return create(name, **options)

    monkeypatch.setattr(timm, "create_model", create_model)
    with pytest.raises(
        CheckpointError,
        match=rf"weights: timm has no .* of 'test_convnext' at hand, {error}: connect",
    ):
        initial_network(TINY, 0, "timm", tmp_path)


# Adaptive instance and batch norms, and the styles of cameras

WHOLE = replace(TINY, last_stride=2, pooling="gap", aibn="deep", tnorm=True)


def whole_network(camids=(1, 4)):
    """Return a network whose mixes, statistics and moments are of no special kind."""
    torch.manual_seed(0)
    network = Network(WHOLE, camids).eval()
    with torch.no_grad():
        for key, value in network.state_dict().items():
            if key.endswith((".mix", "var")):
                value.uniform_(0.2, 0.8)
            elif key.endswith("mean"):
                value.normal_()
            elif key.endswith("num_batches_tracked"):
                value.fill_(5)
    return network


def passed(network, images=IMAGES):
    """Return features as they are and in all styles, images of the second camera."""
    sources = torch.ones(len(images), dtype=torch.int64)
    with torch.no_grad():
        plain = network.eval()(images)
        with network.styles.all_targets(sources):
            return torch.cat([plain, network(images)])


@pytest.fixture
def whole(tmp_path):
    path = tmp_path / "models" / "whole.safetensors"
    save_checkpoint(path, whole_network(), {})
    return path


def test_norms_and_styles_come_back(whole):
    network = whole_network()
    restored = load_checkpoint(whole).network
    assert restored.architecture == WHOLE
    assert restored.styles.camids == (1, 4)
    state = restored.state_dict()
    pairs = [f"styles.layers.2.from_{name}" for name in ("mean", "var")]
    assert all(state[key].shape[:2] == (2, 2) for key in pairs)
    for key, value in network.state_dict().items():
        assert torch.equal(state[key], value), key
    assert torch.equal(passed(restored), passed(network))
    save_checkpoint(whole.parent / "again", restored, {})
    assert (whole.parent / "again").read_bytes() == whole.read_bytes()


def test_norms_of_a_block_still_share_their_mix(tmp_path):
    torch.manual_seed(0)
    network = Network(replace(WHOLE, backbone="test_resnet"), [0])
    save_checkpoint(tmp_path / "shared", network, {})
    restored = load_checkpoint(tmp_path / "shared").network
    for model in (network, restored):
        norms = [m for m in model.modules() if isinstance(m, AIBN)]
        assert len(norms) == 7
        assert len({id(norm.mix) for norm in norms}) == 2


def test_copies_of_a_mix_that_differ_are_named(tmp_path):
    architecture = replace(WHOLE, backbone="test_resnet", tnorm=False)
    path = tmp_path / "spoiled.safetensors"
    save_checkpoint(path, Network(architecture), {})
    tensors, about = content(path)
    tensors["network.backbone.layer3.0.bn2.mix"] += 0.25
    tensors["network.backbone.layer4.0.downsample.2.mix"] += 0.25
    written(path, tensors, about)
    # Both where a run goes on from it and where one starts from it.
    for prefix, load in (
        ("network.backbone", lambda: load_checkpoint(path)),
        ("backbone", lambda: initial_network(architecture, 0, path.name, tmp_path)),
    ):
        with pytest.raises(CheckpointError) as caught:
            load()
        assert str(caught.value).splitlines()[1:] == [
            f"  {prefix}.{copy}.mix: is {prefix}.{first}.mix in the model, and differs "
            "from it"
            for copy, first in (
                ("layer3.0.bn2", "layer3.0.bn1"),
                ("layer4.0.downsample.2", "layer4.0.bn1"),
            )
        ]


@pytest.mark.parametrize(
    "key",
    [
        "network.styles.layers.1.var",
        "network.styles.layers.2.from_mean",
        "network.backbone.stages.2.blocks.0.norm.mix",
    ],
)
def test_a_checkpoint_holds_all_of_it(whole, key):
    tensors, about = content(whole)
    del tensors[key]
    written(whole, tensors, about)
    with pytest.raises(CheckpointError, match=rf": 1 keys .*\n  {key}: missing"):
        load_checkpoint(whole)


def test_a_checkpoint_from_before_there_were_styles(saved, parts):
    tensors, about = parts
    assert about.pop("camids") == []
    for key in ("aibn", "aibn_mix", "tnorm"):
        del about["architecture"][key]
    written(saved, tensors, about)
    network = load_checkpoint(saved).network
    assert network.architecture == TINY
    with torch.no_grad():
        assert torch.equal(network.eval()(IMAGES), built().eval()(IMAGES))


@pytest.mark.parametrize("camids", [(1, 4), (2, 3, 9)], ids=["same", "other"])
def test_training_starts_with_styles_of_its_own_cameras(whole, camids):
    network = initial_network(WHOLE, 0, whole.name, whole.parent, camids)
    fresh = Network(WHOLE, camids).styles.state_dict()
    styles = network.styles.state_dict()
    assert styles.keys() == fresh.keys()
    assert all(torch.equal(styles[key], value) for key, value in fresh.items())
    with torch.no_grad():
        assert torch.equal(network.eval()(IMAGES), passed(whole_network())[:3])
    plain = initial_network(replace(WHOLE, tnorm=False), 0, whole.name, whole.parent)
    assert plain.styles is None
    with torch.no_grad():
        assert torch.equal(plain.eval()(IMAGES), passed(whole_network())[:3])


def test_a_checkpoint_with_other_norms(whole):
    other = replace(WHOLE, aibn="none")
    with pytest.raises(
        CheckpointError, match=r"stages\.2\.blocks\.0\.norm\.mix: unexpected"
    ):
        initial_network(other, 0, whole.name, whole.parent)


TIMM = {
    "test_resnet": {"mix"},
    "test_convnext": {"mix", "running_mean", "running_var", "num_batches_tracked"},
}


def timm_file(name, folder, **changes):
    """Write a timm state dict with statistics of no special kind; None drops a key."""
    torch.manual_seed(1)
    state = timm_state(name)
    for key, value in state.items():
        if key.endswith(("running_mean", "running_var")):
            state[key] = value + np.float32(0.25)
    state |= changes
    kept = {key: value for key, value in state.items() if value is not None}
    write_safetensors(folder / "w.safetensors", kept, {})
    return kept


@pytest.mark.parametrize("name", TIMM)
@pytest.mark.parametrize("aibn", ["deep", "all"])
def test_norms_take_over_a_timm_state_dict(tmp_path, name, aibn):
    state = timm_file(name, tmp_path)
    architecture = replace(WHOLE, backbone=name, aibn=aibn)
    network = initial_network(architecture, 0, "w.safetensors", tmp_path, [0])
    loaded = network.backbone.state_dict()
    norms = {k for k, m in network.backbone.named_modules() if isinstance(m, AIBN)}
    assert loaded.keys() - state.keys() == {
        f"{n}.{k}" for n in norms for k in TIMM[name]
    }
    assert {key.split(".")[0] for key in state.keys() - loaded.keys()} <= {"head", "fc"}
    for key in loaded.keys() & state.keys():
        assert np.array_equal(loaded[key].numpy(), state[key]), key
    for key in loaded.keys() - state.keys():
        start = {"mix": 0.1, "running_var": 1}.get(key.rpartition(".")[2], 0)
        assert (loaded[key] == start).all(), key


@pytest.mark.parametrize(
    ("name", "key", "value", "fault"),
    [
        ("test_convnext", "stages.2.blocks.0.norm.weight", None, "missing"),
        ("test_convnext", "stages.2.blocks.0.norm.extra", np.zeros(2), "unexpected"),
        # Batch norms have statistics: nothing else may stand in for them.
        ("test_resnet", "layer3.0.bn1.running_mean", None, "missing"),
        ("test_resnet", "layer4.0.bn1.running_var", np.zeros(2), r"shape \(2,\)"),
        ("test_resnet", "layer1.0.bn1.mix", np.zeros(()), "unexpected"),
    ],
)
def test_a_timm_state_dict_must_fit_all_norms(tmp_path, name, key, value, fault):
    timm_file(name, tmp_path, **{key: value})
    architecture = replace(WHOLE, backbone=name)
    with pytest.raises(CheckpointError, match=rf": 1 keys .*\n  {key}: {fault}"):
        initial_network(architecture, 0, "w.safetensors", tmp_path, [0])


# The network before any surgery


@pytest.mark.parametrize("weights", ["none", "w.safetensors"])
def test_the_untrained_network_has_its_own_norms(tmp_path, weights):
    timm_file("test_convnext", tmp_path)
    network = untrained(WHOLE, 3, weights, tmp_path)
    plain = replace(WHOLE, aibn="none", tnorm=False)
    assert network.architecture == plain
    expected = initial_network(plain, 3, weights, tmp_path)
    assert torch.equal(network.eval()(IMAGES), expected.eval()(IMAGES))


def test_an_untrained_checkpoint_is_taken_whole(whole):
    network = untrained(replace(WHOLE, aibn="none"), 3, whole.name, whole.parent)
    assert network.architecture == WHOLE
    assert torch.equal(passed(network), passed(whole_network()))


@pytest.mark.parametrize("name", ["../w.safetensors", "gone.safetensors"])
def test_no_untrained_network(tmp_path, name):
    with pytest.raises(CheckpointError, match=r"must be none, timm or|no such file"):
        untrained(WHOLE, 0, name, tmp_path)


# Bombs


@pytest.mark.parametrize(
    ("change", "told"),
    [
        (
            lambda about: about["architecture"].update(options={"dims": (10**6,) * 4}),
            r"a backbone of 84,\d+,\d+,\d+,\d+ values, where the file has",
        ),
        (
            lambda about: about["heads"]["3"].update(num_classes=10**9),
            "head 3 is of 1,000,000,000 classes, where its weights are of 4",
        ),
    ],
)
def test_a_network_larger_than_the_file_is_not_built(saved, parts, change, told):
    tensors, about = parts
    change(about)
    written(saved, tensors, about)
    with pytest.raises(
        CheckpointError, match=f"describe no network of its own, got {told}"
    ):
        load_checkpoint(saved)


def test_types_must_be_floats_where_those_are(saved, parts):
    tensors, about = parts
    shape = tensors["network.neck.weight"].shape
    for dtype, told in {
        np.int64: "type torch.int64, expected torch.float32",
        np.float64: "holds values that are not finite",
    }.items():
        tensors["network.neck.weight"] = np.full(
            shape, 1e300 if dtype is np.float64 else 1, dtype
        )
        written(saved, tensors, about)
        with pytest.raises(CheckpointError, match=rf"1 keys .*\n  network.*: {told}"):
            load_checkpoint(saved)
    tensors["network.neck.weight"] = np.ones(shape, np.float16)
    written(saved, tensors, about)
    assert load_checkpoint(saved).network.neck.weight.dtype == torch.float32


def test_many_faults_are_cut_short(saved, parts):
    tensors, about = parts
    written(saved, {f"module.{key}": value for key, value in tensors.items()}, about)
    with pytest.raises(CheckpointError) as caught:
        load_checkpoint(saved)
    lines = str(caught.value).splitlines()
    assert len(lines) == 22
    assert lines[-1] == f"  and {2 * len(tensors) - 20} more"
