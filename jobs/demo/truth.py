"""The truth behind the demo hospital: the Cox model that every survival time is drawn from."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pandas as pd
from numpy.typing import NDArray

SITES = ("breast", "lung", "prostate", "colorectal", "head_neck", "brain")
STAGES = ("I", "II", "III", "IV")

REFERENCE_AGE_YEARS = 60.0
"""Age of the baseline person: a woman with breast cancer of stage I, ECOG 0, no gap, mean frailty."""

WEIBULL_SHAPE = 1.15
"""Above 1: the hazard rises slowly over follow-up."""

WEIBULL_SCALE_YEARS = 12.5
"""Chosen so that between 50 and 60 % of patients die within eight years when censoring is uniform over that time."""


@dataclass(frozen=True, slots=True)
class TrueCoefficient:
    """One log hazard ratio of the model the survival times come from."""

    covariate: str
    level: str | None
    """Level, for a categorical covariate."""
    reference_level: str | None
    unit: str
    """What one unit is."""
    log_hazard_ratio: float

    @property
    def term(self) -> str:
        """Name of the coefficient: the covariate, and the level where there is one."""
        return self.covariate if self.level is None else f"{self.covariate}={self.level}"


def _against(covariate: str, reference: str, log_hazard_ratios: dict[str, float]) -> tuple[TrueCoefficient, ...]:
    return tuple(
        TrueCoefficient(covariate, level, reference, f"{level} against {reference}", log_hazard_ratio)
        for level, log_hazard_ratio in log_hazard_ratios.items()
    )


TRUE_COEFFICIENTS: tuple[TrueCoefficient, ...] = (
    TrueCoefficient("age", None, None, "10 years", 0.25),
    TrueCoefficient("biological_age_gap", None, None, "10 years", 0.35),
    TrueCoefficient("frailty", None, None, "1 SD", 0.45),
    *_against("sex", "F", {"M": 0.20}),
    *_against(
        "site", "breast", {"lung": 0.70, "prostate": -0.10, "colorectal": 0.25, "head_neck": 0.40, "brain": 0.90}
    ),
    *_against("stage", "I", {"II": 0.25, "III": 0.60, "IV": 1.10}),
    TrueCoefficient("ecog", None, None, "1 point", 0.30),
)
"""Every coefficient of the model (natural logarithm of the hazard ratio). Ours, of the size the literature reports."""


def design_matrix(patients: pd.DataFrame) -> pd.DataFrame:
    """The model's covariates in its units: a column a coefficient, named as `TrueCoefficient.term`; a row a patient.

    Args:
        patients: columns age_years, biological_age_gap_years, frailty, sex, site, stage, ecog.
    """
    quantities = {
        "age": (patients["age_years"] - REFERENCE_AGE_YEARS) / 10,
        "biological_age_gap": patients["biological_age_gap_years"] / 10,
        "frailty": patients["frailty"],
        "ecog": patients["ecog"],
    }
    columns = {
        coefficient.term: (
            quantities[coefficient.covariate]
            if coefficient.level is None
            else patients[coefficient.covariate] == coefficient.level
        ).astype(float)
        for coefficient in TRUE_COEFFICIENTS
    }
    return pd.DataFrame(columns, index=patients.index)


def true_log_hazard(patients: pd.DataFrame) -> NDArray[np.float64]:
    """Log hazard of each patient relative to the baseline person; the columns are those of `design_matrix`."""
    coefficients = np.array([coefficient.log_hazard_ratio for coefficient in TRUE_COEFFICIENTS])
    return np.asarray(design_matrix(patients).to_numpy() @ coefficients)


def survival_years(log_hazard: NDArray[np.float64], rng: np.random.Generator) -> NDArray[np.float64]:
    """Draw times to death (years) from the Weibull baseline with proportional hazards, by inversion
    (Bender, Augustin & Blettner 2005, Statistics in Medicine 24:1713)."""
    exponential = rng.exponential(size=log_hazard.shape)
    return WEIBULL_SCALE_YEARS * (exponential / np.exp(log_hazard)) ** (1 / WEIBULL_SHAPE)
