"""Networks under the names, and with the sums, of the programs they come from.

Written from the formulas and the names of the state dicts, to be read, not to be fast.
Evaluation only.
"""

from __future__ import annotations

import torch
import torch.nn.functional as F  # noqa: N812 (torch's own convention)
from torch import nn


class OriginalAIBN(nn.Module):
    """y = weight (x - m) / sqrt(v + 1e-5) + bias, with mixed statistics m and v."""

    def __init__(self, size, mix=None):
        super().__init__()
        self.weight = nn.Parameter(torch.ones(size))
        self.bias = nn.Parameter(torch.zeros(size))
        self.adaptive_weight = nn.Parameter(torch.ones(1) * 0.1) if mix is None else mix
        self.register_buffer("running_mean", torch.zeros(size))
        self.register_buffer("running_var", torch.ones(size))

    def forward(self, x):
        share = self.adaptive_weight.clamp(0, 1)[0]
        own_mean = x.mean((2, 3), keepdim=True)
        own_var = x.flatten(2).var(2)[:, :, None, None]  # unbiased
        mean = (1 - share) * own_mean + share * channels(self.running_mean)
        var = (1 - share) * own_var + share * channels(self.running_var)
        normed = (x - mean) / (var + 1e-5).sqrt()
        return normed * channels(self.weight) + channels(self.bias)


class OriginalTNorm(nn.Module):
    def __init__(self, size, num_cameras):
        super().__init__()
        self.register_buffer("running_mean", torch.zeros(num_cameras, size))
        self.register_buffer("running_var", torch.ones(num_cameras, size))
        self.register_buffer("num_batches_tracked", torch.zeros(num_cameras).long())

    def forward(self, x, sources, target):
        """Give each image, of camera sources[i], the style of camera `target`."""
        images = []
        for image, source in zip(x, sources, strict=True):
            mean, var = self.running_mean[source], self.running_var[source]
            plain = (image[None] - channels(mean)) / (channels(var) + 1e-5).sqrt()
            mean, var = self.running_mean[target], self.running_var[target]
            images.append(plain * (channels(var) + 1e-5).sqrt() + channels(mean))
        return torch.cat(images)


def channels(values):
    return values[None, :, None, None]


class Bottleneck(nn.Module):
    def __init__(self, inside, size, stride, aibn):
        super().__init__()
        if aibn:
            self.adaptive_weight = nn.Parameter(torch.ones(1) * 0.1)
        norm = (
            (lambda n: OriginalAIBN(n, self.adaptive_weight))
            if aibn
            else nn.BatchNorm2d
        )
        self.conv1 = nn.Conv2d(inside, size, 1, bias=False)
        self.bn1 = norm(size)
        self.conv2 = nn.Conv2d(size, size, 3, stride, 1, bias=False)
        self.bn2 = norm(size)
        self.conv3 = nn.Conv2d(size, 4 * size, 1, bias=False)
        self.bn3 = norm(4 * size)
        self.downsample = None
        if inside != 4 * size:
            shortcut = nn.Conv2d(inside, 4 * size, 1, stride, bias=False)
            self.downsample = nn.Sequential(shortcut, norm(4 * size))

    def forward(self, x):
        y = F.relu(self.bn1(self.conv1(x)))
        y = F.relu(self.bn2(self.conv2(y)))
        y = self.bn3(self.conv3(y))
        return F.relu(y + (self.downsample(x) if self.downsample else x))


class OriginalResNet(nn.Module):
    """ResNet-50 with AIBN in layers 3 and 4 and, of IIDS, styles after 1, 2 and 3."""

    def __init__(self, num_cameras=0):
        super().__init__()
        self.conv1 = nn.Conv2d(3, 64, 7, 2, 3, bias=False)
        self.bn1 = nn.BatchNorm2d(64)
        sizes = (64, 64, 3, 1), (256, 128, 4, 2), (512, 256, 6, 2), (1024, 512, 3, 1)
        for number, (inside, size, depth, stride) in enumerate(sizes, start=1):
            blocks = [Bottleneck(inside, size, stride, number > 2)]
            blocks += [
                Bottleneck(4 * size, size, 1, number > 2) for _ in range(1, depth)
            ]
            self.add_module(f"layer{number}", nn.Sequential(*blocks))
            if num_cameras and number < 4:
                self.add_module(f"tnorm{number}", OriginalTNorm(4 * size, num_cameras))

    def forward(self, x, sources=None, target=None):
        x = F.max_pool2d(F.relu(self.bn1(self.conv1(x))), 3, 2, 1)
        for number in (1, 2, 3, 4):
            x = self.get_submodule(f"layer{number}")(x)
            if sources is not None and number < 4:
                x = self.get_submodule(f"tnorm{number}")(x, sources, target)
        return x.mean((2, 3))


class MapNorm(nn.Module):
    """Layer normalisation of each position over its channels."""

    def __init__(self, size):
        super().__init__()
        self.weight = nn.Parameter(torch.ones(size))
        self.bias = nn.Parameter(torch.zeros(size))

    def forward(self, x):
        mean = x.mean(1, keepdim=True)
        var = (x - mean).square().mean(1, keepdim=True)
        normed = (x - mean) / (var + 1e-6).sqrt()
        return normed * channels(self.weight) + channels(self.bias)


class ConvNeXtBlock(nn.Module):
    def __init__(self, size, aibn):
        super().__init__()
        self.gamma = nn.Parameter(torch.ones(size))
        self.dwconv = nn.Conv2d(size, size, 7, padding=3, groups=size)
        if aibn:
            self.adaptive_weight = nn.Parameter(torch.ones(1) * 0.1)
            self.aibnNorm = OriginalAIBN(size, self.adaptive_weight)
        else:
            self.norm = MapNorm(size)
        self.pwconv1 = nn.Linear(size, 4 * size)
        self.pwconv2 = nn.Linear(4 * size, size)

    def forward(self, x):
        y = self.dwconv(x)
        y = self.aibnNorm(y) if hasattr(self, "aibnNorm") else self.norm(y)
        y = self.pwconv2(F.gelu(self.pwconv1(y.permute(0, 2, 3, 1))))
        return x + (self.gamma * y).permute(0, 3, 1, 2)


class OriginalConvNeXt(nn.Module):
    """ConvNeXt-Tiny whose norms but the last are AIBN from a stage on.

    Parameters
    ----------
    aibn_from
        0: stem and all stages; 2: stages 3 and 4 (from 1); 4: none.
    num_cameras
        With styles after stages 1, 2 and 3, unless 0.
    """

    def __init__(self, aibn_from, num_cameras=0):
        super().__init__()
        sizes, depths = (96, 192, 384, 768), (3, 3, 9, 3)
        norm = [OriginalAIBN if i >= aibn_from else MapNorm for i in range(4)]
        stem = nn.Sequential(nn.Conv2d(3, 96, 4, 4), norm[0](96))
        self.downsample_layers = nn.ModuleList([stem])
        for i in (1, 2, 3):
            halve = nn.Conv2d(sizes[i - 1], sizes[i], 2, 2)
            self.downsample_layers.append(nn.Sequential(norm[i](sizes[i - 1]), halve))
        self.stages = nn.ModuleList(
            nn.Sequential(
                *(ConvNeXtBlock(sizes[i], i >= aibn_from) for _ in range(depths[i]))
            )
            for i in range(4)
        )
        self.norm = nn.LayerNorm(768, eps=1e-6)
        for number in (1, 2, 3) if num_cameras else ():
            self.add_module(
                f"tnorm{number}", OriginalTNorm(sizes[number - 1], num_cameras)
            )

    def forward(self, x, sources=None, target=None):
        pairs = zip(self.downsample_layers, self.stages, strict=True)
        for number, (halve, stage) in enumerate(pairs, start=1):
            x = stage(halve(x))
            if sources is not None and number < 4:
                x = self.get_submodule(f"tnorm{number}")(x, sources, target)
        return self.norm(x.mean((2, 3)))


class OriginalReid(nn.Module):
    """A backbone with a head per camera (a list of sizes) or one over all (a size)."""

    def __init__(self, backbone, feature_size, num_classes):
        super().__init__()
        self.model = backbone
        if isinstance(num_classes, int):
            self.classifier = head(feature_size, num_classes)
        else:
            self.classifier = nn.ModuleList(head(feature_size, n) for n in num_classes)


def head(feature_size, num_classes):
    linear = nn.Linear(feature_size, num_classes, bias=False)
    return nn.Sequential(nn.BatchNorm1d(feature_size), linear)


def shaken(module, seed=0):
    """Give every weight and statistic a value of its own, as training would."""
    generator = torch.Generator().manual_seed(seed)
    for name, value in module.state_dict().items():
        if not value.is_floating_point():
            value.fill_(7)
        elif value.ndim > 1 and "running" not in name:
            value.normal_(0, value[0].numel() ** -0.5, generator=generator)
        elif name.endswith(("running_mean", "bias")):
            value.normal_(0, 0.2, generator=generator)
        elif name.endswith("adaptive_weight"):
            value.uniform_(0.05, 0.6, generator=generator)
        else:  # scales and variances
            value.uniform_(0.5, 1.5, generator=generator)
    return module.eval()
