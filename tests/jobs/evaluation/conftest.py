"""A headless browser for the pages of evaluations, started once."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from evaluation_browser import CHROMIUM, QUIET
from playwright.sync_api import Browser, sync_playwright


@pytest.fixture(scope="session")
def browser() -> Iterator[Browser]:
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=CHROMIUM, args=list(QUIET))
        yield browser
        browser.close()
