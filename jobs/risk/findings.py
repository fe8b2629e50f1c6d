"""What an analysis finds besides coefficients: a dataclass for each table, its fields named as the columns."""

from __future__ import annotations

import math
from dataclasses import dataclass

ALL = "all"
"""Group and level of a number about everybody, and term of a diagnostic about a whole model."""


COMPUTED, REFUSED = "computed", "refused"
"""Status of what was asked for."""


class _Finite:
    """Refuses numbers no reader could interpret."""

    def __post_init__(self) -> None:
        """Raises ValueError for NaN or an infinite number."""
        for name, value in vars(self).items():
            if isinstance(value, float) and not math.isfinite(value):
                raise ValueError(f"{type(self).__name__}.{name} is not a finite number")


@dataclass(frozen=True)
class FlowStep(_Finite):
    """One step from the persons of a cohort to those analysed."""

    step: int
    reason: str
    label: str
    left_out: int
    remaining: int


@dataclass(frozen=True)
class MissingColumn(_Finite):
    """Of how many of the persons followed a column is not known; handling: complete, left_out or imputed."""

    column_name: str
    label: str
    persons: int
    missing: int
    handling: str


@dataclass(frozen=True)
class Contrast(_Finite):
    """A test of several terms at once; where it was refused without numbers, and `status_reason` says why."""

    contrast: str
    kind: str
    label: str
    model_name: str
    status: str
    smaller_model_name: str | None = None
    covariate: str | None = None
    status_reason: str | None = None
    statistic: str | None = None
    chi_squared: float | None = None
    degrees: int | None = None
    denominator_degrees: float | None = None
    p_value: float | None = None
    p_value_holm: float | None = None
    hazard_ratio: float | None = None
    hazard_ratio_lower: float | None = None
    hazard_ratio_upper: float | None = None
    delta_aic: float | None = None
    delta_concordance: float | None = None
    delta_concordance_lower: float | None = None
    delta_concordance_upper: float | None = None


@dataclass(frozen=True)
class Diagnostic(_Finite):
    """A test or a measure of whether a model may be believed."""

    model_name: str
    diagnostic: str
    term: str
    chi_squared: float | None = None
    degrees: int | None = None
    p_value: float | None = None
    denominator_degrees: float | None = None
    value: float | None = None
    note: str | None = None


@dataclass(frozen=True)
class Subgroup(_Finite):
    """The hazard ratio of an exposure within a level of a group, and the test whether levels differ."""

    model_name: str
    exposure: str
    group_name: str
    level: str
    label: str
    unit: str
    persons: int
    events: int
    status: str
    status_reason: str | None = None
    log_hazard_ratio: float | None = None
    standard_error: float | None = None
    hazard_ratio: float | None = None
    ci_lower: float | None = None
    ci_upper: float | None = None
    interaction_chi_squared: float | None = None
    interaction_degrees: int | None = None
    interaction_denominator_degrees: float | None = None
    interaction_p_value: float | None = None
    interaction_p_value_holm: float | None = None


@dataclass(frozen=True)
class Performance(_Finite):
    """One number about how well a model predicts; `note` says why where there is none."""

    model_name: str
    metric: str
    horizon_years: float | None
    persons: int
    events: int
    estimate: float | None
    lower_95: float | None = None
    upper_95: float | None = None
    note: str | None = None
    group_name: str = ALL
    level: str = ALL


@dataclass(frozen=True)
class CalibrationGroup(_Finite):
    """Predicted beside observed probability of the event by a horizon, in one group of predictions."""

    model_name: str
    horizon_years: float
    group_number: int
    persons: int
    events: int
    predicted: float
    observed: float | None
    ci_lower: float | None
    ci_upper: float | None


@dataclass(frozen=True)
class Effect(_Finite):
    """The hazard ratio at one value of a spline's covariate, against its median."""

    model_name: str
    covariate: str
    value: float
    reference_value: float
    log_hazard_ratio: float
    hazard_ratio: float
    ci_lower: float
    ci_upper: float


@dataclass(frozen=True)
class OverTime(_Finite):
    """What a coefficient is in one period of follow-up."""

    model_name: str
    term: str
    period: int
    from_years: float
    to_years: float
    events: int
    log_hazard_ratio: float
    standard_error: float | None


@dataclass(frozen=True)
class Decision(_Finite):
    """Net benefit of acting on a prediction from one threshold on."""

    model_name: str
    horizon_years: float
    threshold: float
    chosen: float
    net_benefit: float | None
    of_everybody: float
