"""A Spark session for the tests of jobs, started once."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from jobs.settings import Settings
from jobs.spark import LazySpark


@pytest.fixture(scope="session")
def spark(tmp_path_factory: pytest.TempPathFactory) -> Iterator[LazySpark]:
    """Spark on two cores, shared by the tests of a process."""
    home = tmp_path_factory.mktemp("spark")
    with LazySpark(Settings(home=home, spark_master="local[2]"), "tests") as lazy:
        yield lazy
