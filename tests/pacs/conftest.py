"""An Orthanc for each test that asks, a misbehaving proxy before it, and one Spark session a process."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import ExitStack

import pytest
from sqlalchemy import Engine, text

from jobs.demo.pacs import Orthanc, orthanc_running
from jobs.settings import Settings
from jobs.spark import LazySpark
from tests.pacs.proxy import Proxy, proxy_running


@pytest.fixture(scope="session")
def spark(tmp_path_factory: pytest.TempPathFactory) -> Iterator[LazySpark]:
    """Spark on two cores, shared by the tests of a process."""
    with LazySpark(Settings(home=tmp_path_factory.mktemp("spark"), spark_master="local[2]"), "tests") as lazy:
        yield lazy


@pytest.fixture
def orthanc() -> Iterator[Orthanc]:
    """An empty PACS."""
    with orthanc_running() as server:
        yield server


@pytest.fixture
def proxy_before() -> Iterator[Callable[[Orthanc], Proxy]]:
    """Makes a proxy before a PACS, well-behaved until a test says otherwise."""
    with ExitStack() as proxies:
        yield lambda server: proxies.enter_context(proxy_running(server.port))


@pytest.fixture
def proxy(orthanc: Orthanc, proxy_before: Callable[[Orthanc], Proxy]) -> Proxy:
    """A proxy before the PACS of the test."""
    return proxy_before(orthanc)


@pytest.fixture
def patients(owner_engine: Engine) -> None:
    """Two patients whom the hospital's map knows."""
    with owner_engine.begin() as connection:
        connection.execute(text("INSERT INTO hospital.patient_id_map VALUES ('M1', 1), ('M2', 2)"))
