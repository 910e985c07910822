"""The real browser, for pages that people look at."""

from __future__ import annotations

import shutil
import subprocess
from pathlib import Path

import pytest

NO_BROWSER = "chromium is not installed: apt-get install chromium"
TIMEOUT_S = 120


def chromium() -> str:
    """Its program; skips the test where there is none."""
    path = shutil.which("chromium")
    if path is None:
        pytest.skip(NO_BROWSER)
    return path


def print_page(page: Path, pdf: Path) -> None:
    """As its print dialogue would without a heading of its own."""
    command = [chromium(), "--headless", "--no-sandbox", "--disable-gpu", "--no-pdf-header-footer",
               f"--user-data-dir={pdf.parent / 'profile'}", f"--print-to-pdf={pdf}", page.as_uri()]
    subprocess.run(command, check=True, capture_output=True, timeout=TIMEOUT_S)
