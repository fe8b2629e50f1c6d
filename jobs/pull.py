"""Pull: what is new or changed at the sources, up to a night, into the landing zone and the ledger."""

from __future__ import annotations

import logging
from collections import Counter
from collections.abc import Sequence
from datetime import date

from sqlalchemy import Connection, Engine, text

from jobs.errors import PartialNight
from jobs.landing import Landed, LandingTask, land
from jobs.runs import Run, recorded_run, remove_leftovers
from jobs.settings import Settings
from jobs.sources.base import ListedPhoto, PhotoSource, SourceUnreachable
from jobs.sources.dicom_folder import DicomFolderSource
from jobs.sources.share import ShareSource
from jobs.spark import LazySpark
from jobs.warehouse.connection import copy_rows
from schemas.landing import LEDGER_COLUMNS

log = logging.getLogger("fahr.pull")


def pull(
    *,
    settings: Settings,
    engine: Engine,
    spark: LazySpark,
    night: date,
    sources: Sequence[PhotoSource] | None = None,
) -> dict[str, int]:
    """Land every photo that is new or changed up to the end of `night`.

    Args:
        settings: limits, and where the landing zone is.
        engine: the warehouse, as the loader.
        spark: started only when there is something to pull.
        night: the logical date.
        sources: where photos come from; by default those the settings name.

    Returns:
        Counts: listed, landed, and one for each reason why a photo could not be landed.

    Raises:
        LockHeld: another run works on the night.
        PartialNight: a source could not be reached; what the others had is landed.
    """
    sources = configured_sources(settings) if sources is None else sources
    with recorded_run(engine, stage="pull", logical_date=night) as run:
        remove_leftovers(engine, settings.landing, stage="pull", prefix="pull")
        with engine.connect() as connection:
            listed, unreachable = _list(sources, connection, night)
            tasks = _with_photo_ids(listed, connection)
        landed = Landed(photos=[], refused=[])
        if tasks:
            readers = {source.name: source.reader() for source in sources}
            landed = land(
                spark=spark.session,
                tasks=tasks,
                readers=readers,
                engine=engine,
                settings=settings,
                night=night,
                run_id=run.run_id,
            )
        _record(run, tasks, landed, night, unreachable)
    if unreachable:
        raise PartialNight(
            f"{unreachable} of {len(sources)} photo sources could not be reached.",
            next_step="The rest goes on; the next night picks up what is missing. Check the share and the PACS.",
        )
    return run.counts


def configured_sources(settings: Settings) -> list[PhotoSource]:
    """The sources the settings name: the share always, the DICOM folder where there is one."""
    sources: list[PhotoSource] = [ShareSource(root=settings.share)]
    if settings.dicom_folder is not None:
        sources.append(DicomFolderSource(root=settings.dicom_folder))
    return sources


def _list(sources: Sequence[PhotoSource], connection: Connection, night: date) -> tuple[list[ListedPhoto], int]:
    """What is new at the sources that can be reached, and how many cannot."""
    listed: list[ListedPhoto] = []
    unreachable = 0
    for source in sources:
        try:
            listed += source.new_photos(connection, night)
        except SourceUnreachable:
            unreachable += 1
            log.warning("The source %s cannot be reached.", source.name)
    return listed, unreachable


def _with_photo_ids(listed: Sequence[ListedPhoto], connection: Connection) -> list[LandingTask]:
    """Give each photo its number: the one it has, else the next free ones in the order of source and key.

    So two histories that saw the same photos in the same nights give the same numbers.
    """
    known = {
        (row.source, row.source_key): row.photo_id
        for row in connection.execute(
            text(
                "SELECT source, source_key, photo_id FROM fahr.photo_v1"
                " JOIN unnest(CAST(:sources AS text[]), CAST(:keys AS text[])) AS listed (source, source_key)"
                " USING (source, source_key)"
            ),
            {"sources": [photo.source for photo in listed], "keys": [photo.key for photo in listed]},
        )
    }
    last = connection.execute(text("SELECT coalesce(max(photo_id), 0) FROM fahr.photo_v1")).scalar_one()
    tasks = []
    for photo in sorted(listed, key=lambda photo: (photo.source, photo.key)):
        photo_id = known.get((photo.source, photo.key))
        if photo_id is None:
            last += 1
            photo_id = last
        tasks.append(LandingTask(photo_id=photo_id, photo=photo))
    return tasks


def _record(run: Run, tasks: Sequence[LandingTask], landed: Landed, night: date, unreachable: int) -> None:
    """Write what was landed and what could not be into the ledger, in one transaction, or end without a trace."""
    run.counts = {"listed": len(tasks), "landed": len(landed.photos)} | Counter(
        row["reason_code"] for row in landed.refused
    )
    if unreachable:
        run.counts["sources_unreachable"] = unreachable
    status = "partial" if unreachable else "succeeded"
    if not landed.photos and not unreachable and not _refusals_are_news(run, tasks, landed, night):
        run.nothing_to_do()
        return
    with run.publish(status=status) as connection:
        _stage(connection, run, tasks, landed)
        connection.execute(_REOPEN)
        connection.execute(_UPSERT, {"night": night, "run_id": run.run_id})


def _refusals_are_news(run: Run, tasks: Sequence[LandingTask], landed: Landed, night: date) -> bool:
    """Whether a refused photo was unknown, had another reason or version before, or was last tried on another night."""
    if not tasks:
        return False
    with run.engine.begin() as connection:
        _stage(connection, run, tasks, landed)
        news = connection.execute(
            text(
                "SELECT count(*) FROM pulled LEFT JOIN fahr.photo_v1 AS known USING (photo_id)"
                " WHERE known.photo_id IS NULL OR known.last_tried_on < CAST(:night AS date)"
                " OR known.reason_code IS DISTINCT FROM pulled.reason_code"
                " OR known.source_version <> pulled.source_version"
            ),
            {"night": night},
        ).scalar_one()
    return bool(news)


_STAGED_COLUMNS = ["source", "source_key", "source_version", "reason_code", "landing_run_id", *LEDGER_COLUMNS]


def _stage(connection: Connection, run: Run, tasks: Sequence[LandingTask], landed: Landed) -> None:
    """Copy the outcome of every task into a temporary table `pulled` shaped like the ledger."""
    connection.execute(text("CREATE TEMPORARY TABLE pulled (LIKE fahr.photo_v1) ON COMMIT DROP"))
    for column in ("first_seen_on", "last_tried_on", "tries", "run_id"):
        connection.execute(text(f"ALTER TABLE pulled DROP COLUMN {column}"))
    facts = {row["photo_id"]: row for row in landed.photos + landed.refused}
    rows = []
    for task in tasks:
        photo, fact = task.photo, facts[task.photo_id]
        reason = fact.get("reason_code")
        head = (photo.source, photo.key, photo.version, reason, None if reason else run.run_id)
        rows.append((*head, *(fact.get(column) for column in LEDGER_COLUMNS)))
    copy_rows(connection, "pulled", _STAGED_COLUMNS, rows)


_FACTS = [column for column in _STAGED_COLUMNS if column not in ("photo_id", "source", "source_key")]

# A photo that comes again is judged again: its bytes may be the same, but its patient or its date may be corrected.
_REOPEN = text("DELETE FROM fahr.validation_v1 AS decision USING pulled WHERE decision.photo_id = pulled.photo_id")

# A photo that changed at the source starts its tries anew; one that is tried again on the same night counts once.
_UPSERT = text(
    f"""
    INSERT INTO fahr.photo_v1 AS known
           (photo_id, source, source_key, {", ".join(_FACTS)}, first_seen_on, last_tried_on, tries, run_id)
    SELECT photo_id, source, source_key, {", ".join(_FACTS)}, :night, :night, 1, :run_id FROM pulled
    ON CONFLICT (photo_id) DO UPDATE SET
        {", ".join(f"{column} = excluded.{column}" for column in _FACTS)},
        last_tried_on = greatest(known.last_tried_on, excluded.last_tried_on),
        tries = CASE WHEN known.source_version <> excluded.source_version THEN 1
                     WHEN known.last_tried_on < excluded.last_tried_on THEN known.tries + 1
                     ELSE known.tries END,
        run_id = excluded.run_id
    """
)
