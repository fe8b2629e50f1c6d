"""Opt-outs: of a patient who refused nothing is pulled, and what was pulled and scored before is removed.

A refusal that the hospital knows today holds today, also for a night that is run late; a refusal of a person id that
was merged into another holds for that one. What stays of a photo is its number, its key at the source and the reason
`opted_out`, and a line in the audit. A refusal that is taken back lets the next pull read the photos again.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from datetime import date

from sqlalchemy import Connection, text

from jobs import audit
from jobs.runs import Run
from jobs.standing import FACTS_OF_BYTES, give_up_bytes
from jobs.warehouse.connection import copy_rows


def refusing_persons(connection: Connection, night: date, kept: Mapping[int, int]) -> frozenset[int]:
    """Everybody who refused, by every person id that stands for them.

    Args:
        connection: of the loader.
        night: the logical date.
        kept: retired person ids and the persons they stand for.
    """
    refusals = connection.execute(_REFUSALS, {"night": night}).scalars()
    refusing = {kept.get(person, person) for person in refusals}
    return frozenset(refusing | {retired for retired, person in kept.items() if person in refusing})


_REFUSALS = text(
    "SELECT person_id FROM hospital.opt_out WHERE opted_out_on <= greatest(CAST(:night AS date), current_date)"
)


def opt_out_news(connection: Connection, refusing: frozenset[int]) -> bool:
    """Whether the ledger or a risk table knows a person who refused, or the ledger refuses one who no longer does."""
    return bool(connection.execute(_NEWS, {"refusing": list(refusing)}).scalar_one())


_NEWS = text(
    """
    SELECT EXISTS (
        SELECT FROM fahr.photo_v1
        WHERE person_id = ANY(:refusing) AND reason_code IS DISTINCT FROM 'opted_out'
    ) OR EXISTS (
        SELECT FROM fahr.photo_v1
        WHERE reason_code = 'opted_out' AND NOT pull_again AND person_id <> ALL(:refusing)
    )
    OR EXISTS (SELECT FROM fahr.cohort_member_v1 WHERE person_id = ANY(:refusing))
    OR EXISTS (SELECT FROM fahr.patient_risk_v1 WHERE person_id = ANY(:refusing))
    """
)


def follow_opt_outs(connection: Connection, run: Run, refusing: frozenset[int]) -> None:
    """Remove what the warehouse has of persons who refused; let photos of those who no longer do be pulled again.

    Their scores go in this transaction, unless another patient's photo has the very same bytes; their landed bytes are
    noted for removal. One line of the audit tells each person's removal.

    Args:
        connection: the transaction of the run; merges were followed in it.
        run: gets the counts persons_opted_out, photos_opted_out and, where there are any, photos_allowed_again.
        refusing: as `refusing_persons` tells.
    """
    connection.execute(text("CREATE TEMPORARY TABLE refusing (person_id bigint PRIMARY KEY) ON COMMIT DROP"))
    copy_rows(connection, "refusing", ["person_id"], [(person,) for person in sorted(refusing)])
    connection.execute(_LEAVING)
    tombstones = connection.execute(_TOMBSTONES).all()
    give_up_bytes(connection, "leaving", run.logical_date)
    connection.execute(_REFUSE, {"night": run.logical_date, "run_id": run.run_id})
    for table in ("face_score_v1", "score_failure_v1", "out_of_fold_score_v1"):
        connection.execute(text(_FORGET.format(table=table)))
    removed = {
        person.person_id: {"photos": person.photos, "landed": person.landed, "scores": person.scores}
        for person in tombstones
    }
    for person_id in sorted(remove_from_risk_tables(connection, refusing)):
        removed.setdefault(person_id, {"photos": 0, "landed": 0, "scores": 0})
    for person_id, counts in removed.items():
        audit.record(connection, action="opt_out", subject=f"person {person_id}", run_id=run.run_id, counts=counts)
    run.counts |= {"persons_opted_out": len(removed), "photos_opted_out": sum(one.photos for one in tombstones)}
    _allow_again(connection, run)


def remove_from_risk_tables(connection: Connection, refusing: Collection[int]) -> set[int]:
    """Take persons' rows out of the cohorts and predictions of every analysis; returns who had any.

    What an analysis tells of all its persons together stays.
    """
    persons: set[int] = set()
    for table in ("patient_risk_v1", "cohort_member_v1"):
        statement = text(f"DELETE FROM fahr.{table} WHERE person_id = ANY(:refusing) RETURNING person_id")
        persons |= set(connection.execute(statement, {"refusing": list(refusing)}).scalars())
    return persons


_LEAVING = text(
    """
    CREATE TEMPORARY TABLE leaving ON COMMIT DROP AS
    SELECT photo_id, person_id, content_sha256, landing_run_id
    FROM fahr.photo_v1 JOIN refusing USING (person_id)
    WHERE reason_code IS DISTINCT FROM 'opted_out'
    """
)
_TOMBSTONES = text(
    """
    SELECT person_id, count(*) AS photos, count(landing_run_id) AS landed,
           (SELECT count(*) FROM fahr.face_score_v1
            WHERE content_sha256 = ANY(array_agg(leaving.content_sha256))) AS scores
    FROM leaving GROUP BY person_id ORDER BY person_id
    """
)
# As a pull writes a photo that was refused before it was read.
_REFUSE = text(
    f"""
    UPDATE fahr.photo_v1 AS photo SET
        {", ".join(f"{column} = NULL" for column in FACTS_OF_BYTES)},
        reason_code = 'opted_out', first_failed_on = :night, last_tried_on = greatest(last_tried_on, :night), tries = 1,
        pull_again = false, run_id = :run_id
    FROM leaving WHERE photo.photo_id = leaving.photo_id
    """
)
_FORGET = """
    DELETE FROM fahr.{table} AS known USING leaving
    WHERE known.content_sha256 = leaving.content_sha256
      AND NOT EXISTS (SELECT FROM fahr.photo_v1 WHERE photo_v1.content_sha256 = known.content_sha256)
"""


def _allow_again(connection: Connection, run: Run) -> None:
    allowed = connection.execute(_ALLOW_AGAIN).scalars().all()
    for person in sorted(set(allowed)):
        audit.record(connection, action="opt_out_taken_back", subject=f"person {person}", run_id=run.run_id)
    if allowed:
        run.counts["photos_allowed_again"] = len(allowed)


_ALLOW_AGAIN = text(
    """
    UPDATE fahr.photo_v1 SET pull_again = true
    WHERE reason_code = 'opted_out' AND NOT pull_again AND person_id NOT IN (SELECT person_id FROM refusing)
    RETURNING person_id
    """
)
