"""A source of files that has none of the photos it was asked for was lost, not emptied: they are tried another night.

A folder whose mount is gone is empty, and one that is mounted elsewhere holds other files: each photo then is missing,
and nothing fails.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import replace

from sqlalchemy import Connection, text

from jobs.landing import Landed, LandingTask
from jobs.sources.base import InventoriedSource, PhotoSource

FEW_MISSING = 3
"""Ours: so many photos may come to be missing on one night without the source being held for lost."""

NOT_THERE = frozenset({"file_missing", "unreadable_file"})
TELLS_NOTHING = NOT_THERE | {"outside_photo_root"}


def without_lost_mounts(
    connection: Connection, sources: Sequence[PhotoSource], tasks: Sequence[LandingTask], landed: Landed
) -> Landed:
    """What a pull brought, with `source_unreachable` for what is newly missing at a source that had nothing at all.

    What was missing on an earlier night stays missing: a manifest may list files that never come.

    Args:
        connection: to the warehouse; the ledger knows what was missing before.
        sources: of the pull. An archive that is asked over the network is not meant: it says itself when it is away.
        tasks: what was to be read.
        landed: what came of it.
    """
    of_files = {source.name for source in sources if not isinstance(source, InventoriedSource)}
    reasons = {row["photo_id"]: row["reason_code"] for row in landed.refused}
    tried = defaultdict(list)
    for task in tasks:
        if task.photo.source in of_files and not task.photo.opted_out and task.photo.refused_as is None:
            tried[task.photo.source].append(task.photo_id)
    newly_missing: set[int] = set()
    for photos in tried.values():
        if all(reasons.get(photo) in TELLS_NOTHING for photo in photos):
            missing = {photo for photo in photos if reasons[photo] in NOT_THERE}
            missing -= _missing_before(connection, missing)
            if len(missing) > FEW_MISSING:
                newly_missing |= missing
    return replace(
        landed,
        refused=[
            row | {"reason_code": "source_unreachable"} if row["photo_id"] in newly_missing else row
            for row in landed.refused
        ],
    )


def _missing_before(connection: Connection, photos: set[int]) -> set[int]:
    known = connection.execute(_MISSING_BEFORE, {"photos": sorted(photos), "reasons": sorted(NOT_THERE)})
    return set(known.scalars())


_MISSING_BEFORE = text(
    "SELECT photo_id FROM fahr.photo_v1 WHERE photo_id = ANY(:photos) AND reason_code = ANY(:reasons)"
)
