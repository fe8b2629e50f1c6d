"""The landmark of a cohort: who is still followed then, and how long from there on.

What is measured over years, as a rate between two photographs is, is known of those only who lived to the second one.
Counted from the first, they could not have died in between, and everybody's survival would look long (immortal time).
Under a landmark only who is still followed then enters, and follow-up starts there (Anderson, Cain and Gelber 1983).
"""

from __future__ import annotations

from datetime import timedelta

import numpy as np
import pandas as pd

from jobs.errors import SettingsError
from schemas.cohort import Cohort

DAYS_PER_YEAR = 365.25

A_SECOND = 1 / (DAYS_PER_YEAR * 86_400)
"""In years: two numbers of years that differ by rounding are one time."""


def from_landmark(people: pd.DataFrame, cohort: Cohort) -> tuple[pd.DataFrame, dict[str, int]]:
    """The persons who enter at the landmark, their follow-up and index counted from there, and where the others went.

    Args:
        people: with follow-up.
        cohort: what was declared.

    Returns:
        Persons, and counts: without_landmark (none of their own), before_landmark (the event or the end of follow-up
        came first); nothing where the cohort declares no landmark.

    Raises:
        SettingsError: something a covariate is made of was measured after the landmark of somebody who enters.
    """
    landmark = cohort.declared.landmark
    if landmark is None:
        return people, {}
    at = pd.Series(landmark.years, index=people.index) if landmark.column is None else people[landmark.column]
    has_one = (at >= 0).to_numpy()
    left = (people["followup_years"] - at).to_numpy(float)
    enters = has_one & (left >= A_SECOND)
    counts = {
        "without_landmark": int((~has_one).sum()),
        "before_landmark": int((has_one & ~enters).sum()),
    }
    entered, at = people[enters], at[enters]
    late = int((entered[landmark.measured_until] > at + A_SECOND).sum())
    if late:
        raise SettingsError(
            f"{cohort.sql_file} uses what was measured after the landmark, of {late} persons who enter at it.",
            next_step=f"Leave out what {landmark.measured_until} tells to be later: nobody is judged by the future.",
        )
    days = np.rint(at.to_numpy(float) * DAYS_PER_YEAR).astype(int)
    index = [day + timedelta(days=int(later)) for day, later in zip(entered["index_date"], days, strict=True)]
    # Whole seconds: as many days after a landmark are the same time, to the last digit.
    moved = entered.assign(followup_years=np.rint(left[enters] / A_SECOND) * A_SECOND, index_date=index)
    return moved, counts
