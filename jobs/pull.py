"""Pull: what is new or changed at the sources, up to a night, into the landing zone and the ledger.

Before it pulls, the ledger follows what the hospital decided about what was pulled before (`jobs.follow`).
"""

from __future__ import annotations

import logging
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import date

from sqlalchemy import Connection, Engine, text

from jobs.errors import PartialNight
from jobs.follow import follow
from jobs.landing import Landed, LandingTask, land
from jobs.landing_removal import remove_landed_bytes
from jobs.lost_sources import without_lost_sources
from jobs.merges import kept_persons
from jobs.opt_outs import refusing_persons
from jobs.runs import Run, recorded_run, remove_leftovers
from jobs.settings import Settings
from jobs.sources.archives import archive_sources
from jobs.sources.base import InventoriedSource, ListedPhoto, PhotoSource, SourceUnreachable
from jobs.sources.dicom_folder import DicomFolderSource
from jobs.sources.share import ShareSource
from jobs.spark import LazySpark
from jobs.standing import give_up_bytes, judge_again
from jobs.warehouse.connection import copy_rows
from jobs.watermarks import advance, is_compared
from jobs.withdrawals import find_withdrawn, withdraw
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
    """Land every photo that is new or changed up to the end of `night`; withdraw those their sources deleted.

    Args:
        settings: limits, and where the landing zone is.
        engine: the warehouse, as the loader.
        spark: started only when there is something to pull.
        night: the logical date.
        sources: where photos come from; by default those the settings name.

    Returns:
        Counts: listed, landed, one for each reason why a photo could not be landed, and those of `jobs.follow`.

    Raises:
        LockHeld: another run works on the night.
        DatasetRejected: merges of persons go round in a circle, or a source lacks too many of its photos.
        PartialNight: a source could not be reached; what the others had is landed.
    """
    sources = configured_sources(settings) if sources is None else sources
    followed = follow(settings=settings, engine=engine, night=night)
    with recorded_run(engine, stage="pull", logical_date=night) as run:
        remove_leftovers(engine, settings.landing, stage="pull", prefix="pull")
        with engine.connect() as connection:
            kept = kept_persons(connection, night)
            listed, away = _list(sources, connection, night)
            tasks = _with_photo_ids(_without_refusing(listed, connection, night, kept), connection)
            withdrawn = _withdrawn(sources, connection, settings, away, night)
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
            with engine.connect() as connection:
                landed = without_lost_sources(connection, tasks, landed)
        away |= _went_away(sources, tasks, landed)
        news = _News(tasks, landed, withdrawn, kept, sources, away)
        _record(run, news, settings)
        remove_landed_bytes(engine, settings)
    if away:
        raise PartialNight(
            f"{len(away)} of {len(sources)} photo sources could not be reached, or not to the end.",
            next_step=(
                "The rest goes on; the next night picks up what is missing. The log says above which source, and why."
            ),
        )
    return followed | run.counts


def configured_sources(settings: Settings) -> list[PhotoSource]:
    """The sources the settings name: the share always, the DICOM folder and the PACS where there is one."""
    sources: list[PhotoSource] = [ShareSource(root=settings.share, comparison_days=settings.comparison_days)]
    if settings.dicom_folder is not None:
        sources.append(DicomFolderSource(settings.dicom_folder, comparison_days=settings.comparison_days))
    return sources + archive_sources(settings)


def _list(sources: Sequence[PhotoSource], connection: Connection, night: date) -> tuple[list[ListedPhoto], set[str]]:
    """What is new at the sources that can be reached, and the names of those that cannot."""
    listed: list[ListedPhoto] = []
    away: set[str] = set()
    for source in sources:
        try:
            listed += source.new_photos(connection, night)
        except SourceUnreachable as problem:
            _leave(source, problem, away)
    return listed, away


def _withdrawn(
    sources: Sequence[PhotoSource], connection: Connection, settings: Settings, away: set[str], night: date
) -> list[int]:
    """Photos that are gone from the sources that can be reached; one that cannot be compared joins those `away`."""
    withdrawn: list[int] = []
    for source in sources:
        try:
            withdrawn += find_withdrawn(connection, settings, [source], away, night)
        except SourceUnreachable as problem:
            _leave(source, problem, away)
    return withdrawn


def _leave(source: PhotoSource, problem: SourceUnreachable, away: set[str]) -> None:
    """Go on without a source. What it raised is a text of ours that holds nothing personal, and no path."""
    away.add(source.name)
    log.warning("The source %s cannot be reached: %s.", source.name, str(problem).rstrip(".?"))


def _without_refusing(
    listed: Sequence[ListedPhoto], connection: Connection, night: date, kept: Mapping[int, int]
) -> list[ListedPhoto]:
    """The listed photos, those of persons who refused marked as not to be read."""
    refusing = refusing_persons(connection, night, kept)
    return [replace(photo, opted_out=photo.opted_out or photo.person_id in refusing) for photo in listed]


def _went_away(sources: Sequence[PhotoSource], tasks: Sequence[LandingTask], landed: Landed) -> set[str]:
    """Names of the sources that did not tell everything, or stopped while their photos were read."""
    untold = {source.name for source in sources if isinstance(source, InventoriedSource) and not source.complete}
    refused = {row["photo_id"] for row in landed.refused if row["reason_code"] == "source_unreachable"}
    unread = Counter(task.photo.source for task in tasks if task.photo_id in refused)
    for name, photos in sorted(unread.items()):
        log.warning("The source %s was listed, and then %s of its photos could not be had from it.", name, photos)
    return untold | unread.keys()


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
    last = connection.execute(_LAST_NUMBER).scalar_one()
    tasks = []
    for photo in sorted(listed, key=lambda photo: (photo.source, photo.key)):
        photo_id = known.get((photo.source, photo.key))
        if photo_id is None:
            last += 1
            photo_id = last
        tasks.append(LandingTask(photo_id=photo_id, photo=photo))
    return tasks


_LAST_NUMBER = text(
    "SELECT greatest(0, (SELECT max(photo_id) FROM fahr.photo_v1), (SELECT max(photo_id) FROM fahr.withdrawn_photo_v1))"
)


@dataclass(frozen=True)
class _News:
    """What a pull found: photos and what became of them, deletions, and what it knew of persons and sources."""

    tasks: Sequence[LandingTask]
    landed: Landed
    withdrawn: Sequence[int]
    kept_persons: Mapping[int, int]
    sources: Sequence[PhotoSource]
    away: set[str]

    @property
    def inventories(self) -> list[InventoriedSource]:
        return [source for source in self.sources if isinstance(source, InventoriedSource)]

    @property
    def reached(self) -> list[str]:
        return [source.name for source in self.sources if source.name not in self.away]


def _record(run: Run, news: _News, settings: Settings) -> None:
    """Write what was landed and what could not be into the ledger, in one transaction, or end without a trace."""
    run.counts = {"listed": len(news.tasks), "landed": len(news.landed.photos)} | Counter(
        row["reason_code"] for row in news.landed.refused
    )
    if news.away:
        run.counts["sources_unreachable"] = len(news.away)
    if not _is_worth_a_row(run, news, settings.comparison_days):
        run.nothing_to_do()
        return
    night = run.logical_date
    with run.publish(status="partial" if news.away else "succeeded") as connection:
        _stage(connection, run, news)
        withdraw(connection, run, news.withdrawn)
        give_up_bytes(connection, "pulled", night)
        connection.execute(_UPSERT, {"night": night, "run_id": run.run_id})
        judge_again(connection, "pulled", night)
        advance(connection, news.reached, night, settings.comparison_days, run.run_id)
        for source in news.inventories:
            run.counts |= source.remember(connection, night, run.run_id)


def _is_worth_a_row(run: Run, news: _News, comparison_days: int) -> bool:
    """Whether anything was found, or everything was compared; a rerun of the night is not."""
    if news.landed.photos or news.away or news.withdrawn or any(source.has_news() for source in news.inventories):
        return True
    with run.engine.connect() as connection:
        compared = [name for name in news.reached if is_compared(connection, name, run.logical_date, comparison_days)]
    return bool(compared) or _refusals_are_news(run, news)


def _refusals_are_news(run: Run, news: _News) -> bool:
    """Whether a refused photo was unknown, had another reason or version before, or was last tried on another night."""
    if not news.tasks:
        return False
    with run.engine.begin() as connection:
        _stage(connection, run, news)
        found = connection.execute(
            text(
                "SELECT count(*) FROM pulled LEFT JOIN fahr.photo_v1 AS known USING (photo_id)"
                " WHERE known.photo_id IS NULL OR known.last_tried_on < CAST(:night AS date)"
                " OR known.reason_code IS DISTINCT FROM pulled.reason_code"
                " OR known.source_version <> pulled.source_version OR known.pull_again"
            ),
            {"night": run.logical_date},
        ).scalar_one()
    return bool(found)


_STAGED_COLUMNS = [
    "source",
    "source_key",
    "source_version",
    "reason_code",
    "landing_run_id",
    "listed_person_id",
    *LEDGER_COLUMNS,
]


def _stage(connection: Connection, run: Run, news: _News) -> None:
    """Copy the outcome of every task into a temporary table `pulled` shaped like the ledger."""
    connection.execute(text("CREATE TEMPORARY TABLE pulled ON COMMIT DROP AS TABLE fahr.photo_v1 WITH NO DATA"))
    facts = {row["photo_id"]: row for row in news.landed.photos + news.landed.refused}
    rows = []
    for task in news.tasks:
        photo, fact = task.photo, facts[task.photo_id]
        reason, listed_person = fact.get("reason_code"), fact.get("person_id")
        person = news.kept_persons.get(listed_person, listed_person) if listed_person is not None else None
        head = (photo.source, photo.key, photo.version, reason, None if reason else run.run_id, listed_person)
        rows.append((*head, *(person if column == "person_id" else fact.get(column) for column in LEDGER_COLUMNS)))
    copy_rows(connection, "pulled", _STAGED_COLUMNS, rows)


_FACTS = [column for column in _STAGED_COLUMNS if column not in ("photo_id", "source", "source_key")]

# A photo that changed at the source starts its tries anew; one that is tried again on the same night counts once. One
# that comes again is judged again: its bytes may be the same, but its patient or its date may be corrected.
_UPSERT = text(
    f"""
    INSERT INTO fahr.photo_v1 AS known
           (photo_id, source, source_key, {", ".join(_FACTS)}, first_seen_on, last_tried_on, first_failed_on, run_id)
    SELECT photo_id, source, source_key, {", ".join(_FACTS)}, :night, :night,
           CASE WHEN reason_code IS NOT NULL THEN CAST(:night AS date) END, :run_id
    FROM pulled
    ON CONFLICT (photo_id) DO UPDATE SET
        {", ".join(f"{column} = excluded.{column}" for column in _FACTS)},
        last_tried_on = greatest(known.last_tried_on, excluded.last_tried_on),
        tries = CASE WHEN known.source_version <> excluded.source_version THEN 1
                     WHEN known.last_tried_on < excluded.last_tried_on THEN known.tries + 1
                     ELSE known.tries END,
        first_failed_on = CASE WHEN excluded.reason_code IS NOT NULL AND known.source_version = excluded.source_version
                               THEN coalesce(known.first_failed_on, excluded.first_failed_on)
                               ELSE excluded.first_failed_on END,
        pull_again = false,
        decision_due = true,
        bytes_purged_on = NULL,
        run_id = excluded.run_id
    """
)
