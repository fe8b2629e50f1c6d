"""Retention: landed bytes are purged so many days after their night (`FAHR_LANDING_DAYS`); scores are kept.

What a photo's header told stays in the landing zone, so that a decision can be taken again. A model that comes later
cannot score a purged photo: coverage then says `bytes_purged`, and `fahr nightly --retry bytes_purged` reads it again.
"""

from __future__ import annotations

from datetime import date, timedelta

from sqlalchemy import Connection, text

from jobs import audit
from jobs.runs import Run


def expired(connection: Connection, night: date, days: int | None) -> bool:
    """Whether bytes lie in the landing zone for longer than `days`; never where nothing limits it."""
    if days is None:
        return False
    return bool(connection.execute(text(f"SELECT EXISTS ({_EXPIRED})"), {"until": _until(night, days)}).scalar_one())


def note_expired(connection: Connection, run: Run, days: int) -> None:
    """Note the bytes that have lain for longer than `days` for removal.

    Args:
        connection: the transaction of the run.
        run: gets the count photos_purged.
        days: how long bytes may lie after the night that landed them.
    """
    night = run.logical_date
    purged = connection.execute(_NOTE, {"until": _until(night, days), "night": night}).rowcount
    audit.record(connection, action="retention", run_id=run.run_id, counts={"photos": purged})
    run.counts["photos_purged"] = purged


def _until(night: date, days: int) -> date:
    return night - timedelta(days=days)


_EXPIRED = """
    SELECT photo.photo_id, photo.landing_run_id
    FROM fahr.run_v1 AS pull
    JOIN fahr.photo_v1 AS photo ON photo.landing_run_id = pull.run_id AND photo.bytes_purged_on IS NULL
    WHERE pull.stage = 'pull' AND pull.logical_date < :until
"""
_NOTE = text(
    f"""
    WITH expired AS ({_EXPIRED}),
    marked AS (
        UPDATE fahr.photo_v1 AS photo SET bytes_purged_on = :night
        FROM expired WHERE photo.photo_id = expired.photo_id
    )
    INSERT INTO fahr.landing_removal_v1 (landing_run_id, photo_id, keeps_facts, noted_on)
    SELECT landing_run_id, photo_id, true, :night FROM expired
    ON CONFLICT DO NOTHING
    """
)
