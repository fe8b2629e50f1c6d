"""Risk tables: how tests are pooled over imputed data sets."""

from __future__ import annotations

from alembic import op

from schemas.migrations import execute_sibling

revision = "0014"
down_revision = "0013"


def upgrade() -> None:
    """Say what the file says."""
    execute_sibling(op.get_bind(), __file__)
