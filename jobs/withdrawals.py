"""Withdrawals: photos that their source no longer has. They leave the ledger with decision, score and landed bytes.

A source that suddenly lacks many of its photos is more likely damaged than tidied up: then the night stops.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date
from typing import Protocol, runtime_checkable

from sqlalchemy import Connection, text

from jobs import audit
from jobs.errors import DatasetRejected
from jobs.runs import Run
from jobs.settings import Settings
from jobs.standing import give_up_bytes
from jobs.warehouse.connection import copy_rows

FEWEST_FOR_SHARE = 20
"""Ours: that fewer photos than these are gone at once never stops a night."""


@runtime_checkable
class ComparedSource(Protocol):
    """A source that can tell which photos of the ledger it no longer has."""

    @property
    def name(self) -> str:
        """Name of the source, as in `fahr.photo_v1.source`."""
        ...

    def withdrawn_photos(self, connection: Connection, night: date) -> list[int]:
        """Photo ids of the ledger that the source no longer lists; empty on a night that does not compare."""
        ...


def find_withdrawn(
    connection: Connection, settings: Settings, sources: Sequence[object], away: set[str], night: date
) -> list[int]:
    """Photo ids that the sources which can be reached no longer have.

    Raises:
        DatasetRejected: a larger share of a source's photos than `settings.withdrawn_share` is gone.
    """
    withdrawn: list[int] = []
    for source in sources:
        if isinstance(source, ComparedSource) and source.name not in away:
            gone = source.withdrawn_photos(connection, night)
            if len(gone) > FEWEST_FOR_SHARE:
                _refuse_too_many(connection, source.name, len(gone), settings.withdrawn_share)
            withdrawn += gone
    return withdrawn


def _refuse_too_many(connection: Connection, source: str, gone: int, share: float) -> None:
    known = connection.execute(
        text("SELECT count(*) FROM fahr.photo_v1 WHERE source = :source"), {"source": source}
    ).scalar_one()
    if gone > share * known:
        raise DatasetRejected(
            f"The source {source} no longer has {gone} of its {known} photos.",
            next_step=(
                "Nothing was pulled or withdrawn. A manifest cut short, a folder not mounted? If they were deleted on"
                " purpose, run the night once with FAHR_WITHDRAWN_SHARE=1."
            ),
        )


def withdraw(connection: Connection, run: Run, withdrawn: Sequence[int]) -> None:
    """Take photos out of the ledger; their numbers are kept and never given again.

    Args:
        connection: the transaction of the run.
        run: gets the count withdrawn, where there is any.
        withdrawn: photo ids.
    """
    if not withdrawn:
        return
    connection.execute(text("CREATE TEMPORARY TABLE withdrawn (photo_id bigint PRIMARY KEY) ON COMMIT DROP"))
    copy_rows(connection, "withdrawn", ["photo_id"], [(photo_id,) for photo_id in withdrawn])
    give_up_bytes(connection, "withdrawn", run.logical_date)
    connection.execute(_REMEMBER, {"night": run.logical_date, "run_id": run.run_id})
    connection.execute(_FORGET)
    audit.record(connection, action="withdraw", run_id=run.run_id, counts={"photos": len(withdrawn)})
    run.counts["withdrawn"] = len(withdrawn)


_REMEMBER = text("INSERT INTO fahr.withdrawn_photo_v1 SELECT photo_id, :night, :run_id FROM withdrawn")
_FORGET = text("DELETE FROM fahr.photo_v1 AS photo USING withdrawn WHERE photo.photo_id = withdrawn.photo_id")
