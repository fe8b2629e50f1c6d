"""Who is a patient of the demo hospital: age, cancer, biological age, frailty, and how long each one lives."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date, timedelta
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from jobs.demo.truth import SITES, STAGES, survival_years, true_log_hazard
from model.drawing import HOSPITAL_IDENTITY_SEEDS_FROM, OLDEST_YEARS, YOUNGEST_YEARS, FaceLatents

DEMO_NIGHT = date(2026, 3, 1)
"""Logical date of the demo's night: everything the hospital knows was registered on this day or earlier."""

DATA_CUT = date(2026, 2, 28)
"""Last day of follow-up; whoever is alive then is censored."""

CANARY = "ZAUNKOENIG"
"""Stands in every patient's name and every photo's path: a search of the logs shows whether either got there."""

DAYS_PER_YEAR = 365.25
LONGEST_FOLLOWUP_YEARS = 8.0
SHORTEST_FOLLOWUP_YEARS = 0.25
GAP_SD_YEARS = 6.0
YOUNGEST_PATIENT_YEARS, OLDEST_PATIENT_YEARS = 25.0, 90.0

_SITE_SHARES = {
    "F": dict(zip(SITES, (0.42, 0.20, 0.00, 0.18, 0.08, 0.12), strict=True)),
    "M": dict(zip(SITES, (0.01, 0.26, 0.30, 0.20, 0.13, 0.10), strict=True)),
}
_STAGE_SHARES = (0.28, 0.27, 0.25, 0.20)
_ECOG_SHARES = (0.34, 0.36, 0.18, 0.09, 0.03)

_POPULATION_STREAM, _RECORDS_STREAM = 1, 2
"""What the seed is combined with, so that photos, records and survival are drawn independently of each other."""


@dataclass(frozen=True, slots=True)
class Patient:
    """One synthetic person, as the hospital's records and the truth know them."""

    person_id: int
    mrn: str
    """Medical record number: SYN- and seven digits."""
    sex: str
    """F or M."""
    born: date
    skin_tone: float
    identity_seed: int
    index_date: date
    """Day of the first photographs; the survival clock starts here."""
    last_day: date
    """Day of death, or the last day of follow-up."""
    died: bool
    diagnosed: date
    treated: date | None
    """First radiotherapy, where there was one."""
    site: str
    stage: str
    ecog: int
    """ECOG performance status at index, 0 to 4."""
    biological_age_at_index: float
    """Years."""
    gap_drift_per_year: float
    """Years by which body and calendar drift apart in a year."""
    frailty: float
    """Standard normal, at index."""
    frailty_drift_per_year: float
    log_hazard: float
    """True log hazard relative to the model's baseline person."""

    @property
    def dicom_name(self) -> str:
        """Name in DICOM's person-name form."""
        return f"Synthetic^{CANARY}^{self.mrn}"

    def age_on(self, day: date) -> float:
        """Chronological age, years."""
        return (day - self.born).days / DAYS_PER_YEAR

    def face_on(self, day: date) -> FaceLatents:
        """What the face shows on `day`: older, and a little more or less ahead of the calendar than at index."""
        years = (day - self.index_date).days / DAYS_PER_YEAR
        biological_age = self.biological_age_at_index + years * (1 + self.gap_drift_per_year)
        return FaceLatents(
            sex="F" if self.sex == "F" else "M",
            biological_age=float(np.clip(biological_age, YOUNGEST_YEARS, OLDEST_YEARS)),
            frailty=self.frailty + years * self.frailty_drift_per_year,
            skin_tone=self.skin_tone,
            identity_seed=self.identity_seed,
        )


def simulate_population(patients: int, seed: int) -> pd.DataFrame:
    """Patients and their follow-up from the true survival model; no photographs, no records, no dates.

    Args:
        patients: how many.
        seed: the same seed gives the same rows.

    Returns:
        One row a patient: person_id (1, 2, …), age_years at index (25 to 90), sex (F, M), site, stage (I to IV),
        ecog (0 to 4), biological_age_gap_years (biological minus chronological age at index), frailty (standard
        normal), log_hazard (true), followup_years (> 0), event (True: died; False: censored) and censoring_years
        (uniform over 0.25 to 8: when they would have been censored at the latest).
    """
    rng = np.random.default_rng([seed, _POPULATION_STREAM])
    age = _ages(rng, patients)
    gap = np.clip(rng.normal(0, GAP_SD_YEARS, patients), YOUNGEST_YEARS - age, OLDEST_YEARS - age)
    sex = rng.choice(["F", "M"], size=patients)
    population = pd.DataFrame(
        {
            "person_id": np.arange(1, patients + 1),
            "age_years": age,
            "sex": sex,
            "site": _sites(rng, sex),
            "stage": rng.choice(STAGES, size=patients, p=_STAGE_SHARES),
            "ecog": rng.choice(len(_ECOG_SHARES), size=patients, p=_ECOG_SHARES),
            "biological_age_gap_years": gap,
            "frailty": rng.normal(size=patients),
        }
    )
    population["log_hazard"] = true_log_hazard(population)
    death_years = survival_years(population["log_hazard"].to_numpy(), rng)
    censoring_years = rng.uniform(SHORTEST_FOLLOWUP_YEARS, LONGEST_FOLLOWUP_YEARS, patients)
    population["followup_years"] = np.minimum(death_years, censoring_years)
    population["event"] = death_years <= censoring_years
    population["censoring_years"] = censoring_years
    return population


def admit_patients(patients: int, seed: int) -> list[Patient]:
    """The simulated population as patients of the hospital: dates, record numbers and faces added.

    Follow-up is what `simulate_population` says, to the day and at least one day long; censoring falls on `DATA_CUT`.
    """
    population = simulate_population(patients, seed)
    return [
        _admit(row, np.random.default_rng([seed, _RECORDS_STREAM, person_id]))
        for person_id, row in enumerate(population.itertuples(index=False), start=1)
    ]


def _admit(row: Any, rng: np.random.Generator) -> Patient:
    index_date = DATA_CUT - _days(row.censoring_years)
    last_day = index_date + max(_days(row.followup_years), timedelta(days=1)) if row.event else DATA_CUT
    treated = min(index_date + timedelta(days=int(rng.integers(0, 29))), last_day) if rng.random() < 0.85 else None
    return Patient(
        person_id=int(row.person_id),
        mrn=f"SYN-{1_000_000 + 7 * int(row.person_id):07d}",
        sex=str(row.sex),
        born=index_date - _days(row.age_years),
        skin_tone=float(rng.beta(1.8, 1.2)),
        identity_seed=HOSPITAL_IDENTITY_SEEDS_FROM + int(rng.integers(2**40)),
        index_date=index_date,
        last_day=last_day,
        died=bool(row.event),
        diagnosed=index_date - timedelta(days=int(rng.integers(7, 61))),
        treated=treated,
        site=str(row.site),
        stage=str(row.stage),
        ecog=int(row.ecog),
        biological_age_at_index=float(row.age_years + row.biological_age_gap_years),
        gap_drift_per_year=float(rng.normal(0, 0.15)),
        frailty=float(row.frailty),
        frailty_drift_per_year=float(rng.normal(0, 0.05)),
        log_hazard=float(row.log_hazard),
    )


def _days(years: float) -> timedelta:
    return timedelta(days=round(years * DAYS_PER_YEAR))


def _ages(rng: np.random.Generator, patients: int) -> NDArray[np.float64]:
    """Ages at index: most in their sixties, spread from 25 to 90 by drawing again what falls outside."""
    ages = rng.normal(62, 14, patients)
    while (outside := (ages < YOUNGEST_PATIENT_YEARS) | (ages > OLDEST_PATIENT_YEARS)).any():
        ages[outside] = rng.normal(62, 14, int(outside.sum()))
    return ages


def _sites(rng: np.random.Generator, sex: NDArray[np.str_]) -> NDArray[np.object_]:
    sites = np.empty(len(sex), dtype=object)
    for one, shares in _SITE_SHARES.items():
        of_this_sex = sex == one
        sites[of_this_sex] = rng.choice(list(shares), size=int(of_this_sex.sum()), p=list(shares.values()))
    return sites
