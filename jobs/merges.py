"""Merged patients: where the hospital says that two person ids are one, photos follow, and scores and sessions too.

`hospital.person_merge` says so; chains are followed to their end, and a row that is taken away undoes its merge. The
ledger keeps the person that a source gave a photo to (`listed_person_id`), so that either can be done at any time.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import date

from sqlalchemy import Connection, text

from jobs import audit
from jobs.errors import DatasetRejected
from jobs.runs import Run
from jobs.standing import judge_again
from jobs.warehouse.connection import copy_rows


def kept_persons(connection: Connection, night: date) -> dict[int, int]:
    """Every retired person id and the person it stands for now.

    A merge that the hospital knows today holds today, also for a night that is run late.

    Raises:
        DatasetRejected: merges go round in a circle.
    """
    merges = {row.retired_person_id: row.kept_person_id for row in connection.execute(_MERGES, {"night": night})}
    return {retired: _end_of_chain(merges, retired) for retired in merges}


_MERGES = text(
    "SELECT retired_person_id, kept_person_id FROM hospital.person_merge"
    " WHERE merged_on <= greatest(CAST(:night AS date), current_date)"
)


def _end_of_chain(merges: Mapping[int, int], person_id: int) -> int:
    seen = {person_id}
    while person_id in merges:
        person_id = merges[person_id]
        if person_id in seen:
            raise DatasetRejected(
                f"hospital.person_merge goes round in a circle at person {person_id}.",
                next_step="Correct the table: each chain of merges must end at a person who is kept.",
            )
        seen.add(person_id)
    return person_id


def merge_news(connection: Connection, night: date) -> dict[int, int]:
    """Person ids whose photos are to be filed under another person than now: id and the person to file them under."""
    kept = kept_persons(connection, night)
    followed = {row.retired_person_id: row.kept_person_id for row in connection.execute(_FOLLOWED)}
    changed = {person for person in kept.keys() | followed.keys() if kept.get(person) != followed.get(person)}
    return {person: kept.get(person, person) for person in sorted(changed)}


_FOLLOWED = text("SELECT retired_person_id, kept_person_id FROM fahr.person_merge_v1")


def follow_merges(connection: Connection, run: Run, news: Mapping[int, int]) -> None:
    """File the photos of merged persons under the person who is kept, and have them judged anew.

    Args:
        connection: the transaction of the run.
        run: gets the counts merges_followed and photos_moved.
        news: as `merge_news` tells.
    """
    connection.execute(
        text("CREATE TEMPORARY TABLE merge_news (listed_person_id bigint, person_id bigint) ON COMMIT DROP")
    )
    copy_rows(connection, "merge_news", ["listed_person_id", "person_id"], list(news.items()))
    connection.execute(text("CREATE TEMPORARY TABLE moved (photo_id bigint) ON COMMIT DROP"))
    moved = connection.execute(_MOVE).rowcount
    judge_again(connection, "moved", run.logical_date)
    connection.execute(_FILE)
    connection.execute(_TAUGHT)
    connection.execute(_UNFOLLOW)
    connection.execute(_FOLLOW, {"run_id": run.run_id})
    for retired, kept in news.items():
        action = "merge" if retired != kept else "unmerge"
        audit.record(connection, action=action, subject=f"person {retired} to {kept}", run_id=run.run_id)
    run.counts |= {"merges_followed": len(news), "photos_moved": moved}


_MOVE = text(
    """
    INSERT INTO moved
    SELECT photo_id FROM fahr.photo_v1 AS photo JOIN merge_news USING (listed_person_id)
    WHERE photo.person_id IS DISTINCT FROM merge_news.person_id
    """
)
_FILE = text(
    """
    UPDATE fahr.photo_v1 AS photo SET person_id = merge_news.person_id
    FROM merge_news WHERE photo.listed_person_id = merge_news.listed_person_id
        AND photo.person_id IS DISTINCT FROM merge_news.person_id
    """
)
# Who taught a network stays a teacher under the id that is kept: a merge must not make a patient look unseen.
_TAUGHT = text(
    """
    UPDATE fahr.training_photo_v1 AS taught SET person_id = merge_news.person_id
    FROM merge_news WHERE taught.person_id = merge_news.listed_person_id
        AND merge_news.person_id <> merge_news.listed_person_id
    """
)
_UNFOLLOW = text(
    "DELETE FROM fahr.person_merge_v1 AS followed USING merge_news"
    " WHERE followed.retired_person_id = merge_news.listed_person_id"
)
_FOLLOW = text(
    "INSERT INTO fahr.person_merge_v1 SELECT listed_person_id, person_id, :run_id FROM merge_news"
    " WHERE person_id <> listed_person_id"
)
