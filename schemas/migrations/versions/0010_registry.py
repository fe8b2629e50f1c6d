"""The tumour registry's tables, and what links them to persons."""

from __future__ import annotations

from alembic import op

from schemas.migrations import execute_sibling

revision = "0010"
down_revision = "0009"


def upgrade() -> None:
    """Create what the file says."""
    execute_sibling(op.get_bind(), __file__)
