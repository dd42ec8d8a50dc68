"""What this machine runs with; nothing is started for it."""

from __future__ import annotations

import platform
from importlib.metadata import version

import torch

from crosscam.params import ParamsError
from crosscam.train.devices import ComputeParams, chosen_device
from experiments.revisions import state

PACKAGES = ("torch", "torchvision", "timm", "numpy", "scikit-learn", "dvc")
NUM_LISTED = 12


def environment(compute: ComputeParams) -> dict[str, str]:
    """Return versions, device and commit, by name."""
    checked_out = state()
    changed = checked_out.changed
    listed = ", ".join(changed[:NUM_LISTED]) + ", …" * (len(changed) > NUM_LISTED)
    return {
        "commit": f"{checked_out.commit} ({checked_out.date})",
        "workspace": f"changed since: {listed}" if changed else "clean, as committed",
        "python": platform.python_version(),
        **{name: version(name) for name in PACKAGES},
        "device": device_here(compute),
        "threads": str(compute.threads),
        "processes": str(compute.processes),
        "system": f"{platform.system()} {platform.machine()}",
    }


def device_here(compute: ComputeParams) -> str:
    """Return the device that a run would be on here, or that there is none."""
    try:
        device = chosen_device(compute.device)
    except ParamsError:  # the run was made elsewhere
        return f"{compute.device}, which this machine has not"
    gpu = torch.cuda.get_device_name(device) if device.type == "cuda" else ""
    return f"{device.type} {gpu}".strip()
