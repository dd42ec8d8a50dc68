"""Every bad input is refused, says so clearly, and changes nothing.

``python -m tests.hostile`` writes tests/golden/hostile.md, the page of all texts.
"""

from __future__ import annotations

import os
import resource
import subprocess
import sys
from pathlib import Path

import pytest

from tests.hostile.accepted import ACCEPTED
from tests.hostile.archives import ESCAPE
from tests.hostile.case import Builder, Case
from tests.hostile.corpus import CORPUS
from tests.hostile.page import PAGE, page, state_section
from tests.hostile.states import RUN, STATES, sound, taken_up
from tests.hostile.workspace import (
    ROOT,
    make_template,
    outcome,
    snapshot,
    spoiled,
)
from tests.tiny import state_bytes, tiny_network

# What each case was told, as far as the tests have come, and of each state.
texts: dict[Case, str] = {}
states: dict[Builder, str] = {}

# A few of them as a user runs them, in a process of its own.
PROGRAMS = {
    "climbing path": 1,
    "bomb of all members": 1,
    "giant dimensions": 1,
    "billion laughs": 1,
    "code in a checkpoint": 12,
}  # to the memory that it may ask for, 10^9 bytes; torch maps 9 of them


@pytest.fixture(scope="module")
def template(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a workspace in which every stage has run."""
    folder = tmp_path_factory.mktemp("template")
    make_template(folder)
    return folder


def case_id(case: Case) -> str:
    return f"{case.family}: {case.name}"


@pytest.mark.parametrize("case", CORPUS, ids=case_id)
def test_bad_input_is_refused_and_leaves_no_trace(
    case: Case, template: Path, tmp_path: Path
) -> None:
    folder = spoiled(template, tmp_path, case.build)
    before = snapshot(tmp_path)
    text = outcome(folder, case.command)
    assert snapshot(tmp_path) == before
    assert not Path(ESCAPE).exists()
    assert text is not None, "was taken"
    assert_clear(text)
    texts[case] = text
    section = f"**{case.name}**: {case.about} `python -m {' '.join(case.command)}`"
    assert f"{section}\n\n```\n{text}\n```\n" in PAGE.read_text()


def assert_clear(text: str) -> None:
    """Say that a text fits on a screen and holds nothing but text."""
    lines = text.splitlines()
    assert 1 <= len(lines) <= 22
    assert len(lines[0]) > 20
    assert all(
        line.isprintable() and line.strip() and len(line) <= 720 for line in lines
    )
    assert "Traceback" not in text


@pytest.mark.parametrize("build", STATES, ids=lambda f: f.__name__)
def test_a_state_that_is_not_to_be_used_is_put_aside(
    build: Builder, tmp_path: Path
) -> None:
    parent = tmp_path / "workspace"
    text, progress = taken_up(parent, build)
    assert progress.rounds == []  # from the start
    assert state_bytes(progress.network) == state_bytes(tiny_network())
    file = tmp_path / "again" / Path(RUN).name / "state.safetensors"
    file.parent.mkdir(parents=True)
    file.write_bytes(sound())
    build(file)
    assert list(snapshot(parent)) == [".runs", RUN, f"{RUN}.state.unusable"]
    assert (parent / f"{RUN}.state.unusable").read_bytes() == file.read_bytes()
    assert_clear(text)
    states[build] = text
    assert state_section(build, text) in PAGE.read_text()


def test_the_page_is_whole() -> None:
    # All of them have run in this process.
    if len(texts) == len(CORPUS) and len(states) == len(STATES):
        assert PAGE.read_text() == page(texts, states)
    assert len({case_id(case) for case in CORPUS}) == len(CORPUS) >= 60


@pytest.mark.parametrize(("name", "memory"), PROGRAMS.items(), ids=PROGRAMS)
def test_a_program_that_refuses_ends_with_status_1(
    name: str, memory: int, template: Path, tmp_path: Path
) -> None:
    (case,) = (case for case in CORPUS if case.name == name)
    folder = spoiled(template, tmp_path, case.build)
    before = snapshot(tmp_path)
    done = subprocess.run(
        [sys.executable, "-m", *case.command],
        cwd=folder,
        env={**os.environ, "PYTHONPATH": str(ROOT), "PYTHONDONTWRITEBYTECODE": "1"},
        preexec_fn=lambda: limit_memory(memory * 10**9),
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 1
    said = done.stderr.strip()
    assert f"\n\n```\n{said}\n```\n" in PAGE.read_text()
    assert snapshot(tmp_path) == before


def limit_memory(size: int) -> None:
    resource.setrlimit(resource.RLIMIT_AS, (size, size))


@pytest.mark.parametrize(("build", "check"), ACCEPTED, ids=lambda f: f.__name__)
def test_odd_input_is_taken_with_a_known_result(
    build: Builder, check: Builder, template: Path, tmp_path: Path
) -> None:
    folder = spoiled(template, tmp_path, build)
    outside = {p: v for p, v in snapshot(tmp_path).items() if p.startswith("canary")}
    assert outcome(folder, ["stages.unzip"]) is None
    check(folder)
    after = {p: v for p, v in snapshot(tmp_path).items() if p.startswith("canary")}
    assert after == outside
    assert not [p for p in snapshot(tmp_path) if p.endswith(".tmp")]
