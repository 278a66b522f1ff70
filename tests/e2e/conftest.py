"""JupyterLab and a browser for the tests of what a user sees."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.support.lab import Chromium, Lab, chromium_page, lab_over


@pytest.fixture
def lab(tmp_path: Path) -> Iterator[Lab]:
    with lab_over(tmp_path) as running:
        yield running


@pytest.fixture
def page() -> Iterator[Any]:
    playwright = pytest.importorskip("playwright.sync_api")
    with playwright.sync_playwright() as tool, chromium_page(tool) as window:
        yield window


@pytest.fixture
def chromium(tmp_path: Path) -> Iterator[Chromium]:
    """A browser whose profile outlives it, so that it can be killed."""
    playwright = pytest.importorskip("playwright.sync_api")
    with playwright.sync_playwright() as tool:
        browser = Chromium(tool, tmp_path / "profile")
        yield browser
        browser.close()


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    for item in items:
        if item.get_closest_marker("browser"):
            item.add_marker(pytest.mark.timeout(900))
