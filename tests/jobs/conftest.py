"""A Spark session and a browser for the tests of jobs, each started once a process."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from opened_page import CHROMIUM, QUIET
from playwright.sync_api import Browser, sync_playwright

from jobs.settings import Settings
from jobs.spark import LazySpark


@pytest.fixture(scope="session")
def spark(tmp_path_factory: pytest.TempPathFactory) -> Iterator[LazySpark]:
    """Spark on two cores, shared by the tests of a process."""
    home = tmp_path_factory.mktemp("spark")
    with LazySpark(Settings(home=home, spark_master="local[2]"), "tests") as lazy:
        yield lazy


@pytest.fixture(scope="session")
def browser() -> Iterator[Browser]:
    """One browser for all pages: Playwright runs once in a process."""
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=CHROMIUM, args=list(QUIET))
        yield browser
        browser.close()
