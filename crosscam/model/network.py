"""The network whose features are compared: a timm backbone, pooling and a neck."""

from __future__ import annotations

import difflib
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Annotated, Any, Literal

import timm
import torch
import torch.nn.functional as F  # noqa: N812 (torch's own convention)
from torch import Tensor, nn

from crosscam.model.aibn import replace_norms
from crosscam.model.narrow import spare_narrow
from crosscam.model.stages import norms_between, stage_ends, stage_info
from crosscam.model.surgery import pool, unstride
from crosscam.model.tnorm import CameraStyles
from crosscam.model.trim import trim
from crosscam.model.whole_batch import see_whole_batch
from crosscam.params import Fraction, ParamsError, Within

Side = Annotated[int, Within(1, 2048)]  # pixels; one image of 2,048² takes a GB already
Option = str | int | float | bool | tuple[int, ...]
Precision = Literal["fp32", "bf16"]

# Arguments of timm.create_model that would load weights past all checks of ours.
LOADING = {
    "pretrained",
    "pretrained_cfg",
    "pretrained_cfg_overlay",
    "checkpoint_path",
    "cache_dir",
}


@dataclass(frozen=True)
class Architecture:
    """What has to be known to rebuild a network, its weights apart.

    Parameters
    ----------
    backbone
        Name of a timm model.
    options
        Further arguments of ``timm.create_model``, such as ``drop_path_rate``.
    image_size
        Height and width of the input, pixels.
    last_stride
        Stride of the last downsampling; 1 doubles the height and width of the last
        feature map, as is usual in re-identification (Luo et al., 2019). In ConvNeXt,
        whose 2 × 2 kernels have no padding, one row and column less than double.
    pooling
        ``gap`` keeps the model's own (average) pooling, ``gem`` puts generalised mean
        pooling in its place.
    neck
        Where a batch normalisation without shift stands: ``head``, in each classifier,
        features being taken before it (IICS); ``feature``, in the network, features
        being taken after it (Cluster Contrast); ``none``.
    aibn
        Which of the backbone's norms adaptive instance and batch normalisation
        replaces: ``deep``, those of stages 3 and 4 (IICS); ``all``, but for a norm
        behind the last stage; ``none``.
    aibn_mix
        Share of the batch statistics at the start.
    tnorm
        Whether the styles of the cameras are known after stages 1, 2 and 3 (IIDS).
    """

    backbone: str
    options: dict[str, Option]
    image_size: tuple[Side, Side]
    last_stride: Literal[1, 2]
    pooling: Literal["gap", "gem"]
    neck: Literal["none", "head", "feature"]
    aibn: Literal["none", "deep", "all"] = "none"
    aibn_mix: Fraction = 0.1
    tnorm: bool = False

    def __post_init__(self) -> None:
        """Check that timm knows the backbone, and that options load nothing."""
        if loading := sorted(LOADING & set(self.options)):
            raise ValueError(
                f"options: must not load weights, got {loading}: name them in `weights`"
            )
        if not timm.is_model(self.backbone):
            known = timm.list_models()
            near = difflib.get_close_matches(self.backbone, known, n=5)
            raise ValueError(
                f"backbone: timm {timm.__version__} has no such model, got "
                f"{self.backbone!r}: some it has are {near or known[:5]}"
            )


class Network(nn.Module):
    """Images to features.

    Parameters
    ----------
    architecture
        What to build; the weights are random, drawn from torch's global generator.
    camids
        Cameras whose styles the network learns, ascending; not looked at without
        `Architecture.tnorm`.

    Attributes
    ----------
    styles
        Of the cameras, or None.
    mean, std
        Of the pixel values in [0, 1], per channel, that the backbone expects.
    feature_size
        Length of a feature vector.
    precision
        Of the arithmetic up to the last feature maps: ``fp32``, or ``bf16`` by
        autocast, with about 3 significant digits; statistics of AIBN and of camera
        styles, pooling, neck and features are float32 all the same.

    Raises
    ------
    ParamsError
        If timm cannot build the backbone with these options, the backbone cannot take
        images of this size, or has not the layers that `last_stride`, `pooling`, `aibn`
        or `tnorm` would change, and as `see_whole_batch`.
    """

    def __init__(self, architecture: Architecture, camids: Sequence[int] = ()) -> None:
        super().__init__()
        self.architecture = architecture
        self.precision: Precision = "fp32"
        self.backbone = _backbone(architecture)
        with _explained(architecture):
            self.feature_size = _feature_size(self.backbone, architecture.image_size)
        config = self.backbone.pretrained_cfg
        self.mean: tuple[float, ...] = tuple(config["mean"])
        self.std: tuple[float, ...] = tuple(config["std"])
        self.neck: nn.Module = nn.Identity()
        if architecture.neck == "feature":
            self.neck = ShiftlessNorm(self.feature_size)
        see_whole_batch(self, architecture.backbone, ShiftlessNorm)
        self.styles = self._camera_styles(camids) if architecture.tnorm else None
        # 424 images/s against 237 on one core for convnext_zepto_rms at 64 × 32.
        self.to(memory_format=torch.channels_last)

    def _camera_styles(self, camids: Sequence[int]) -> CameraStyles:
        names = stage_ends(self.backbone, self.architecture.backbone)[:3]
        stages = [self.backbone.get_submodule(name) for name in names]
        with _explained(self.architecture):
            sizes = _num_channels(self.backbone, stages, self.architecture.image_size)
        styles = CameraStyles(sizes, camids)
        styles.attach(stages)
        return styles

    def forward(self, images: Tensor) -> Tensor:
        """Return raw (not L2-normalised) features.

        Parameters
        ----------
        images
            Normalised images, (num_images, 3, height, width), float32.

        Returns
        -------
        Tensor
            (num_images, feature_size); within ``styles.all_targets`` as many times
            num_images as there are cameras.
        """
        images = images.contiguous(memory_format=torch.channels_last)
        if self.precision == "fp32":
            pooled = self.backbone(images)
        else:
            with torch.autocast(images.device.type, torch.bfloat16):
                maps = self.backbone.forward_features(images)
            # Not in bf16 either: it would round the mean over all positions.
            pooled = self.backbone.forward_head(maps.float())
        features: Tensor = self.neck(pooled)
        return features


class ShiftlessNorm(nn.BatchNorm1d):
    """The BNNeck of Luo et al. (2019): batch normalisation whose shift stays 0.

    A single row, which has no variance, is normalised by the running statistics: a
    small camera can have one image in a batch.
    """

    def __init__(self, size: int) -> None:
        super().__init__(size)
        self.bias.requires_grad_(False)

    def forward(self, features: Tensor) -> Tensor:
        """Return normalised features, (num_images, size)."""
        if self.training and len(features) > 1:
            return super().forward(features)
        return F.batch_norm(
            features,
            self.running_mean,
            self.running_var,
            self.weight,
            self.bias,
            eps=self.eps,
        )


def timm_options(architecture: Architecture) -> dict[str, Any]:
    """Return the arguments of ``timm.create_model``: options, and an image size.

    The size is given to transformers with fixed position embeddings alone; others take
    any size and do not know the argument.
    """
    options: dict[str, Any] = dict(architecture.options)
    config = timm.get_pretrained_cfg(architecture.backbone)
    if config is not None and config.fixed_input_size:
        options["img_size"] = tuple(architecture.image_size)
    return options


@contextmanager
def _explained(architecture: Architecture) -> Iterator[None]:
    """Turn whatever timm and torch raise on unfit parameters into one clear error."""
    try:
        yield
    except (AssertionError, KeyError, RuntimeError, TypeError, ValueError) as error:
        raise ParamsError(
            f"model: {architecture.backbone} cannot be built with options "
            f"{architecture.options} for images of {architecture.image_size} pixels, "
            f"got {type(error).__name__}: {error}: change one of these"
        ) from error


def _backbone(architecture: Architecture) -> Any:
    with _explained(architecture):
        model = timm.create_model(
            architecture.backbone, num_classes=0, **timm_options(architecture)
        )
    if architecture.last_stride == 1:
        unstride(model, architecture.backbone)
    if architecture.pooling == "gem":
        pool(model, architecture.backbone)
    if architecture.aibn != "none":
        ends = stage_ends(model, architecture.backbone)
        after = ends[1] if architecture.aibn == "deep" else None
        blocks = norms_between(model, after, ends[-1])
        if not blocks:
            raise ParamsError(
                f"model.aibn: {architecture.backbone} has no batch or layer norm to "
                f"replace, got {architecture.aibn!r}: set it to none"
            )
        replace_norms(model, blocks, architecture.aibn_mix)
    trim(model)
    spare_narrow(model)
    return model


def _num_channels(
    backbone: nn.Module, stages: Sequence[nn.Module], image_size: tuple[int, int]
) -> list[int]:
    """Return the number of channels that each stage puts out, found by a pass."""
    shapes: list[tuple[int, ...]] = []

    def note(*passed: Any) -> None:
        shapes.append(tuple(getattr(passed[-1], "shape", ())))

    hooks = [stage.register_forward_hook(note) for stage in stages]
    _feature_size(backbone, image_size)
    for hook in hooks:
        hook.remove()
    # Swin and its like put their channels last.
    channels = {module["num_chs"] for module in stage_info(backbone)}
    fit = [len(shape) == 4 and shape[1] in channels for shape in shapes]
    if not all(fit) or len(fit) != len(stages):
        raise ValueError(f"tnorm needs maps of (image, channel, y, x), got {shapes}")
    return [shape[1] for shape in shapes]


def _feature_size(backbone: nn.Module, image_size: tuple[int, int]) -> int:
    """Return the feature size, found by a pass, as timm's own count can differ."""
    training = backbone.training
    with torch.no_grad():
        output = backbone.eval()(torch.zeros(1, 3, *image_size))
    backbone.train(training)
    if not isinstance(output, Tensor) or output.ndim != 2:
        shape = getattr(output, "shape", None)
        found = f"shape {tuple(shape)}" if shape else f"a {type(output).__name__}"
        raise ValueError(f"must give one vector per image, got {found}")
    return output.shape[1]
