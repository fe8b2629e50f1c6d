"""The hospital's side: photo manifest, id map, opt-outs."""

from __future__ import annotations

from alembic import op

from schemas.migrations import execute_sibling

revision = "0001"
down_revision = None


def upgrade() -> None:
    """Create the tables."""
    execute_sibling(op.get_bind(), __file__)
