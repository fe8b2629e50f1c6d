"""The staged scores have an index."""

from __future__ import annotations

from alembic import op

from schemas.migrations import execute_sibling

revision = "0015"
down_revision = "0014"


def upgrade() -> None:
    """Create what the file says."""
    execute_sibling(op.get_bind(), __file__)
