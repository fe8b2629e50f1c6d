"""What follows when a photo loses its standing: its decision falls, its bytes are to go, photos of the same bytes are
judged anew. Whatever takes a photo's standing away (a change, a deletion, an opt-out, a merge) goes through here.

Nothing is removed at once but the decision. The bytes stand in `fahr.landing_removal_v1` until `jobs.landing_removal`
has rewritten their partition, the contents in `fahr.loose_content_v1` until publish has removed scores nobody needs.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date

from sqlalchemy import Connection, text

FACTS_OF_BYTES = (
    "content_sha256",
    "byte_count",
    "image_format",
    "width_px",
    "height_px",
    "frame_count",
    "sop_class_uid",
    "transfer_syntax_uid",
    "exif_orientation",
    "landing_run_id",
    "bytes_purged_on",
)
"""Columns of `fahr.photo_v1` that tell of landed bytes."""


def give_up_bytes(connection: Connection, photos: str, night: date) -> None:
    """Let the landed bytes of photos go, before the ledger forgets where they lie, and judge their twins anew.

    Args:
        connection: the transaction that takes their standing away.
        photos: name of a table with the column `photo_id`.
        night: the logical date.
    """
    connection.execute(text(_NOTE_REMOVALS.format(photos=photos)), {"night": night})
    judge_again(connection, photos, night)


def judge_again(connection: Connection, photos: str, night: date) -> None:
    """Take back the decisions on photos and on every other photo of the same bytes; validate judges them together.

    Args:
        connection: the transaction that changes what they are judged by.
        photos: name of a table with the column `photo_id`.
        night: the logical date.
    """
    connection.execute(text(_JUDGE_AGAIN.format(photos=photos)), {"night": night})


_NOTE_REMOVALS = """
    INSERT INTO fahr.landing_removal_v1 AS noted (landing_run_id, photo_id, keeps_facts, noted_on)
    SELECT photo.landing_run_id, photo.photo_id, false, :night
    FROM {photos} AS given_up JOIN fahr.photo_v1 AS photo ON photo.photo_id = given_up.photo_id
    WHERE photo.landing_run_id IS NOT NULL
    ON CONFLICT (landing_run_id, photo_id) DO UPDATE SET keeps_facts = false
"""

_JUDGE_AGAIN = """
    WITH touched AS (
        SELECT DISTINCT photo.content_sha256
        FROM {photos} AS judged JOIN fahr.photo_v1 AS photo ON photo.photo_id = judged.photo_id
        WHERE photo.content_sha256 IS NOT NULL
    ),
    noted AS (
        INSERT INTO fahr.loose_content_v1 (content_sha256, noted_on)
        SELECT content_sha256, :night FROM touched
        ON CONFLICT DO NOTHING
    ),
    due AS (
        UPDATE fahr.photo_v1 AS photo SET decision_due = true
        FROM touched WHERE photo.content_sha256 = touched.content_sha256
    )
    DELETE FROM fahr.validation_v1 AS decision USING touched
    WHERE decision.content_sha256 = touched.content_sha256
"""


def forget_loose_scores(connection: Connection, waiting: Sequence[str]) -> int:
    """Remove the scores and failures of loose bytes that no accepted photo has; returns how many scores.

    Bytes of a photo that waits for its decision are left for a later publish. While another run scores the archive, or
    what one brought waits for the next publish, the names of loose bytes are kept, so that what it brings of them is
    known to be of yesterday.

    Args:
        connection: the transaction that publishes.
        waiting: names of staged folders that this publish does not publish.
    """
    removed = connection.execute(_FORGET_SCORES).rowcount
    connection.execute(_FORGET_FAILURES)
    connection.execute(_FORGET_OUT_OF_FOLD)
    connection.execute(_SETTLED, {"waiting": list(waiting)})
    return removed


_SETTLED_CONTENT = """
    SELECT loose.content_sha256
    FROM fahr.loose_content_v1 AS loose
    WHERE NOT EXISTS (
        SELECT FROM fahr.photo_v1 AS photo
        LEFT JOIN fahr.validation_v1 AS decision USING (photo_id, content_sha256)
        WHERE photo.content_sha256 = loose.content_sha256 AND decision.photo_id IS NULL
    )
"""

_NOBODYS = f"""
    IN (
        SELECT settled.content_sha256
        FROM ({_SETTLED_CONTENT}) AS settled
        WHERE NOT EXISTS (
            SELECT FROM fahr.validation_v1 AS decision
            WHERE decision.content_sha256 = settled.content_sha256 AND decision.accepted
        )
    )
"""

_FORGET_SCORES = text(f"DELETE FROM fahr.face_score_v1 WHERE content_sha256 {_NOBODYS}")
_FORGET_FAILURES = text(f"DELETE FROM fahr.score_failure_v1 WHERE content_sha256 {_NOBODYS}")
_FORGET_OUT_OF_FOLD = text(f"DELETE FROM fahr.out_of_fold_score_v1 WHERE content_sha256 {_NOBODYS}")
_SETTLED = text(
    f"DELETE FROM fahr.loose_content_v1 WHERE content_sha256 IN ({_SETTLED_CONTENT})"
    " AND NOT EXISTS (SELECT FROM fahr.run_v1 WHERE stage = 'archive' AND (status = 'running'"
    " OR (status = 'succeeded' AND 'run=' || run_id = ANY(:waiting))))"
)


def any_loose(connection: Connection) -> bool:
    """Whether bytes were given up since the last publish."""
    return bool(connection.execute(text("SELECT EXISTS (SELECT FROM fahr.loose_content_v1)")).scalar_one())
