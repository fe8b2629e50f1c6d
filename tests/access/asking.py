"""Asking as a login, and what it gets: rows, or a refusal."""

from __future__ import annotations

from typing import Any

import sqlalchemy.exc
from sqlalchemy import Engine, text

REFUSED = "42501"


def rows(engine: Engine, query: str, **values: Any) -> list[tuple[Any, ...]]:
    """The rows of a query."""
    with engine.connect() as connection:
        return [tuple(row) for row in connection.execute(text(query), values)]


def refused(engine: Engine, *statements: str) -> bool:
    """Whether the last statement, after the others on one connection, is refused for want of a right."""
    with engine.connect() as connection:
        for statement in statements[:-1]:
            connection.execute(text(statement))
        try:
            connection.execute(text(statements[-1]))
        except sqlalchemy.exc.DBAPIError as error:
            return getattr(error.orig, "sqlstate", None) == REFUSED
    return False
