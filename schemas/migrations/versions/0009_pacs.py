"""What photographs from a PACS need in the ledger."""

from __future__ import annotations

from alembic import op

from schemas.migrations import execute_sibling

revision = "0009"
down_revision = "0008"


def upgrade() -> None:
    """Create what the file says."""
    execute_sibling(op.get_bind(), __file__)
