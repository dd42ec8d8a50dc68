"""What this machine runs with."""

from __future__ import annotations

import platform
from importlib.metadata import version

import torch

from crosscam.train.devices import ComputeParams, start_device
from experiments.revisions import state

PACKAGES = ("torch", "torchvision", "timm", "numpy", "scikit-learn", "dvc")
NUM_LISTED = 12


def environment(compute: ComputeParams) -> dict[str, str]:
    """Return versions, device and commit, by name."""
    device = start_device(compute)
    gpu = torch.cuda.get_device_name(device) if device.type == "cuda" else ""
    checked_out = state()
    changed = checked_out.changed
    listed = ", ".join(changed[:NUM_LISTED]) + ", …" * (len(changed) > NUM_LISTED)
    return {
        "commit": f"{checked_out.commit} ({checked_out.date})",
        "workspace": f"changed since: {listed}" if changed else "clean, as committed",
        "python": platform.python_version(),
        **{name: version(name) for name in PACKAGES},
        "device": f"{device.type} {gpu}".strip(),
        "threads": str(compute.threads),
        "processes": str(compute.processes),
        "system": f"{platform.system()} {platform.machine()}",
    }
