"""What a score says of survival: concordance, time-dependent AUC, and the hazard ratio of one standard deviation."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd

from model.errors import NotComputable
from model.evaluation.findings import WHOLE, Finding
from model.evaluation.measuring import FEWEST_PEOPLE, measure_all
from model.survival.bootstrap import Measure, Resampling, Rows
from model.survival.concordance import dynamic_auc, harrells_c, unos_c
from model.survival.cox import fit_cox
from model.survival.design import Covariate
from model.survival.errors import FitRefused

HORIZONS_YEARS = (1.0, 2.0, 5.0)

AGE = Covariate("age_years", "age_years", "continuous", per=10, unit="years")


def prognosis_findings(people: pd.DataFrame, *, resampling: Resampling) -> list[Finding]:
    """Prognostic value of FaceAge beside that of age itself: what choosing a model by its age error alone may cost.

    Args:
        people: one row a person: `person`, `followup_years`, `event`, `age_years`, `face_age_years`, none missing.
        resampling: of the intervals.
    """
    found = measure_all(
        {
            **discrimination_measures(people, "face_age_years", "face_age"),
            "age_c_index": c_index_of(people, "age_years"),
            "face_age_c_index_beyond_age": difference(
                c_index_of(people, "face_age_years"), c_index_of(people, "age_years")
            ),
        },
        people["person"].to_numpy(np.int64),
        resampling,
        counts_photos=False,
        events=int(people["event"].sum()),
        notes={"age_c_index": "of chronological age, to compare with", **discrimination_notes(people, "face_age")},
    )
    face_age = Covariate("face_age_years", "face_age_years", "continuous", per=10, unit="years")
    found.append(hazard_ratio(people, (face_age,), "face_age_hazard_ratio_per_10_years", note="not adjusted"))
    found.append(
        hazard_ratio(people, (face_age, AGE), "face_age_adjusted_hazard_ratio_per_10_years", note="adjusted for age")
    )
    return found


def discrimination_measures(people: pd.DataFrame, column: str, name: str) -> dict[str, Measure]:
    """Harrell's C, Uno's C up to the last usable horizon, and the AUC at each horizon, of a score (higher is worse)."""
    durations, events, risk = survival_arrays(people, column)
    tau = usable_horizon(durations)

    def uno(rows: Rows) -> float:
        if tau is None:
            raise NotComputable(TOO_SHORT)
        return unos_c(durations[rows], events[rows], risk[rows], tau=tau)

    def auc_at(horizon: float) -> Measure:
        return lambda rows: dynamic_auc(durations[rows], events[rows], risk[rows], horizon)

    return {
        f"{name}_c_index": c_index_of(people, column),
        f"{name}_uno_c_index": uno,
        **{f"{name}_auc_{at_years(horizon)}": auc_at(horizon) for horizon in HORIZONS_YEARS},
    }


def at_years(years: float) -> str:
    """How a metric's name ends: at_1_year, at_5_years."""
    return f"at_{years:g}_year" + ("" if years == 1 else "s")


def discrimination_notes(people: pd.DataFrame, name: str) -> dict[str, str]:
    """What must be known to read `discrimination_measures`: the end of Uno's C, and ties."""
    tau = usable_horizon(people["followup_years"].to_numpy(float))
    return {f"{name}_uno_c_index": f"deaths within {tau:g} years"} if tau is not None else {}


def c_index_of(people: pd.DataFrame, column: str) -> Measure:
    """Harrell's C of a column, higher is worse."""
    durations, events, risk = survival_arrays(people, column)
    return lambda rows: harrells_c(durations[rows], events[rows], risk[rows]).c_index


def difference(one: Measure, other: Measure) -> Measure:
    """The one minus the other, on the same rows."""
    return lambda rows: one(rows) - other(rows)


def hazard_ratio(
    people: pd.DataFrame,
    covariates: tuple[Covariate, ...],
    metric: str,
    *,
    group_name: str = WHOLE,
    level: str = WHOLE,
    note: str | None = None,
) -> Finding:
    """Hazard ratio of the first covariate's only term in a Cox model of all of them, with Wald's interval."""
    counts: dict[str, Any] = {"people": len(people), "events": int(people["event"].sum())}
    try:
        if len(people) < FEWEST_PEOPLE:
            raise NotComputable(f"fewer than {FEWEST_PEOPLE} people")
        fit = fit_cox(people, covariates)
    except (FitRefused, NotComputable) as reason:
        return Finding(metric, None, group_name, level, note=str(reason), **counts)
    first = fit.coefficients[0]
    notes = "; ".join(filter(None, [note, *fit.warnings])) or None
    return Finding(
        metric,
        first.hazard_ratio,
        group_name,
        level,
        lower_95=first.ci_lower,
        upper_95=first.ci_upper,
        note=notes,
        **counts,
    )


def usable_horizon(durations: np.ndarray) -> float | None:
    """The last of the horizons beyond which enough people were followed (ours: as many as a group needs)."""
    usable = [horizon for horizon in HORIZONS_YEARS if (durations > horizon).sum() >= FEWEST_PEOPLE]
    return usable[-1] if usable else None


TOO_SHORT = f"fewer than {FEWEST_PEOPLE} people were followed beyond {HORIZONS_YEARS[0]:g} year"


def survival_arrays(people: pd.DataFrame, column: str) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Follow-up in years, deaths, and a column, as arrays."""
    return (
        people["followup_years"].to_numpy(float),
        people["event"].to_numpy(bool),
        people[column].to_numpy(float),
    )
