"""What evaluations found."""

from __future__ import annotations

from alembic import op

from schemas.migrations import execute_sibling

revision = "0006"
down_revision = "0005"


def upgrade() -> None:
    """Create the tables."""
    execute_sibling(op.get_bind(), __file__)
