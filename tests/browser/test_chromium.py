from __future__ import annotations

import shutil

from tests.browser.chromium import missing


def test_a_missing_browser_is_a_failure_that_says_what_to_install(monkeypatch):
    assert missing() is None
    monkeypatch.setattr(shutil, "which", lambda name: None)
    assert missing() == (
        "chromium and chromedriver: not found: "
        "apt-get install --no-install-recommends chromium chromium-driver"
    )
