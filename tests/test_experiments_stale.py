"""Which stages of a clone are stale, by what `dvc status --json` says."""

from __future__ import annotations

import io
import json
from typing import Any

import pytest

from experiments import stale

MISSING = {"data/packed/images.bin": "deleted"}


@pytest.mark.parametrize(
    ("change", "expected"),
    [
        ("changed command", True),
        ({"changed outs": MISSING}, False),
        ({"changed deps": MISSING}, False),
        ({"changed deps": MISSING | {"stages/intra.py": "modified"}}, True),
        ({"changed deps": {"params.yaml": {"intra.lr": "modified"}}}, True),
        ({"changed deps": {"stages/intra.py": "new"}}, True),
    ],
)
def test_a_missing_file_makes_no_stage_stale(change: Any, expected: bool) -> None:
    assert stale.is_stale(change) is expected


def test_stages_are_listed(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    status = {
        "unzip": [{"changed deps": MISSING}, {"changed outs": MISSING}],
        "intra": [{"changed deps": MISSING}, "changed command"],
        "inter": [{"changed deps": {"models/intra.safetensors": "modified"}}],
    }
    monkeypatch.setattr("sys.stdin", io.StringIO(json.dumps(status)))
    stale.main()
    assert capsys.readouterr().out == "- `intra`\n- `inter`\n"
