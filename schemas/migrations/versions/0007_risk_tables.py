"""What a published risk table needs besides coefficients: contrasts, diagnostics, subgroups, performance, flow."""

from __future__ import annotations

from alembic import op

from schemas.migrations import execute_sibling

revision = "0007"
down_revision = "0006"


def upgrade() -> None:
    """Add the columns and create the tables."""
    execute_sibling(op.get_bind(), __file__)
