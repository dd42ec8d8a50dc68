from __future__ import annotations

import os
import runpy
import sys
import zipfile
from collections import OrderedDict

import numpy as np
import pytest
import safetensors
import safetensors.torch
import timm
import torch
import torchvision

from crosscam.model.checkpoint import (
    CheckpointError,
    initial_network,
    load_checkpoint,
    save_checkpoint,
)
from crosscam.model.convert import __main__ as convert
from crosscam.model.convert import trained as module
from crosscam.model.convert.__main__ import report, write_converted
from crosscam.model.convert.foreign import read_foreign
from crosscam.model.convert.forms import Hints
from crosscam.model.moments import Style
from crosscam.model.network import Architecture, Network
from crosscam.params import ParamsError
from tests.originals import (
    OriginalConvNeXt,
    OriginalReid,
    OriginalResNet,
    head,
    shaken,
)

IMAGES = torch.randn(3, 3, 64, 32, generator=torch.Generator().manual_seed(0))
SMALL = Hints(image_size=(64, 32))


def saved(path, content, **options):
    torch.save(content, path, **options)
    return path


def there_and_back(source, hints=SMALL):
    """Convert a file, write and load it."""
    found = convert.convert(source, hints)
    target = source.with_suffix(".safetensors")
    write_converted(target, found)
    return found, load_checkpoint(target), target


def assert_same(found, expected):
    """An image's features differ by 1e-5 of their length, other images' by far more."""
    length = expected.norm(dim=1)
    assert (expected[0] - expected[1]).norm() > 1e-3 * length[0]
    assert ((found - expected).norm(dim=1) / length).max() < 1e-5


# IICS and IIDS


@pytest.fixture(scope="module")
def iids():
    """Return IIDS's network after its inter stage, on three cameras."""
    return shaken(OriginalReid(OriginalResNet(3), 2048, 11))


@pytest.fixture(scope="module")
def iids_converted(iids, tmp_path_factory):
    """Save as the published program does: old format, a score of numpy beside it."""
    content = {
        "state_dict": iids.state_dict(),
        "epoch": 5,
        "best_top1": np.float64(0.9),
    }
    path = tmp_path_factory.mktemp("iids") / "model_best.pth.tar"
    saved(path, content, _use_new_zipfile_serialization=False)
    return there_and_back(path)


@torch.no_grad()
def test_iids_plain_features(iids, iids_converted):
    network = iids_converted[1].network.eval()
    assert_same(network(IMAGES), iids.model(IMAGES))


@pytest.mark.parametrize("target", [0, 2])
@torch.no_grad()
def test_iids_features_in_the_style_of_a_camera(iids, iids_converted, target):
    network = iids_converted[1].network.eval()
    sources = torch.tensor([2, 0, 1])
    style = Style(sources, torch.full((3,), target))
    with network.styles.applied(style):
        found = network(IMAGES)
    assert_same(found, iids.model(IMAGES, sources, target))
    assert not torch.allclose(found, network(IMAGES), atol=0.1)


@torch.no_grad()
def test_iids_is_known_by_its_metadata(iids, iids_converted):
    checkpoint = iids_converted[1]
    assert checkpoint.network.architecture == Architecture(
        *("resnet50", {}, (64, 32), 1, "gap", "head", "deep"), tnorm=True
    )
    assert checkpoint.network.styles.camids == (0, 1, 2)
    assert checkpoint.network.mean == (0.485, 0.456, 0.406)
    assert checkpoint.network.std == (0.229, 0.224, 0.225)
    assert list(checkpoint.heads) == [-1]
    features = torch.randn(4, 2048)
    expected = iids.classifier(features)
    torch.testing.assert_close(checkpoint.heads[-1].eval()(features), expected)
    assert (
        len({id(n.mix) for n in checkpoint.network.modules() if hasattr(n, "mix")}) == 9
    )


def test_every_key_of_iids_is_accounted_for(iids, iids_converted):
    found = iids_converted[0]
    blocks = [f"model.layer3.{i}" for i in range(6)] + [
        f"model.layer4.{i}" for i in range(3)
    ]
    copies = [f"{block}.adaptive_weight" for block in blocks]
    counts = [f"model.tnorm{i}.num_batches_tracked" for i in (1, 2, 3)]
    assert found.left_out == {
        "no weights": ["epoch", "best_top1"],
        "said again by the norms of the block": copies,
        "nothing reads it": counts,
    }
    assert found.num_used == len(iids.state_dict()) - len(copies) - len(counts)
    said = report(found)
    assert (
        "recognised: ResNet with the names of torchvision, resnet50 in timm\n" in said
    )
    assert "aibn: deep\n" in said
    assert "camera styles: [0, 1, 2]\n" in said
    assert "heads: all cameras\n" in said
    assert f"used: {found.num_used} tensors\n" in said
    assert "left out (no weights): epoch, best_top1\n" in said


def test_training_starts_from_a_converted_checkpoint(iids, iids_converted):
    path = iids_converted[2]
    architecture = Architecture("resnet50", {}, (64, 32), 1, "gap", "head", "deep")
    network = initial_network(architecture, 0, path.name, path.parent)
    with torch.no_grad():
        assert_same(network.eval()(IMAGES), iids.model(IMAGES))


@pytest.mark.long
@torch.no_grad()
def test_iics_after_its_intra_stage(tmp_path):
    """A head per camera, no styles, a bare state dict of DataParallel, in half."""
    iics = shaken(OriginalReid(OriginalResNet(), 2048, [4, 2]), seed=1).half().float()
    state = {f"module.{k}": v.half() for k, v in iics.state_dict().items()}
    path = saved(tmp_path / "latest.pth", state)
    found, checkpoint, _ = there_and_back(path, SMALL._replace(camids=(5, 3)))
    assert checkpoint.network.styles is None
    assert list(checkpoint.heads) == [3, 5]
    assert_same(checkpoint.network.eval()(IMAGES), iics.model(IMAGES))
    features = torch.randn(4, 2048)
    for number, camid in enumerate((5, 3)):
        expected = iics.classifier[number](features)
        logits = checkpoint.heads[camid].eval()(features)
        torch.testing.assert_close(logits, expected)
    assert "heads: camera 5, camera 3\n" in report(found)


def test_a_backbone_alone_whose_cameras_are_not_in_order(tmp_path, light_iids):
    state = {k[6:]: v for k, v in light_iids.items() if k.startswith("model.")}
    for size, layer in ((256, 1), (512, 2), (1024, 3)):
        rows = torch.tensor([[4.0 + layer], [1.0 + layer]])
        state[f"tnorm{layer}.running_mean"] = rows.expand(2, size)
        state[f"tnorm{layer}.running_var"] = 10 * rows.expand(2, size)
    hints = SMALL._replace(camids=(4, 1), last_stride=2)
    network, heads = convert.convert(saved(tmp_path / "b.pt", state), hints).weights
    assert network.architecture.last_stride == 2
    assert heads == {}
    assert network.styles.camids == (1, 4)
    for layer, moments in enumerate(network.styles.layers, start=1):
        assert moments.mean[:, 7].tolist() == [1 + layer, 4 + layer]
        assert moments.var[:, 7].tolist() == [10 + 10 * layer, 40 + 10 * layer]
        # What arrives is taken for the image's own, as published.
        for target in range(2):
            assert torch.equal(moments.from_mean[:, target], moments.mean)
            assert torch.equal(moments.from_var[:, target], moments.var)


# ConvNeXt


@pytest.mark.long
@pytest.mark.parametrize(("aibn", "first"), [("none", 4), ("deep", 2), ("all", 0)])
@torch.no_grad()
def test_convnext_trained_for_reidentification(tmp_path, aibn, first):
    original = shaken(OriginalReid(OriginalConvNeXt(first), 768, [3, 2]))
    if aibn == "all":  # shares are clamped at both ends; small variances show the eps
        stem, norm = original.model.downsample_layers[0]
        stem.weight.mul_(0.05)
        norm.adaptive_weight.fill_(-0.02)
        original.model.stages[2][3].adaptive_weight.fill_(1.3)
    path = saved(tmp_path / "c.pth.tar", {"state_dict": original.state_dict()})
    found, (network, heads), _ = there_and_back(path)
    architecture = Architecture("convnext_tiny", {}, (64, 32), 2, "gap", "head", aibn)
    assert network.architecture == architecture
    assert list(heads) == [0, 1]
    num_blocks = {"none": 0, "deep": 9 + 3, "all": 3 + 3 + 9 + 3}[aibn]
    assert sum(map(len, found.left_out.values())) == num_blocks
    assert_same(network.eval()(IMAGES), original.model(IMAGES))


@pytest.mark.long
@torch.no_grad()
def test_convnext_with_styles_after_its_intra_stage(tmp_path):
    """AIBN in stages 3 and 4, camera styles, a head per camera: all at once."""
    original = shaken(OriginalReid(OriginalConvNeXt(2, num_cameras=2), 768, [3, 2]))
    path = saved(tmp_path / "c.pth.tar", {"state_dict": original.state_dict()})
    _, (network, heads), _ = there_and_back(path)
    assert network.architecture == Architecture(
        *("convnext_tiny", {}, (64, 32), 2, "gap", "head", "deep"), tnorm=True
    )
    network.eval()
    assert_same(network(IMAGES), original.model(IMAGES))
    sources = torch.tensor([1, 0, 1])
    with network.styles.applied(Style(sources, torch.zeros(3, dtype=torch.int64))):
        styled = network(IMAGES)
    assert_same(styled, original.model(IMAGES, sources, 0))
    assert not torch.allclose(styled, network(IMAGES), atol=0.1)
    features = torch.randn(4, 768)
    for camid in (0, 1):
        expected = original.classifier[camid](features)
        torch.testing.assert_close(heads[camid].eval()(features), expected)


@pytest.mark.long
def test_facebooks_own_checkpoint(tmp_path):
    original = shaken(OriginalConvNeXt(4))
    state = original.state_dict()
    state |= {"head.weight": torch.ones(1000, 768), "head.bias": torch.ones(1000)}
    path = saved(tmp_path / "convnext_tiny_1k.pth", {"model": state})
    found = convert.convert(path, SMALL)
    assert found.left_out["classifier, of no use here"] == ["head.weight", "head.bias"]
    assert found.num_used == len(state) - 2
    assert_starts_at(tmp_path, found, "convnext_tiny", original)


# What torchvision, timm and torchreid have


def assert_starts_at(folder, found, backbone, original):
    """Features of a network that starts from the file are those of the original."""
    write_converted(folder / "w.safetensors", found)
    with safetensors.safe_open(folder / "w.safetensors", framework="pt") as file:
        assert file.metadata() == {"timm": backbone}
    architecture = Architecture(backbone, {}, (64, 32), 2, "gap", "head")
    network = initial_network(architecture, 0, "w.safetensors", folder).eval()
    with torch.no_grad():
        assert_same(network(IMAGES), original.eval()(IMAGES))


@pytest.mark.long
@pytest.mark.parametrize(
    ("build", "backbone", "layer"),
    [
        (torchvision.models.resnet50, "resnet50", "fc"),
        (torchvision.models.convnext_tiny, "convnext_tiny", "classifier.2"),
    ],
)
def test_torchvision(tmp_path, build, backbone, layer):
    original = shaken(build(weights=None))
    path = saved(tmp_path / "t.pth", original.state_dict())
    found = convert.convert(path, SMALL)
    names = [f"{layer}.weight", f"{layer}.bias"]
    assert found.left_out["classifier, of no use here"] == names
    original.set_submodule(layer, torch.nn.Identity())
    assert_starts_at(tmp_path, found, backbone, original)


def test_torchreid_and_batch_norms_without_counts(tmp_path):
    original = shaken(torchvision.models.resnet18(weights=None))
    original.fc = torch.nn.Identity()
    state = original.state_dict()
    state = {k: v for k, v in state.items() if "num_batches" not in k}
    classifier = {
        "classifier.weight": torch.ones(9, 512),
        "classifier.bias": torch.ones(9),
    }
    content = {"state_dict": OrderedDict(state | classifier), "rank1": np.float32(0.5)}
    path = saved(tmp_path / "t.pth.tar-60", content)
    found = convert.convert(path, SMALL)
    assert found.left_out == {
        "no weights": ["rank1"], "classifier, of no use here": list(classifier)
    }  # fmt: skip
    assert_starts_at(tmp_path, found, "resnet18", original)


@pytest.mark.parametrize("backbone", ["mobilenetv2_050", "convnext_zepto_rms"])
def test_timm_in_safetensors(tmp_path, backbone):
    original = shaken(timm.create_model(backbone))
    path = tmp_path / "in.safetensors"
    safetensors.torch.save_file(original.state_dict(), path)
    found = convert.convert(path, SMALL)
    original.reset_classifier(0)
    assert_starts_at(tmp_path, found, backbone, original)


def test_another_timm_model_is_named(tmp_path):
    original = shaken(timm.create_model("test_byobnet"))
    path = saved(tmp_path / "t.pth", original.state_dict())
    found = convert.convert(path, SMALL._replace(backbone="test_byobnet"))
    original.reset_classifier(0)
    assert_starts_at(tmp_path, found, "test_byobnet", original)
    with pytest.raises(CheckpointError, match="timm has no such model, got 'resnet51'"):
        convert.convert(path, SMALL._replace(backbone="resnet51"))


@pytest.mark.parametrize(
    "backbone",
    [
        *(f"convnext_{size}" for size in ("tiny", "small", "base", "large", "xlarge")),
        *(
            "resnet34",
            "resnet152",
            "wide_resnet50_2",
            "resnext101_32x8d",
            "mobilenetv2_140",
        ),
    ],
)
def test_sizes_are_told_apart(backbone):
    with torch.device("meta"):
        state = timm.create_model(backbone, num_classes=7).state_dict()
    assert convert.recognised(state).backbone == backbone


# Files that cannot be used


def light(module, **changed):
    """Return a state dict of zeros that takes no space in a file."""
    shapes = {key: value.shape for key, value in module.state_dict().items()}
    state = {key: torch.zeros(()).expand(shape) for key, shape in shapes.items()}
    return {k: v for k, v in (state | changed).items() if v is not None}


@pytest.fixture(scope="module")
def light_iids():
    with torch.device("meta"):
        original = OriginalReid(OriginalResNet(2), 2048, 3)
    return light(original)


def refused(path, match, hints=SMALL):
    with pytest.raises(CheckpointError, match=match) as caught:
        convert.convert(path, hints)
    assert str(caught.value).startswith(str(path))
    return str(caught.value)


class Code:
    def __reduce__(self):
        return os.system, ("touch RAN",)


@pytest.mark.parametrize("zipped", [True, False])
def test_code_is_named_and_never_run(tmp_path, monkeypatch, zipped):
    monkeypatch.chdir(tmp_path)
    content = {"state_dict": {"layer1.0.conv1.weight": torch.ones(1)}, "extra": Code()}
    path = saved(tmp_path / "c.pth", content, _use_new_zipfile_serialization=zipped)
    match = r"refused, because .* run code, got a pickled '(posix|nt)\.system': save"
    refused(path, match)
    assert not (tmp_path / "RAN").exists()


def test_a_class_of_python_is_no_weight(tmp_path):
    path = saved(tmp_path / "c.pth", torch.nn.Linear(2, 2))
    refused(
        path, r"got a pickled 'torch\.nn\.modules\.linear\.Linear': save the weights"
    )
    path = saved(tmp_path / "c.pth", {"state_dict": {}, "labels": np.zeros(3)})
    refused(path, r"got a pickled 'numpy\._core\.multiarray\._reconstruct'")


def test_numbers_of_numpy_before_2(tmp_path):
    content = {"state_dict": {"a": torch.ones(2)}, "best_top1": np.float64(0.5)}
    path = saved(tmp_path / "o.pth", content, _use_new_zipfile_serialization=False)
    data = path.read_bytes()
    assert b"numpy._core.multiarray" in data
    path.write_bytes(data.replace(b"numpy._core.multi", b"numpy.core.multi"))
    foreign = convert.read_foreign(path)
    assert foreign.beside == ["best_top1"]
    assert foreign.tensors["a"].tolist() == [1, 1]


@pytest.mark.parametrize(
    ("data", "match"),
    [
        (b"", "EOFError"),
        (b"<html>not found</html>", "UnpicklingError: Unsupported operand 60"),
        (b"PK\x03\x04 half a zip", "RuntimeError: PytorchStreamReader"),
    ],
)
def test_other_files(tmp_path, data, match):
    path = tmp_path / "x.pth"
    path.write_bytes(data)
    refused(path, f"is not a complete file of torch.save, got {match}.*: fetch or save")


def test_no_safetensors(tmp_path):
    path = tmp_path / "x.safetensors"
    path.write_bytes(b"PK\x03\x04")
    refused(path, "is not a complete safetensors file, .*: fetch it")
    refused(tmp_path / "none.pth", "no such file: name the checkpoint to convert")
    tiny = Network(Architecture("test_convnext", {}, (64, 32), 1, "gap", "head"))
    save_checkpoint(path, tiny, {})
    refused(path, "is a checkpoint of this project: use it as it is")


@pytest.mark.parametrize(
    ("content", "match"),
    [
        ([1, 2], "has no state dict, got a list: it must be one"),
        ({}, "has no state dict, got a dict"),
        ({"epoch": 3, "net": {}}, r"has no state dict, got \['epoch', 'net'\]"),
        ({"a": torch.ones(1), "b": 3}, r"1 entries .* not plain tensors.*\n  b: a int"),
        (
            {"a": torch.ones(1, dtype=torch.cfloat), "b": torch.ones(1, device="meta")},
            r"2 entries(.|\n)*a: .* tensor of torch.complex64(.|\n)*b: .* on meta",
        ),
    ],
)
def test_no_state_dict(tmp_path, content, match):
    refused(saved(tmp_path / "x.pth", content), match)


def test_an_unknown_form(tmp_path):
    osnet = {
        "conv1.conv.weight": torch.ones(2),
        "conv2.0.conv1.conv.weight": torch.ones(2),
    }
    path = saved(tmp_path / "osnet.pth", {"state_dict": osnet})
    refused(path, r"of no known form, got \['conv1\.conv\.weight', .*torchreid's OSNet")


def test_all_faults_are_named_at_once(tmp_path, light_iids):
    state = dict(light_iids)
    del state["model.layer1.0.conv2.weight"]
    del state["model.layer3.1.bn2.running_var"]
    del state["classifier.1.weight"]
    state["model.layer5.weight"] = torch.zeros(2)
    state["bn_neck.weight"] = torch.zeros(2)
    state["model.conv1.weight"] = torch.zeros(64, 3, 3, 3)
    state["model.tnorm2.running_mean"] = torch.zeros(2, 5)
    state["model.layer4.0.bn1.bias"] = torch.full((512,), torch.nan)
    state["model.layer4.1.bn3.adaptive_weight"] = torch.ones(1)
    path = saved(tmp_path / "x.pth", state)
    lines = refused(path, ": 9 keys do not fit: is it really").splitlines()[1:]
    assert lines[0].startswith(
        "  layer4.1: its values of adaptive_weight must be one, got "
        "{'layer4.1.adaptive_weight': [0.0], 'layer4.1.bn1.adaptive_weight': [0.0], "
    )
    assert lines[1:] == [
        "  layer1.0.conv2.weight: missing",
        "  layer3.1.bn2.running_var: missing",
        "  classifier.1.weight: missing",
        "  model.conv1.weight: shape (64, 3, 3, 3), expected (64, 3, 7, 7)",
        "  model.tnorm2.running_mean: shape (2, 5), expected (2, 512)",
        "  model.layer4.0.bn1.bias: holds values that are not finite",
        "  model.layer5.weight: unexpected",
        "  bn_neck.weight: unexpected",
    ]


def test_faults_of_weights_alone(tmp_path):
    with torch.device("meta"):
        original = timm.create_model("convnext_tiny", num_classes=0)
    state = light(original)
    del state["stages.2.blocks.3.norm.weight"]
    state["stages.2.blocks.3.grn.weight"] = torch.zeros(2)
    state["stem.0.weight"] = torch.full((96, 3, 4, 4), torch.inf)
    lines = refused(
        saved(tmp_path / "x.pth", state), ": 3 keys do not fit"
    ).splitlines()
    assert lines[1:] == [
        "  stages.2.blocks.3.norm.weight: missing",
        "  stem.0.weight: holds values that are not finite",
        "  stages.2.blocks.3.grn.weight: unexpected",
    ]


def test_one_tensor_under_two_keys(tmp_path, light_iids):
    state = light_iids | {"layer1.0.conv1.weight": torch.zeros(2)}
    path = saved(tmp_path / "x.pth", state)
    refused(path, r": layer1\.0\.conv1\.weight: means the same tensor as model\.layer1")


@pytest.mark.parametrize("camids", [(0,), (0, 0), (0, -1), (0, 1, 2)])
def test_cameras_must_be_as_many_as_in_the_file(tmp_path, light_iids, camids):
    path = saved(tmp_path / "x.pth", light_iids)
    match = rf"--camids: the file is of 2 cameras, got \[{camids[0]}.*: name as many"
    refused(path, match, SMALL._replace(camids=camids))


def test_cameras_where_there_are_none(tmp_path):
    state = light(timm.create_model("resnet18"))
    path = saved(tmp_path / "x.pth", state)
    refused(path, "--camids: .* no cameras, got", SMALL._replace(camids=(1,)))


def test_styles_and_heads_of_unequal_cameras(tmp_path, light_iids):
    heads = light(torch.nn.ModuleList(head(2048, 3) for _ in range(3)))
    state = {k: v for k, v in light_iids.items() if k.startswith("model.")}
    state |= {f"classifier.{key}": value for key, value in heads.items()}
    path = saved(tmp_path / "x.pth", state)
    refused(path, r"styles and heads .* equally many cameras, got \[2, 3\]")


def test_an_image_size_that_cannot_be(tmp_path, light_iids):
    path = saved(tmp_path / "x.pth", light_iids)
    with pytest.raises(ParamsError, match=r"for images of \(0, 32\) pixels"):
        convert.convert(path, Hints(image_size=(0, 32)))


# The command


@pytest.fixture
def command(monkeypatch, tmp_path):
    monkeypatch.chdir(tmp_path)

    def run(*words):
        monkeypatch.setattr(sys, "argv", ["convert", *words])
        convert.main()

    return run


def test_the_command(command, tmp_path, capsys):
    saved(tmp_path / "in.pth", {"model": timm.create_model("resnet18").state_dict()})
    command("in.pth", "new/out.safetensors")
    assert capsys.readouterr().out == (
        "recognised: ResNet with the names of torchvision, resnet18 in timm\n"
        "used: 120 tensors\n"
        "left out (classifier, of no use here): fc.weight, fc.bias\n"
        "wrote: new/out.safetensors\n"
    )
    out = tmp_path / "new" / "out.safetensors"
    data = out.read_bytes()
    with pytest.raises(
        CheckpointError, match=r"new/out.safetensors: exists: .*--force"
    ):
        command("in.pth", "new/out.safetensors")
    out.write_bytes(b"kept")
    with pytest.raises(CheckpointError, match="no such file"):
        command("other.pth", "new/out.safetensors", "--force")
    assert out.read_bytes() == b"kept"
    command("in.pth", "new/out.safetensors", "--force")
    assert out.read_bytes() == data
    with pytest.raises(
        CheckpointError, match=r"must end in .safetensors, got 'out.pth'"
    ):
        command("in.pth", "out.pth")


def test_options_of_the_command(command, monkeypatch, tmp_path):
    asked = []

    def convert_none(source, hints):
        asked.append((str(source), hints))
        raise CheckpointError("enough")

    monkeypatch.setattr(convert, "convert", convert_none)
    with pytest.raises(CheckpointError, match="enough"):
        command("a", "b.safetensors")
    words = ["--camids", "1", "0", "--last-stride", "2", "--backbone", "x"]
    with pytest.raises(CheckpointError, match="enough"):
        command("a", "b.safetensors", "--image-size", "64", "32", *words)
    assert asked == [
        ("a", Hints((256, 128), None, None, None)),
        ("a", Hints((64, 32), (1, 0), "x", 2)),
    ]


def test_one_line_for_whoever_made_a_mistake(monkeypatch):
    monkeypatch.setattr(sys, "argv", ["convert", "none.pth", "o.safetensors"])
    with pytest.raises(SystemExit, match=r"^none\.pth: no such file: name the check"):
        runpy.run_path(convert.__file__, run_name="__main__")


def test_small_views_are_taken_and_large_ones_are_not(tmp_path):
    path = tmp_path / "x.pth"
    torch.save({"a": torch.ones(1).expand(1000)}, path)
    assert read_foreign(path).tensors["a"].tolist() == [1.0] * 1000
    torch.save({"a": torch.ones(1).expand(10**9)}, path)
    with pytest.raises(
        CheckpointError, match=r"a: a view of .* that repeats its values"
    ):
        read_foreign(path)


def test_compressed_files_are_refused_unread(tmp_path):
    with zipfile.ZipFile(tmp_path / "x.pth", "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("x/data.pkl", bytes(1000))
    with pytest.raises(
        CheckpointError, match="refused, because it is compressed, as to"
    ):
        read_foreign(tmp_path / "x.pth")


def test_a_network_without_stages_has_no_norms_of_theirs():
    assert module._aibn("vit_tiny_patch16_224", {}) == ("none", {})
    for name in ("tnorm1.running_mean", "blocks.0.adaptive_weight"):
        with pytest.raises(
            CheckpointError, match="vit_tiny_patch16_224 has not the four"
        ):
            module._aibn("vit_tiny_patch16_224", {name: torch.zeros(1)})
