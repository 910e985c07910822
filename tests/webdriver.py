"""A real browser without a window, for tests of pages: what it logs, and what it fetches."""

from __future__ import annotations

import base64
import contextlib
import json
import os
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from selenium import webdriver
from selenium.webdriver.chrome.service import Service

NO_BROWSER = "no browser: apt-get install chromium chromium-driver"
TIMEOUT_S = 120  # a loaded machine


@contextlib.contextmanager
def browser(width: int = 1400, height: int = 1500) -> Iterator[webdriver.Chrome]:
    """Chromium with its log of console and network; the test is skipped where there is none."""
    program = shutil.which("chromium") or shutil.which("chromium-browser")
    driver = shutil.which("chromedriver")
    if program is None or driver is None:
        pytest.skip(NO_BROWSER)
    options = webdriver.ChromeOptions()
    options.binary_location = program
    for argument in (
        "--headless=new", "--disable-gpu", "--disable-dev-shm-usage", "--hide-scrollbars",
        f"--window-size={width},{height}", "--disable-background-networking",
    ):
        options.add_argument(argument)
    if os.geteuid() == 0:
        options.add_argument("--no-sandbox")  # as root the sandbox refuses to start
    options.set_capability("goog:loggingPrefs", {"browser": "ALL", "performance": "ALL"})
    chrome = webdriver.Chrome(options, Service(driver))
    try:
        chrome.set_page_load_timeout(TIMEOUT_S)
        chrome.set_script_timeout(TIMEOUT_S)
        yield chrome
    finally:
        chrome.quit()


def requests(chrome: webdriver.Chrome) -> list[str]:
    """The addresses that were asked for since the last call."""
    found = []
    for line in chrome.get_log("performance"):
        message: dict[str, Any] = json.loads(line["message"])["message"]
        if message["method"] == "Network.requestWillBeSent":
            found.append(message["params"]["request"]["url"])
    return found


def complaints(chrome: webdriver.Chrome) -> list[str]:
    """What the console says."""
    return [line["message"] for line in chrome.get_log("browser")]


def colours(png: Path | bytes) -> int:
    """How many different colours a picture has, of a PNG with 8 bits a channel."""
    import struct
    import zlib

    data = png if isinstance(png, bytes) else png.read_bytes()
    at, pixels, width, channels = 8, b"", 0, 3
    while at < len(data):
        (size,) = struct.unpack_from(">I", data, at)
        kind, body = data[at + 4 : at + 8], data[at + 8 : at + 8 + size]
        if kind == b"IHDR":
            width, channels = struct.unpack(">I", body[:4])[0], 4 if body[9] == 6 else 3
        pixels += body if kind == b"IDAT" else b""
        at += 12 + size
    rows = zlib.decompress(pixels)
    line = 1 + width * channels
    return len({rows[at + 1 : at + line] for at in range(0, len(rows), line)})


def printed(chrome: webdriver.Chrome, page: Path) -> bytes:
    """The PDF that its print dialogue would make."""
    chrome.get(page.as_uri())
    told = chrome.execute_cdp_cmd("Page.printToPDF", {"preferCSSPageSize": True})
    return base64.b64decode(told["data"])
