"""A made-up cohort for the bench of the risk tables: the demo's with eight more covariates, and people for it."""

from __future__ import annotations

from dataclasses import replace
from datetime import date

import numpy as np
import pandas as pd

from schemas.cohort import Cohort, load_cohort
from schemas.declaration import CohortFile

ADDED = {
    "bmi": "Body mass index",
    "haemoglobin": "Haemoglobin",
    "albumin": "Albumin",
    "creatinine": "Creatinine",
    "comorbidity": "Comorbidity index",
    "weight_loss": "Weight loss",
    "smoker": "Smoker",
    "diabetes": "Diabetes",
}
"""With them the fully adjusted model has 15 covariates, which are 21 terms."""

FULL = "both_adjusted"
"""The fully adjusted model, which R fits too."""

EFFECTS = {"age_years": 0.02, "face_age_years": 0.015, "face_survival_log_risk": 0.4, "ecog": 0.3, "comorbidity": 0.1}
STAGE_EFFECTS = {"I": 0.0, "II": 0.3, "III": 0.7, "IV": 1.3}
DAYS = 3000
"""From the first index to the end of observation: censoring is even over them."""


def bench_cohort() -> Cohort:
    """The cohort `cancer_photo`, every model of which that holds ECOG is adjusted for the added covariates as well."""
    cohort = load_cohort("cancer_photo")
    declared = cohort.declared.model_dump(exclude_defaults=True)
    for name, label in ADDED.items():
        declared["covariates"][name] = {"label": label, "type": "continuous", "per": 1.0, "unit": "point"}
    for model in declared["models"].values():
        if "ecog" in model["covariates"]:
            model["covariates"] = (*model["covariates"], *ADDED)
    return replace(cohort, declared=CohortFile.model_validate(declared))


def bench_people(rows: int, seed: int = 1) -> pd.DataFrame:
    """Complete cases as `read_people` gives them: whole days of follow-up, so that many die at the same time."""
    rng = np.random.default_rng(seed)
    age = np.clip(rng.normal(63, 12, rows), 20, 95).round(2)
    frailty = rng.normal(size=rows)
    people = pd.DataFrame(
        {
            "person_id": np.arange(1, rows + 1),
            "episode": 1,
            "index_date": np.full(rows, date(2020, 1, 1), dtype=object),
            "followup_years": 0.0,
            "event": False,
            "age_years": age,
            "sex": rng.choice(np.array(["female", "male"], dtype=object), rows),
            "race": rng.choice(
                np.array(["white", "black", "asian", "pacific", "native", "other_or_unknown"], dtype=object),
                rows,
                p=(0.62, 0.14, 0.1, 0.03, 0.03, 0.08),
            ),
            "site": rng.choice(
                np.array(["breast", "lung", "prostate", "colorectal", "head_neck", "brain"], dtype=object), rows
            ),
            "stage": rng.choice(np.array(list(STAGE_EFFECTS), dtype=object), rows),
            "ecog": rng.choice(np.arange(5.0), rows, p=(0.35, 0.35, 0.2, 0.08, 0.02)),
            "face_age_years": age + 3 * frailty + rng.normal(0, 4, rows),
            "face_survival_log_risk": 0.6 * frailty + rng.normal(0, 0.8, rows),
            "bmi": rng.normal(26, 4, rows).round(1),
            "haemoglobin": rng.normal(13, 1.6, rows).round(1),
            "albumin": rng.normal(3.9, 0.5, rows).round(1),
            "creatinine": np.exp(rng.normal(0, 0.3, rows)).round(2),
            "comorbidity": rng.poisson(1.5, rows).astype(float),
            "weight_loss": np.abs(rng.normal(0, 4, rows)).round(1),
            "smoker": (rng.random(rows) < 0.3).astype(float),
            "diabetes": (rng.random(rows) < 0.15).astype(float),
        }
    )
    risk = sum(effect * (people[name] - people[name].mean()) for name, effect in EFFECTS.items())
    risk = risk + people["stage"].map(STAGE_EFFECTS).astype(float)
    death = np.ceil(rng.exponential(3500 * np.exp(-risk.to_numpy())))
    censored = np.ceil(rng.uniform(0, DAYS, rows))
    return people.assign(followup_years=np.minimum(death, censored) / 365.25, event=death <= censored)
