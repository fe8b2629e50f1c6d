"""Whether a warehouse is the demo hospital's: what is said about its patients must then say that they are made up."""

from __future__ import annotations

from sqlalchemy import Connection, text

_DEMO_STANDS = text(
    "SELECT EXISTS (SELECT FROM pg_class AS relation JOIN pg_namespace AS namespace"
    " ON namespace.oid = relation.relnamespace WHERE nspname = 'demo' AND relname = 'hospital')"
)
"""Asked of the catalogue, since the loader may not look into the schema."""


def is_synthetic(connection: Connection) -> bool:
    """True where the demo hospital was built in this warehouse."""
    return bool(connection.execute(_DEMO_STANDS).scalar_one())
