"""Access: pseudonyms, membership of cohorts, row-level security."""

from __future__ import annotations

from alembic import op

from schemas.migrations import execute_sibling

revision = "0012"
down_revision = "0011"


def upgrade() -> None:
    """Create what the file says."""
    execute_sibling(op.get_bind(), __file__)
