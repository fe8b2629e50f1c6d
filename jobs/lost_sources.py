"""A source that gave none of the photos it was asked for was lost, not emptied: they are tried another night.

A folder whose mount is gone is empty, one that is mounted elsewhere holds other files, and a PACS may list photographs
that our user may no longer read: each photo then has a reason of its own, and nothing fails.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import replace

from sqlalchemy import Connection, text

from jobs.landing import Landed, LandingTask

FEW = 3
"""Ours: so many photos may come to be missing on one night without the source being held for lost."""

NOT_HAD = frozenset({"file_missing", "unreadable_file", "access_denied", "not_at_hand"})
TELLS_NOTHING = NOT_HAD | {"outside_photo_root"}


def without_lost_sources(connection: Connection, tasks: Sequence[LandingTask], landed: Landed) -> Landed:
    """What a pull brought, with `source_unreachable` for what is newly missing at a source that gave nothing at all.

    What could not be had on an earlier night keeps its reason: a manifest may list files that never come, and a PACS
    photographs that we may never read.

    Args:
        connection: to the warehouse; the ledger knows what was missing before.
        tasks: what was to be read.
        landed: what came of it.
    """
    reasons = {row["photo_id"]: row["reason_code"] for row in landed.refused}
    tried = defaultdict(list)
    for task in tasks:
        if not task.photo.opted_out and task.photo.refused_as is None:
            tried[task.photo.source].append(task.photo_id)
    newly_missing: set[int] = set()
    for photos in tried.values():
        if all(reasons.get(photo) in TELLS_NOTHING for photo in photos):
            missing = {photo for photo in photos if reasons[photo] in NOT_HAD}
            missing -= _missing_before(connection, missing)
            if len(missing) > FEW:
                newly_missing |= missing
    return replace(
        landed,
        refused=[
            row | {"reason_code": "source_unreachable"} if row["photo_id"] in newly_missing else row
            for row in landed.refused
        ],
    )


def _missing_before(connection: Connection, photos: set[int]) -> set[int]:
    known = connection.execute(_MISSING_BEFORE, {"photos": sorted(photos), "reasons": sorted(NOT_HAD)})
    return set(known.scalars())


_MISSING_BEFORE = text(
    "SELECT photo_id FROM fahr.photo_v1 WHERE photo_id = ANY(:photos) AND reason_code = ANY(:reasons)"
)
