"""Draw docs/{report,plots,compare}.png: python -m tests.browser.pictures main NAME.

Of the run in the workspace, which must be synthetic, and of two revisions.
"""

from __future__ import annotations

import base64
import subprocess
import sys
import tempfile
from pathlib import Path

from selenium import webdriver

from crosscam.draw.style import with_palette
from crosscam.files import write_bytes
from experiments import compare, report
from tests.browser.chromium import Page, chromium, missing
from tests.browser.test_plots import LAPTOP, opened

DOCS = Path("docs")
# Down to the best queries; down to the pictures, which the report shows as well.
ENDS = {"report": "h3:nth-of-type(2)", "plots": "section:has(.pictures)"}


def main(revisions: list[str]) -> None:
    """Run the command."""
    if needed := missing():
        raise SystemExit(needed)
    compare.main([*revisions, "--out", str(DOCS / "compare.png")])
    report.main([])
    subprocess.run(["dvc", "plots", "diff", *revisions], check=True)
    with tempfile.TemporaryDirectory() as profile, chromium(Path(profile)) as browser:
        shoot(Page(browser, Path("reports/report.html").resolve(), LAPTOP), "report")
        shoot(opened(browser, Path("dvc_plots/index.html").resolve(), LAPTOP), "plots")


def shoot(page: Page, name: str) -> None:
    """Write the top of a page as a picture of few colours."""
    driver: webdriver.Chrome = page.driver
    end = f"document.querySelector('{ENDS[name]}').getBoundingClientRect()"
    height = page.ask(f"return {end}.top - 12")
    clip = {"x": 0, "y": 0, "width": LAPTOP, "height": height, "scale": 1}
    options = {"captureBeyondViewport": True, "clip": clip}
    shot = driver.execute_cdp_cmd("Page.captureScreenshot", options)
    write_bytes(DOCS / f"{name}.png", with_palette(base64.b64decode(shot["data"])))


if __name__ == "__main__":
    main(sys.argv[1:])
