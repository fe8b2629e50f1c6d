"""Nights that follow one another: tries, merges, opt-outs, retention."""

from __future__ import annotations

from alembic import op

from schemas.migrations import execute_sibling

revision = "0011"
down_revision = "0010"


def upgrade() -> None:
    """Create what the file says."""
    execute_sibling(op.get_bind(), __file__)
