"""A browser, and the pages of the committed run, made once."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from selenium import webdriver

from tests.browser.chromium import chromium, missing
from tests.repository import ROOT, unignored
from tests.test_pipeline import Clone


@pytest.fixture(scope="session", autouse=True)
def no_network() -> None:
    """Let the tests speak to the browser's driver; the browser has no network."""


@pytest.fixture(scope="session")
def browser(tmp_path_factory: pytest.TempPathFactory) -> Iterator[webdriver.Chrome]:
    """Return a browser; without one, fail."""
    if needed := missing():
        pytest.fail(needed, pytrace=False)
    with chromium(tmp_path_factory.mktemp("profile")) as driver:
        yield driver


@pytest.fixture(scope="session")
def clone(tmp_path_factory: pytest.TempPathFactory) -> Clone:
    """Return a committed copy of the repository, with the run's outputs in place."""
    folder = tmp_path_factory.mktemp("browser") / "clone"
    for path in unignored():
        (folder / path).parent.mkdir(parents=True, exist_ok=True)
        (folder / path).write_bytes((ROOT / path).read_bytes())
    made = Clone(folder)
    made.run("git", "init", "--quiet", "--initial-branch=main")
    made.run("git", "add", "--all", "--force", ".dvc-store")
    made.run("git", "add", "--all")
    made.run("git", "commit", "--quiet", "--message=run")
    made.dvc("pull", "--quiet")
    return made


@pytest.fixture(scope="session")
def report(clone: Clone) -> Path:
    """Return the report of the run."""
    clone.run("python", "-m", "experiments.report")
    return clone.folder / "reports/report.html"
