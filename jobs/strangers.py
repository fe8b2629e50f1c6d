"""Strangers: of patients whom the id map does not know no bytes stay landed, for nobody can say whether they refuse.

A pull does not land them any more. What an earlier version landed of them goes, and their sources are asked once more:
a patient whom the map knows by now comes in, or turns out to have refused, before anything is read.
"""

from __future__ import annotations

from sqlalchemy import Connection, text

from jobs import audit
from jobs.runs import Run
from jobs.standing import FACTS_OF_BYTES, give_up_bytes


def strangers_landed(connection: Connection) -> bool:
    """Whether bytes of a photo lie in the landing zone whose patient nobody knew when it was pulled."""
    return bool(connection.execute(text(f"SELECT EXISTS ({_STRANGERS})")).scalar_one())


def give_up_strangers(connection: Connection, run: Run) -> None:
    """Note their bytes for removal, and let the next pull judge by the id map of that night.

    Args:
        connection: the transaction of the run.
        run: gets the count photos_of_strangers.
    """
    connection.execute(text(f"CREATE TEMPORARY TABLE strange ON COMMIT DROP AS {_STRANGERS}"))
    give_up_bytes(connection, "strange", run.logical_date)
    given_up = connection.execute(_GIVE_UP, {"night": run.logical_date, "run_id": run.run_id}).rowcount
    audit.record(connection, action="strangers_removed", run_id=run.run_id, counts={"photos": given_up})
    run.counts["photos_of_strangers"] = given_up


_STRANGERS = """
    SELECT photo_id FROM fahr.photo_v1
    WHERE person_id IS NULL AND landing_run_id IS NOT NULL
"""
# As a pull writes a photo of somebody whom the map does not know.
_GIVE_UP = text(
    f"""
    UPDATE fahr.photo_v1 AS photo SET
        {", ".join(f"{column} = NULL" for column in FACTS_OF_BYTES)},
        reason_code = 'unknown_patient', first_failed_on = :night,
        last_tried_on = greatest(last_tried_on, :night), tries = 1, pull_again = true, run_id = :run_id
    FROM strange WHERE photo.photo_id = strange.photo_id
    """
)
