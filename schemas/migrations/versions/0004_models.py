"""The models a hospital has: registration and promotion."""

from __future__ import annotations

from alembic import op

from schemas.migrations import execute_sibling

revision = "0004"
down_revision = "0003"


def upgrade() -> None:
    """Create the tables."""
    execute_sibling(op.get_bind(), __file__)
