"""A real browser without a window and without a network."""

from __future__ import annotations

import base64
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from selenium import webdriver
from selenium.webdriver.chrome.service import Service

BROWSERS = ("chromium", "chromium-browser", "google-chrome")  # as they are packaged
INSTALL = "apt-get install --no-install-recommends chromium chromium-driver"
SWITCHES = (
    "--headless=new",
    "--no-sandbox",  # it cannot be had as root, in a container
    "--disable-gpu",
    "--disable-quic",
    "--disable-dev-shm-usage",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--hide-scrollbars",
    "--host-resolver-rules=MAP * ~NOTFOUND",  # no name leads anywhere
)


def missing() -> str | None:
    """Return what to install, if the browser is not there."""
    absent = [] if browser() else ["chromium"]
    absent += [] if shutil.which("chromedriver") else ["chromedriver"]
    return f"{' and '.join(absent)}: not found: {INSTALL}" if absent else None


def browser() -> str | None:
    """Return the path of the first browser that is there."""
    return next(filter(None, map(shutil.which, BROWSERS)), None)


@contextmanager
def chromium(profile: Path) -> Iterator[webdriver.Chrome]:
    """Run a browser with a fresh profile in an empty folder."""
    options = webdriver.ChromeOptions()
    options.binary_location = str(browser())
    for switch in (*SWITCHES, f"--user-data-dir={profile}"):
        options.add_argument(switch)
    options.set_capability("goog:loggingPrefs", {"browser": "ALL"})
    driver = webdriver.Chrome(options, Service(shutil.which("chromedriver")))
    try:
        yield driver
    finally:
        driver.quit()


class Page:
    """A page of a file, in a window of a given width."""

    def __init__(self, driver: webdriver.Chrome, path: Path, width: int) -> None:
        """Open the file; it is loaded, with its pictures, when this returns."""
        self.driver, self.width = driver, width
        window = {"width": width, "height": 900, "deviceScaleFactor": 1}
        window["mobile"] = width < 600
        driver.execute_cdp_cmd("Emulation.setDeviceMetricsOverride", window)
        driver.execute_cdp_cmd("Emulation.setEmulatedMedia", {"media": "screen"})
        driver.get_log("browser")  # what an earlier page has left
        driver.get(path.as_uri())

    def ask(self, script: str) -> Any:
        """Return what a script returns."""
        return self.driver.execute_script(script)

    def print_layout(self) -> None:
        """Lay the page out as on paper, of the width of A4 less its margins."""
        self.driver.execute_cdp_cmd("Emulation.setEmulatedMedia", {"media": "print"})

    def printed(self) -> bytes:
        """Return the page as a PDF, on the paper that its own style asks for."""
        self.driver.execute_cdp_cmd("Emulation.setEmulatedMedia", {"media": ""})
        options = {"preferCSSPageSize": True, "printBackground": True}
        made = self.driver.execute_cdp_cmd("Page.printToPDF", options)
        return base64.b64decode(made["data"], validate=True)

    def errors(self) -> list[str]:
        """Return the errors in the console since the page was opened."""
        log = self.driver.get_log("browser")
        return [entry["message"] for entry in log if entry["level"] == "SEVERE"]

    def overflow(self) -> int:
        """Return by how many pixels the page is wider than the window."""
        wide = self.ask("return document.documentElement.scrollWidth")
        return max(0, wide - self.width)

    def broken_images(self) -> list[str]:
        """Return the images that did not load."""
        return self.ask(
            "return [...document.images].filter((i) => !i.naturalWidth)"
            ".map((i) => i.alt || i.src)"
        )

    def headings(self) -> list[str]:
        """Return the text of all headings of the first two levels."""
        return self.ask(
            "return [...document.querySelectorAll('h1, h2')].map((h) => h.textContent)"
        )
