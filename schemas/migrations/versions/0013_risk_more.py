"""Risk tables: what was missing and how it was filled, weights, the flow of a validation."""

from __future__ import annotations

from alembic import op

from schemas.migrations import execute_sibling

revision = "0013"
down_revision = "0012"


def upgrade() -> None:
    """Create what the file says."""
    execute_sibling(op.get_bind(), __file__)
