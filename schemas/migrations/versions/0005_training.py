"""Training data: which photo taught which model, and out-of-fold scores."""

from __future__ import annotations

from alembic import op

from schemas.migrations import execute_sibling

revision = "0005"
down_revision = "0004"


def upgrade() -> None:
    """Create the tables."""
    execute_sibling(op.get_bind(), __file__)
