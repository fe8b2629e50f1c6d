"""The methods of an analysis in the words of a paper, and its models as equations."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

import pandas as pd

from model.survival.adjusted_curves import LARGEST_RESAMPLE as CURVES_RESAMPLE
from model.survival.bootstrap import LARGEST_RESAMPLE
from schemas.cohort import Cohort

LIBRARIES = ("lifelines", "numpy", "scipy", "pandas")

_METHODS = {
    "cox": "Cox proportional-hazards models with Efron's treatment of ties",
    "cause_specific": "cause-specific Cox models, in which competing events end follow-up,",
    "fine_gray": "Fine and Gray's model of the subdistribution hazard",
}


def methods(cohort: Cohort, versions: Mapping[str, str]) -> list[str]:
    """Paragraphs that say what was done, from the declaration alone."""
    return [
        " ".join(_design(cohort)),
        " ".join(_models(cohort)),
        " ".join(_checks(cohort)),
        "Everything was computed with "
        + ", ".join(f"{name} {number}" for name, number in versions.items())
        + "; formulas and their sources: docs/statistics.md.",
    ]


def _design(cohort: Cohort) -> Iterator[str]:
    declared = cohort.declared
    yield f"The endpoint was {declared.endpoint.name}, counted from the {declared.endpoint.origin}."
    if declared.entry is not None:
        yield "Persons count as at risk only from their own entry on (left truncation)."
    yield from _landmark(cohort)
    if declared.competing is not None:
        yield f"Competing events: {', '.join(declared.competing.others)}."
    if declared.weights is not None:
        yield "Each row counts with its weight; standard errors are robust where weights are not whole numbers."
    if declared.missing.impute:
        yield from _imputation(cohort)
    else:
        yield "Persons with a missing value in any covariate were left out (complete cases), as the flow table counts."
    if declared.cluster is not None:
        yield "Rows of one cluster are not independent: standard errors are robust (Lin and Wei 1989)."


def _landmark(cohort: Cohort) -> Iterator[str]:
    landmark = cohort.declared.landmark
    if landmark is None:
        return
    when = "a time of each person's own" if landmark.years is None else f"{landmark.years:g} years"
    yield f"Landmark analysis: who was still followed at the landmark, {when} after the origin, entered then."
    yield "Follow-up starts there, and nothing measured later was used: no time counts in which nobody could die."


def _imputation(cohort: Cohort) -> Iterator[str]:
    missing = cohort.declared.missing
    labels = ", ".join(dict.fromkeys(cohort.declared.covariates[name].label for name in missing.only))
    yield f"Missing values {f'of {labels} ' if labels else ''}were multiply imputed by chained equations, which gave"
    yield f"{missing.impute} completed data sets (seed {missing.seed}): numbers by predictive mean matching, levels by"
    yield "multinomial logistic regression, from all covariates, the event and the cumulative hazard."
    yield "Coefficients were pooled by Rubin's rules with Barnard and Rubin's degrees of freedom, tests of several"
    yield "terms as D1; interactions were tested as Wald's, proportional hazards by the estimates behind their score"
    yield "tests. Where somebody's survival was predicted, it did not help to fill the gaps."
    if missing.only:
        yield "Persons with another covariate missing were left out, as the flow table counts."


def _models(cohort: Cohort) -> Iterator[str]:
    declared = cohort.declared
    used = list(dict.fromkeys(model.method for model in declared.models.values()))
    yield f"We fitted {' and '.join(_METHODS[method] for method in used)}."
    yield "Hazard ratios have 95 % Wald intervals; their p values are not adjusted for multiplicity."
    kinds = {declared.covariates[name].type for model in declared.models.values() for name in model.covariates}
    if "quartile" in kinds:
        yield "Quarters are cut at the quartiles of the persons analysed; trends take their numbers, 1 to 4."
    if "spline" in kinds:
        yield "Non-linearity was looked at with restricted cubic splines, knots at Harrell's quantiles."
    if any(model.strata for model in declared.models.values()):
        yield "Stratified models have a baseline hazard for each stratum."
    if declared.comparisons:
        test = "Wald tests" if declared.missing.impute or declared.cluster is not None else "likelihood-ratio tests"
        if declared.weights is not None:
            test = "likelihood-ratio tests (Wald tests where weights are not whole numbers)"
        yield f"Nested models were compared by {test} on the same persons, p values also adjusted by Holm's method."
    if declared.subgroups is not None:
        yield "Hazard ratios within subgroups come from one model with an interaction, not from one model a subgroup;"
        yield "the p values of the interactions are adjusted by Holm's method over all of them."


def _checks(cohort: Cohort) -> Iterator[str]:
    declared = cohort.declared
    yield "Proportional hazards were tested by score tests (Grambsch and Therneau 1994, as R's survival since 3.0),"
    yield "with Kaplan-Meier time; influence by dfbetas."
    yield f"Each person was predicted by a model of the other folds ({declared.prediction.folds}-fold cross-fitting)."
    yield from _measures(cohort)
    repeats = declared.resampling.repeats
    if repeats:
        seed = declared.resampling.seed
        yield f"Their intervals are percentiles of {repeats} bootstrap resamples of persons (seed {seed});"
        yield f"of more than {LARGEST_RESAMPLE:,} persons (adjusted curves {CURVES_RESAMPLE:,}) each draws so many, and"
        yield "the spread is shrunk to that of all (m-out-of-n bootstrap; Bickel, Götze and van Zwet 1997)."
        if not declared.missing.impute and declared.weights is None:
            yield "Optimism of the apparent concordance by Harrell's bootstrap."
    if declared.adjusted_curves:
        yield "Adjusted survival curves average the predicted survival of all persons, each given the level in turn."


def _measures(cohort: Cohort) -> Iterator[str]:
    declared = cohort.declared
    if declared.weights is not None:
        yield "Discrimination was measured on those predictions: Harrell's C, each pair counting with its weights."
    elif declared.entry is not None:
        yield "Discrimination and calibration were measured on those predictions: Harrell's C of pairs at risk at once,"
        yield "calibration in groups and in slope against Kaplan-Meier's estimate with late entry."
    else:
        yield "Discrimination, calibration and error were measured on those predictions: Harrell's and Uno's C, the"
        yield "time-dependent area under the ROC curve, the Brier score, calibration in groups and in slope."


def equation(coefficients: pd.DataFrame, strata: tuple[str, ...] = ()) -> str:
    """A fitted model as a formula: h(t) = h₀(t) × exp(0.223 × FaceAge / 10 years + 0.35 × [Stage II]).

    Args:
        coefficients: rows of fahr.risk_coefficient of one model.
        strata: names of the covariates with a baseline hazard for each level.
    """
    terms = []
    for row in coefficients.to_dict("records"):
        sign = "−" if row["log_hazard_ratio"] < 0 else "+"
        terms.append(f"{sign} {abs(row['log_hazard_ratio']):.3f} × {_variable(row)}")
    told = " ".join(terms).removeprefix("+ ")
    baseline = f"h₀({', '.join(['t', *strata])})"
    return f"h(t) = {baseline} × exp({told})"


def _variable(row: Mapping[Any, Any]) -> str:
    if isinstance(row["level"], str):
        return f"[{row['label']} {row['level'].replace('_', ' ')}]"
    if str(row["unit"]).startswith("spline"):
        bend = str(row["term"]).count("'")
        return f"{row['label']}{bend * chr(0x2032)}"
    one_unit = row["one_unit"]
    if one_unit in (None, 1.0) or pd.isna(one_unit):
        return str(row["label"])
    return f"{row['label']} / {one_unit:.4g}"
