"""Logins of a hospital's: each a member of one role, with a password of its own, and gone after the test."""

from __future__ import annotations

import itertools
import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager

import pytest
from pydantic import SecretStr
from sqlalchemy import Engine, make_url, text

from jobs.access.pseudonyms import refresh_pseudonyms
from jobs.settings import Settings
from jobs.warehouse.connection import connect, open_warehouse

KEY = "a key of the tests, which no hospital has"
PASSWORD = "of-a-test-login"
_numbers = itertools.count(1)


@pytest.fixture
def keyed(settings: Settings) -> Settings:
    """Settings with a key of pseudonyms."""
    return settings.model_copy(update={"pseudonym_key": SecretStr(KEY)})


@pytest.fixture
def named(keyed: Settings, small_warehouse: Engine) -> Settings:
    """The small warehouse, its persons under pseudonyms."""
    engine = open_warehouse(keyed)
    refresh_pseudonyms(settings=keyed, engine=engine)
    engine.dispose()
    return keyed


@pytest.fixture
def login(small_warehouse: Engine, warehouse_url: str) -> Iterator[Callable[..., Engine]]:
    """Make a login that is a member of a role, may see the named cohorts, and get its connection."""
    with logins(small_warehouse, warehouse_url) as make:
        yield make


@contextmanager
def logins(owner: Engine, url: str) -> Iterator[Callable[..., Engine]]:
    """What `login` gives, on any warehouse."""
    made: list[str] = []
    engines: list[Engine] = []

    def make(role: str, *, cohorts: tuple[str, ...] = ()) -> Engine:
        name = f"test_login_{os.getpid()}_{next(_numbers)}"
        with owner.begin() as connection:
            connection.execute(text(f"CREATE ROLE {name} LOGIN PASSWORD '{PASSWORD}'"))
            connection.execute(text(f"GRANT {role} TO {name}"))
            for cohort in cohorts:
                connection.execute(
                    text("INSERT INTO fahr.cohort_grant_v1 (grantee, cohort) VALUES (:grantee, :cohort)"),
                    {"grantee": name, "cohort": cohort},
                )
        made.append(name)
        mine = make_url(url).set(username=name, password=PASSWORD).render_as_string(hide_password=False)
        engines.append(connect(mine, role=None))
        return engines[-1]

    yield make
    for engine in engines:
        engine.dispose()
    with owner.begin() as connection:
        for name in made:
            connection.execute(text(f"DROP ROLE {name}"))


@pytest.fixture
def login_here(owner_engine: Engine, warehouse_url: str) -> Iterator[Callable[..., Engine]]:
    """As `login`, on the warehouse of the test, whatever it was filled with."""
    with logins(owner_engine, warehouse_url) as make:
        yield make
