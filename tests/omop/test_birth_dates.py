"""Dates of birth as hospitals have them: months 0 and days 31 of April stop no cohort."""

from __future__ import annotations

from collections.abc import Callable
from datetime import date

import pandas as pd
import pytest
from sqlalchemy import Engine

from jobs.risk.people import read_people
from schemas.cohort import COHORTS, load_cohort

NIGHT = date(2026, 3, 1)
SHIPPED = ("cancer_photo", "face_aging_rate")


def test_these_are_the_shipped_cohorts() -> None:
    assert sorted(folder.name for folder in COHORTS.iterdir() if (folder / "cohort.sql").is_file()) == sorted(SHIPPED)


@pytest.mark.parametrize("cohort", SHIPPED)
@pytest.mark.parametrize(
    ("year", "month", "day", "born"),
    [
        (1950, 0, 12, "1950-07-12"),
        (1950, 13, None, "1950-07-01"),
        (1950, 4, 31, "1950-04-01"),
        (1952, 2, 29, "1952-02-29"),
        (1950, 2, 29, "1950-02-01"),
        (1950, None, None, "1950-07-01"),
        (0, 6, 15, None),
    ],
)
def test_an_impossible_part_of_a_birth_date_counts_as_unknown(
    engine: Engine,
    change: Callable[[str], None],
    cohort: str,
    year: int,
    month: int | None,
    day: int | None,
    born: str | None,
) -> None:
    told = ["NULL" if part is None else str(part) for part in (month, day)]
    change(
        f"UPDATE cdm.person SET birth_datetime = NULL, year_of_birth = {year}, month_of_birth = {told[0]},"
        f" day_of_birth = {told[1]}"
    )
    with engine.connect() as connection:
        people = read_people(connection, load_cohort(cohort), NIGHT)
    photographed = pd.to_datetime(people["index_date"])
    if cohort == "face_aging_rate":
        photographed += pd.to_timedelta((people["landmark_years"] * 365.25).round(), unit="D")
    known = photographed.notna()
    assert known.sum() > 5
    if born is None:
        assert people["age_years"].isna().all()
    else:
        expected = (photographed[known] - pd.Timestamp(born)).dt.days / 365.25
        assert people["age_years"][known].to_numpy(float) == pytest.approx(expected.to_numpy(float))
