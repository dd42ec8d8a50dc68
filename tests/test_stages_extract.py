"""The stage extract on a tiny dataset: what is stored, and for which images."""

from __future__ import annotations

import runpy
import sys
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from crosscam.data import images
from crosscam.files import read_npz
from crosscam.model.checkpoint import save_checkpoint
from crosscam.model.network import Architecture
from crosscam.room import RoomError
from stages import extract, split, unzip
from tests.tiny import tiny_network
from tests.zips import market_members, market_name, write_zip

SIZE = (32, 32)
PARAMS = """
archive: a.zip
split: {window: [0, 1], train_lists: [train]}
seed: 0
weights: none
model:
  backbone: test_convnext
  options: {}
  image_size: [64, 32]
  last_stride: 2
  pooling: gap
  neck: none
  aibn: none
  aibn_mix: 0.1
  tnorm: false
extract: {checkpoint: CHECKPOINT, restyle: true, shown_pids: 2}
compute:
  device: cpu
  threads: 1
  image_cache_gb: 1.0
  batch_size: 8
  precision: fp32
  compile: false
  processes: 1
"""


@pytest.fixture
def tables(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> dict[str, pd.DataFrame]:
    """Run the earlier stages in an empty folder; return query and gallery.

    The gallery has a person more than the query, as in DukeMTMC-reID.
    """
    monkeypatch.chdir(tmp_path)
    members = market_members("")
    for seed, camid in enumerate((0, 1)):
        name = f"bounding_box_test/{market_name(4, camid)}"
        members[name] = members[list(members)[seed]]
    write_zip(tmp_path / "a.zip", members)
    set_checkpoint("none")
    unzip.main()
    split.main()
    names = ("query", "gallery")
    return {name: pd.read_csv(f"data/split/{name}.csv") for name in names}


def set_checkpoint(name: str) -> None:
    Path("params.yaml").write_text(PARAMS.replace("CHECKPOINT", name))


def extracted() -> dict[str, np.ndarray]:
    extract.main()
    return read_npz(Path("data/features.npz"))


def test_both_subsets_show_the_identities_of_the_query(
    tables: dict[str, pd.DataFrame],
) -> None:
    arrays = extracted()
    parts = {"", "shown_", "untrained_"}
    assert arrays.keys() == {part + name for part in parts for name in tables}
    for name, table in tables.items():
        assert arrays[name].shape == (len(table), 64)
        shown = table["pid"].to_numpy()[arrays[f"shown_{name}"]]
        # Spread over the people of the gallery they would be 3 and 4.
        assert sorted({*shown.tolist()}) == [3, 5]


def test_the_untrained_network_sees_the_images_in_its_own_size(
    tables: dict[str, pd.DataFrame],
) -> None:
    untrained = extracted()
    set_checkpoint("small.safetensors")
    other = Architecture("test_convnext", {}, SIZE, 2, "gap", "none")
    save_checkpoint(Path("models/small.safetensors"), tiny_network(other), {})
    trained = extracted()
    for name in tables:
        rows = trained[f"shown_{name}"]
        assert np.array_equal(rows, untrained[f"shown_{name}"])
        same = trained[f"untrained_{name}"], untrained[f"untrained_{name}"]
        assert np.array_equal(*same)
        assert np.allclose(same[0], untrained[name][rows], atol=1e-6)
        assert not np.allclose(same[0], trained[name][rows], atol=1e-2)


def test_training_tables_are_not_needed(tables: dict[str, pd.DataFrame]) -> None:
    for name in ("train", "truth"):
        Path(f"data/split/{name}.csv").unlink()
    assert extracted()["query"].shape == (len(tables["query"]), 64)


@pytest.mark.usefixtures("tables")
def test_too_little_memory_is_told_without_a_traceback(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    def short(*_: object) -> None:
        raise RoomError("memory: needs 9.0 GB, got 1.0 GB")

    monkeypatch.setattr(images, "decode_all", short)
    monkeypatch.delitem(sys.modules, "stages.extract")
    with pytest.raises(SystemExit, match=r"^memory: needs 9\.0 GB, got 1\.0 GB$"):
        runpy.run_module("stages.extract", run_name="__main__", alter_sys=True)
