"""The table of pseudonyms follows the cohorts and the key: who left them loses the name, a new key renames all."""

from __future__ import annotations

import logging

from sqlalchemy import Connection, Engine, text

from jobs import audit
from jobs.access.key import PseudonymKey, pseudonym_key
from jobs.errors import SettingsError
from jobs.settings import Settings
from jobs.warehouse.connection import copy_rows

log = logging.getLogger("fahr.access")


def refresh_pseudonyms(*, settings: Settings, engine: Engine) -> dict[str, int]:
    """Give everybody in the latest analysis of a cohort a pseudonym and a shift of dates; take those of others away.

    Without a key nothing is made, and what an earlier key made is taken away: researchers then see no person.

    Args:
        settings: hold the key, or the file that does, and the span of shifts.
        engine: warehouse, as fahr_loader.

    Returns:
        Counts: added, removed, standing.

    Raises:
        SettingsError: the key cannot be used.
    """
    key = pseudonym_key(settings)
    with engine.begin() as connection:
        connection.execute(text("LOCK TABLE fahr.pseudonym_v1 IN SHARE ROW EXCLUSIVE MODE"))
        removed = connection.execute(_REMOVE, {"key_id": key and key.key_id}).rowcount
        added = 0 if key is None else _add(connection, key)
        standing = int(connection.execute(text("SELECT count(*) FROM fahr.pseudonym_v1")).scalar_one())
        counts = {"added": added, "removed": removed, "standing": standing}
        if added or removed:
            audit.record(connection, action="pseudonyms", counts=counts)
    log.info("pseudonyms: %s", counts if key else f"no key is set, {counts}")
    return counts


def require_key(settings: Settings) -> None:
    """Raise SettingsError where no key is set: without one no person can be shown."""
    if pseudonym_key(settings) is None:
        raise SettingsError(
            "No key of pseudonyms is set: researchers can be shown no person.",
            next_step="Set FAHR_PSEUDONYM_KEY_FILE; docs/access.md tells how to make a key.",
        )


_IN_A_COHORT = """
    SELECT DISTINCT person_id FROM fahr.cohort_member_v1 JOIN fahr.latest_analysis USING (cohort, analysis_id)
"""
_REMOVE = text(
    f"""
    DELETE FROM fahr.pseudonym_v1
    WHERE key_id IS DISTINCT FROM CAST(:key_id AS text) OR person_id NOT IN ({_IN_A_COHORT})
    """
)
_NAMELESS = text(f"{_IN_A_COHORT} WHERE person_id NOT IN (SELECT person_id FROM fahr.pseudonym_v1) ORDER BY person_id")


def _add(connection: Connection, key: PseudonymKey) -> int:
    nameless = connection.execute(_NAMELESS).scalars().all()
    return copy_rows(
        connection,
        "fahr.pseudonym_v1",
        ("person_id", "pseudonym", "shift_days", "key_id"),
        ((person, key.pseudonym(person), key.shift_days(person), key.key_id) for person in nameless),
    )
