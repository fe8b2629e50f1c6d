"""The audit table: what our jobs did that somebody may have to answer for."""

from __future__ import annotations

import json
from collections.abc import Mapping
from uuid import UUID

from sqlalchemy import Connection, text

_RECORD = text(
    "INSERT INTO fahr.audit_v1 (action, subject, run_id, counts)"
    " VALUES (:action, :subject, :run_id, CAST(:counts AS jsonb))"
)


def record(
    connection: Connection,
    *,
    action: str,
    subject: str | None = None,
    run_id: UUID | None = None,
    counts: Mapping[str, int] | None = None,
) -> None:
    """Write one row, in the transaction of what it tells: both stand, or neither.

    Args:
        connection: the transaction of the deed.
        action: what was done, in lower case with underscores.
        subject: what it was done to: an id of our own making or the name of a declaration.
        run_id: the run that did it, where one did.
        counts: how much was done.
    """
    connection.execute(
        _RECORD,
        {"action": action, "subject": subject, "run_id": run_id, "counts": json.dumps(dict(counts or {}))},
    )
