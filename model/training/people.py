"""Drawn people with simulated survival: the only thing the demo networks ever learn from.

Survival times come from a Cox model in biological age, frailty and sex with a constant baseline hazard, censored at
random. A network sees the photo, the time and whether it ended in death: never the risk itself. All numbers are ours.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from model.drawing import OLDEST_YEARS, YOUNGEST_YEARS, FaceLatents, random_latents

LOG_HAZARD_PER_YEAR = 0.035
LOG_HAZARD_PER_FRAILTY_SD = 0.75
LOG_HAZARD_OF_MALES = 0.35
REFERENCE_AGE_YEARS = 60.0

BASELINE_HAZARD_PER_YEAR = 0.12
LONGEST_FOLLOW_UP_YEARS = 18.0
"""Censoring is uniform between none and this: about four people in ten are censored."""

DAYS_PER_YEAR = 365.25

Ages = Literal["uniform", "clinic"]
"""Biological ages: uniform over 20 to 95 years, or as in a clinic, with few young and few very old."""

CLINIC_AGE_MEAN_YEARS, CLINIC_AGE_SD_YEARS, CLINIC_SHARE = 60.0, 13.0, 0.6
"""In a clinic this share of ages is normal with this mean and SD; the others are uniform."""

TRAINING_SEEDS = range(0, 900_000)
HELD_OUT_SEEDS = range(900_000, 950_000)
"""Identity seeds of the people on whom the manifest's metrics are measured."""
UNSEEN_SEEDS = range(950_000, 1_000_000)
"""Identity seeds that neither training nor the manifest's metrics ever use: for tests of the shipped weights."""


@dataclass(frozen=True, slots=True)
class People:
    """n people and what befell them."""

    latents: tuple[FaceLatents, ...]
    follow_up_days: NDArray[np.float64]
    """(n,) whole days until death or censoring; ties happen, as in registries."""
    died: NDArray[np.bool_]
    """(n,) False: censored."""

    @property
    def biological_ages(self) -> NDArray[np.float32]:
        """(n,) years."""
        return np.array([person.biological_age for person in self.latents], dtype=np.float32)

    @property
    def true_log_risks(self) -> NDArray[np.float64]:
        """(n,) the Cox model's linear predictor: known here, hidden from training."""
        return np.array([true_log_risk(person) for person in self.latents])


def true_log_risk(person: FaceLatents) -> float:
    """The linear predictor of the Cox model from which survival is simulated."""
    return (
        LOG_HAZARD_PER_YEAR * (person.biological_age - REFERENCE_AGE_YEARS)
        + LOG_HAZARD_PER_FRAILTY_SD * person.frailty
        + LOG_HAZARD_OF_MALES * (person.sex == "M")
    )


def simulate_people(count: int, seeds: range, seed: int, *, ages: Ages = "uniform") -> People:
    """`count` different people with identity seeds out of `seeds`, and their survival; the same for the same `seed`."""
    rng = np.random.default_rng([seed, seeds.start])
    identities = rng.choice(np.arange(seeds.start, seeds.stop), size=count, replace=False)
    latents = tuple(
        random_latents(rng, identity_seed=int(identity), biological_age=_clinic_age(rng) if ages == "clinic" else None)
        for identity in identities
    )
    hazards = BASELINE_HAZARD_PER_YEAR * np.exp([true_log_risk(person) for person in latents])
    death_years = rng.exponential(1 / hazards)
    censoring_years = rng.uniform(0, LONGEST_FOLLOW_UP_YEARS, size=count)
    follow_up = np.ceil(np.minimum(death_years, censoring_years) * DAYS_PER_YEAR)
    return People(latents, follow_up, death_years <= censoring_years)


def _clinic_age(rng: np.random.Generator) -> float:
    usual = rng.normal(CLINIC_AGE_MEAN_YEARS, CLINIC_AGE_SD_YEARS)
    any_age = rng.uniform(YOUNGEST_YEARS, OLDEST_YEARS)
    age = usual if rng.random() < CLINIC_SHARE else any_age
    return float(np.clip(age, YOUNGEST_YEARS, OLDEST_YEARS))
