"""How many photos a night must bring not to look broken, by what earlier nights brought.

A quiet weekday is usual where it was quiet before: a hospital that takes no photographs on Sundays may bring none.
"""

from __future__ import annotations

import statistics
from datetime import date, timedelta

from sqlalchemy import Connection, text

NIGHTS_OF_HISTORY = 30
FEWEST_NIGHTS_OF_HISTORY = 7
"""Ours: a usual night is the median of up to 30 earlier ones that brought photos, once there are seven."""

WEEKS_OF_HISTORY = 4
"""Ours: and no more than the median of the same weekday in so many weeks, in which a night without photos counts."""


def fewest_photos(connection: Connection, night: date, share: float) -> int:
    """So many photos must still come on `night`, given those decided on already, for it not to look broken.

    Args:
        connection: to the warehouse.
        night: the logical date.
        share: of a usual night, 0 to 1.

    Returns:
        0 where nothing can be told: fewer than seven nights brought photos before, a source was away on this night (the
        pull said so), or a later night was pulled already, with what this one would have brought.
    """
    facts = {"night": night, "nights": NIGHTS_OF_HISTORY}
    earlier = connection.execute(_EARLIER_NIGHTS, facts).scalars().all()
    if len(earlier) < FEWEST_NIGHTS_OF_HISTORY or connection.execute(_IS_EXPLAINED, facts).scalar_one():
        return 0
    weeks = [night - timedelta(weeks=ago) for ago in range(1, WEEKS_OF_HISTORY + 1)]
    weekday = connection.execute(_SAME_WEEKDAY, {"weeks": weeks}).scalars().all()
    decided = connection.execute(_DECIDED, facts).scalar_one()
    usual = min(statistics.median(earlier), statistics.median(weekday))
    return max(0, round(share * usual) - decided)


_LANDED = "CAST(coalesce(sum(CAST(counts ->> 'landed' AS bigint)), 0) AS bigint)"
_PULLS = "stage = 'pull' AND status IN ('succeeded', 'partial')"
_EARLIER_NIGHTS = text(
    f"""
    SELECT {_LANDED} AS landed
    FROM fahr.run_v1
    WHERE {_PULLS} AND logical_date < :night
    GROUP BY logical_date
    HAVING {_LANDED} > 0
    ORDER BY logical_date DESC
    LIMIT :nights
    """
)
# Nights before the first one that was pulled tell nothing.
_SAME_WEEKDAY = text(
    f"""
    SELECT (SELECT {_LANDED} FROM fahr.run_v1 WHERE {_PULLS} AND logical_date = week.night) AS landed
    FROM unnest(CAST(:weeks AS date[])) AS week (night)
    WHERE week.night >= (SELECT min(logical_date) FROM fahr.run_v1 WHERE {_PULLS})
    """
)
_IS_EXPLAINED = text(
    f"""
    SELECT EXISTS (SELECT FROM fahr.run_v1 WHERE {_PULLS} AND logical_date > :night)
        OR coalesce((
            SELECT status = 'partial' FROM fahr.run_v1 WHERE {_PULLS} AND logical_date = :night
            ORDER BY started_at DESC LIMIT 1
        ), false)
    """
)
_DECIDED = text("SELECT count(*) FROM fahr.validation_v1 WHERE decided_on = :night")
