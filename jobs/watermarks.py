"""How far each source was read: a night looks at what changed since, not at everything the source ever had.

A row that a source dates back is found while it lies within the lookback, and after that by the full comparison: once
in so many nights (`FAHR_COMPARISON_DAYS`) all that a source lists is held against all that the ledger knows of it.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import date, timedelta
from uuid import UUID

from sqlalchemy import Connection, text

LOOKBACK = timedelta(days=7)
"""Ours: rows that appear dated up to a week before the last night that was read are found on every night."""


@dataclass(frozen=True)
class Watermark:
    """How far one source was read."""

    seen_through: date
    """Night up to whose end every row was seen."""
    compared_on: date
    """Last night on which the whole source was compared with the ledger."""

    def comparison_due(self, night: date, days: int) -> bool:
        """Whether `night` is to compare everything, so many `days` after the last time."""
        return (night - self.compared_on).days >= days


def watermark_of(connection: Connection, source: str) -> Watermark | None:
    """How far `source` was read; None where it never was."""
    row = connection.execute(
        text("SELECT seen_through, compared_on FROM fahr.source_watermark_v1 WHERE source = :source"),
        {"source": source},
    ).one_or_none()
    return None if row is None else Watermark(row.seen_through, row.compared_on)


def is_compared(connection: Connection, source: str, night: date, days: int) -> bool:
    """Whether the pull of `night` compares all of `source` with the ledger: the first one does."""
    watermark = watermark_of(connection, source)
    return watermark is None or watermark.comparison_due(night, days)


def advance(connection: Connection, sources: Iterable[str], night: date, days: int, run_id: UUID) -> None:
    """Record that `sources` were read up to the end of `night`. An older night never turns a watermark back."""
    for source in sources:
        compared = is_compared(connection, source, night, days)
        connection.execute(_ADVANCE, {"source": source, "night": night, "compared": compared, "run_id": run_id})


_ADVANCE = text(
    """
    INSERT INTO fahr.source_watermark_v1 AS known (source, seen_through, compared_on, run_id)
    VALUES (:source, :night, :night, :run_id)
    ON CONFLICT (source) DO UPDATE SET
        seen_through = greatest(known.seen_through, excluded.seen_through),
        compared_on = CASE WHEN :compared THEN excluded.compared_on ELSE known.compared_on END,
        run_id = excluded.run_id
    WHERE known.seen_through < excluded.seen_through OR :compared
    """
)
