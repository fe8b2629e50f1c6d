"""The ledger of the nights."""

from __future__ import annotations

from alembic import op

from schemas.migrations import execute_sibling

revision = "0002"
down_revision = "0001"


def upgrade() -> None:
    """Create the tables."""
    execute_sibling(op.get_bind(), __file__)
