"""The audit table: who published, promoted, removed or exported what, and when."""

from __future__ import annotations

from alembic import op

from schemas.migrations import execute_sibling

revision = "0008"
down_revision = "0007"


def upgrade() -> None:
    """Create what the file says."""
    execute_sibling(op.get_bind(), __file__)
