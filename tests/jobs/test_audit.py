"""The audit table keeps what it is told, and lets nobody change it."""

from __future__ import annotations

import pytest
from sqlalchemy import text
from sqlalchemy.exc import DBAPIError

from jobs.audit import record

NO_ROLE_USE = " WHERE action <> 'role_use'"
"""The owner's migration of the warehouse is in it, too."""


@pytest.fixture
def recorded(settings, engine):
    with engine.begin() as connection:
        record(connection, action="publish", subject="night-1", counts={"scored": 3})
    return engine


def rows(engine):
    with engine.connect() as connection:
        return [
            tuple(row)
            for row in connection.execute(text("SELECT action, subject, counts FROM fahr.audit_v1" + NO_ROLE_USE))
        ]


def test_a_row_says_what_was_done_to_what_by_whom(recorded):
    assert rows(recorded) == [("publish", "night-1", {"scored": 3})]
    with recorded.connect() as connection:
        assert (
            connection.execute(text("SELECT role_name FROM fahr.audit_v1" + NO_ROLE_USE)).scalar_one() == "fahr_loader"
        )


@pytest.mark.parametrize(
    "change", ["UPDATE fahr.audit_v1 SET action = 'x'", "DELETE FROM fahr.audit_v1", "TRUNCATE fahr.audit_v1"]
)
def test_neither_the_loader_nor_the_owner_can_rewrite_it(recorded, owner_engine, change):
    for who in (recorded, owner_engine):
        with pytest.raises(DBAPIError), who.begin() as connection:
            connection.execute(text(change))
    assert len(rows(recorded)) == 1


def test_what_was_undone_is_not_told(recorded):
    with pytest.raises(ZeroDivisionError), recorded.begin() as connection:
        record(connection, action="promote")
        raise ZeroDivisionError
    assert len(rows(recorded)) == 1
