"""A browser without a window, for tests that click."""

from __future__ import annotations

import contextlib
import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest
from selenium import webdriver

_FLAGS = (
    *("--headless", "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run", "--disable-background-networking"),
    *("--disable-component-update", "--disable-sync", "--hide-scrollbars", "--force-device-scale-factor=1", "--lang=en"),
)


def _found(*names: str) -> str:
    for name in names:
        if path := shutil.which(name):
            return path
    pytest.fail(f"there is no {names[0]} on the path; tools/bootstrap test installs it")


@contextlib.contextmanager
def browser_in(folder: Path) -> Iterator[webdriver.Chrome]:
    """Headless Chromium with a fresh profile in a folder."""
    options = webdriver.ChromeOptions()
    options.binary_location = _found("chromium", "chromium-browser", "google-chrome")
    for flag in (*_FLAGS, f"--user-data-dir={folder}"):
        options.add_argument(flag)
    options.set_capability("goog:loggingPrefs", {"browser": "ALL", "performance": "ALL"})
    driver = webdriver.Chrome(options, webdriver.ChromeService(_found("chromedriver", "chromium-driver")))
    try:
        yield driver
    finally:
        driver.quit()
