"""Draw docs/{report,phone,plots,compare}.png: python -m tests.browser.pictures main N.

Of the run in the workspace, which must be synthetic, and of two revisions. Prints the
report's size, and how long it takes to load.
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
from tests.browser.test_plots import LAPTOP, PHONE, opened

DOCS = Path("docs")
# Down to the best queries; down to the pictures, which the report shows as well.
LOADED = "return performance.getEntriesByType('navigation')[0].loadEventEnd"
ENDS = {"report": "h3:nth-of-type(2)", "plots": "section:has(.pictures)"}


def main(revisions: list[str]) -> None:
    """Run the command."""
    if needed := missing():
        raise SystemExit(needed)
    compare.main([*revisions, "--out", str(DOCS / "compare.png")])
    report.main([])
    subprocess.run(["dvc", "plots", "diff", *revisions], check=True)
    with tempfile.TemporaryDirectory() as profile, chromium(Path(profile)) as browser:
        made = Path("reports/report.html").resolve()
        for width, name in ((LAPTOP, "report"), (PHONE, "phone")):
            page = Page(browser, made, width)
            shoot(page, name, ENDS["report"])
            took = page.ask(LOADED)
            size = made.stat().st_size / 1e6
            sys.stdout.write(f"{size:.2f} MB, {width} pixels: {took:.0f} ms\n")
        page = opened(browser, Path("dvc_plots/index.html").resolve(), LAPTOP)
        shoot(page, "plots", ENDS["plots"])


def shoot(page: Page, name: str, end: str) -> None:
    """Write the top of a page, down to an element, as a picture of few colours."""
    driver: webdriver.Chrome = page.driver
    there = f"document.querySelector('{end}').getBoundingClientRect()"
    height = page.ask(f"return {there}.top - 12")
    clip = {"x": 0, "y": 0, "width": page.width, "height": height, "scale": 1}
    options = {"captureBeyondViewport": True, "clip": clip}
    shot = driver.execute_cdp_cmd("Page.captureScreenshot", options)
    write_bytes(DOCS / f"{name}.png", with_palette(base64.b64decode(shot["data"])))


if __name__ == "__main__":
    main(sys.argv[1:])
