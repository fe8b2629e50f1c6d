"""Adjusted survival curves: what a cohort's survival would be if everybody had one level of a covariate.

Direct standardisation, the g-formula (Makuch 1982; Hernán and Robins 2020, chapter 17): everybody keeps all other
covariates, is given the level, and the predicted survival is averaged. It is the level's effect only as far as the
model holds all that both the level and survival depend on.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from functools import partial
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from model.errors import NotComputable
from model.survival.bootstrap import LARGEST_SHARE_WITHOUT_NUMBER, Resampling, resamples
from model.survival.censoring import Floats
from model.survival.covariates import Covariate
from model.survival.cox import CoxFit
from model.survival.encoding import coded, declared_levels, source_of
from model.survival.errors import FitRefused
from model.survival.fit_columns import FOLLOW_UP, FitColumns
from model.survival.mapping import REFIT, mapped_in_chunks
from model.survival.mean_survival import RelativeRisks
from model.survival.risk_sets import Integers

LARGEST_RESAMPLE = 2_000
"""Persons each refit is of, at most (ours)."""

RESAMPLING = Resampling(repeats=200, largest=LARGEST_RESAMPLE)
"""The model is refitted in each; of more than 2,000 persons each resample draws 2,000 (`model.survival.bootstrap`)."""


def adjusted_curves(
    frame: pd.DataFrame,
    covariates: tuple[Covariate, ...],
    by: str,
    times_years: Sequence[float],
    *,
    columns: FitColumns = FOLLOW_UP,
    person: str | None = None,
    resampling: Resampling = RESAMPLING,
) -> pd.DataFrame:
    """Standardised survival by level of a covariate, with bootstrap intervals (percentiles; the model is refitted).

    Args:
        frame: complete cases.
        covariates: of the model.
        by: name of the one of them that has levels: categorical, quartile or cut.
        times_years: when, ascending, within follow-up.
        columns: what the model is fitted by.
        person: column of whose row it is, where a person has several; all are drawn together.
        resampling: of the intervals; 0 repeats: none.

    Returns:
        A row for each level (in the order of the covariate, reference first) and time: level, time_years, survival,
        ci_lower, ci_upper (missing without intervals).

    Raises:
        FitRefused: the model cannot be fitted, or nobody was followed to the last time.
        NotComputable: the covariate has no levels, or too many resamples could not be refitted.
    """
    covariate = next((each for each in covariates if each.name == by), None)
    if covariate is None or covariate.kind not in ("categorical", "quartile", "cut"):
        raise NotComputable(f"{by} is no covariate of the model with levels")
    columns = replace(columns, quick=True)
    fit = columns.fit_once(frame, covariates)
    read = {name: frame[name].to_numpy() for name in columns.needed(covariates, person)}
    frame = pd.DataFrame(read, copy=False)
    levels = _levels(fit, covariate)
    times = np.asarray(times_years, dtype=float)
    if times.max() > min(baseline.longest_followup for baseline in fit.baselines):
        raise FitRefused(f"nobody was followed for {times.max():g} years")
    estimate = _standardised(fit, frame, covariate, levels, times)
    lower = upper = np.full_like(estimate, np.nan)
    if resampling.repeats:
        whose = np.arange(len(frame)) if person is None else np.unique(frame[person], return_inverse=True)[1]
        pieces = [_rows(read, rows) for rows in resamples(whose, resampling)]
        work = partial(_refitted, covariates, columns, covariate, levels, times, fit.estimates)
        size = REFIT * sum(map(len, pieces))
        drawn = [curves for curves in mapped_in_chunks(work, pieces, size=size) if curves is not None]
        if len(drawn) < max(1.0, (1 - LARGEST_SHARE_WITHOUT_NUMBER) * resampling.repeats):
            raise NotComputable(f"{resampling.repeats - len(drawn)} of {resampling.repeats} refits were refused")
        shrunk = resampling.shrinkage(int(whose.max()) + 1)
        spread = estimate + shrunk * (np.array(drawn) - estimate)
        lower, upper = np.clip(np.quantile(spread, (0.025, 0.975), axis=0), 0.0, 1.0)
    return pd.DataFrame(
        {
            "level": np.repeat(levels, len(times)),
            "time_years": np.tile(times, len(levels)),
            "survival": estimate.ravel(),
            "ci_lower": lower.ravel(),
            "ci_upper": upper.ravel(),
        }
    )


def _levels(fit: CoxFit, covariate: Covariate) -> list[str]:
    """The levels that somebody has, reference first."""
    terms = [term for term in fit.design.terms if term.covariate == covariate.name]
    if not terms:
        raise NotComputable(f"all have the same {covariate.name}")
    return [str(terms[0].reference_level), *(str(term.level) for term in terms)]


def _rows(values: Mapping[str, NDArray[Any]], rows: Integers) -> pd.DataFrame:
    """Some rows of columns, by their numbers."""
    return pd.DataFrame({name: np.take(column, rows) for name, column in values.items()}, copy=False)


def _refitted(
    covariates: tuple[Covariate, ...],
    columns: FitColumns,
    covariate: Covariate,
    levels: list[str],
    times: Floats,
    near: Mapping[str, float],
    own: pd.DataFrame,
) -> Floats | None:
    """The curves of one resample; None where the model is refused."""
    try:
        return _standardised(columns.fit(own, covariates, near=near), own, covariate, levels, times)
    except FitRefused:
        return None


def _standardised(fit: CoxFit, frame: pd.DataFrame, covariate: Covariate, levels: list[str], times: Floats) -> Floats:
    """Mean predicted survival of everybody by level and time, (levels, times)."""
    numbers = fit.stratum_numbers(frame)
    hazard = np.array([baseline.cumulative_hazards(times) for baseline in fit.baselines])
    values = _values_of(fit, frame, covariate)
    means = np.zeros((len(levels), len(times)))
    for level in levels:
        if level not in values:
            raise FitRefused(f"nobody has {covariate.name}={level}")
    for row, (risks, shift) in enumerate(_risks(fit, frame, covariate, numbers, [values[level] for level in levels])):
        for number, of_stratum in risks.items():
            means[row] += of_stratum.total_survival(hazard[number], shift)
    return means / len(frame)


def _risks(
    fit: CoxFit, frame: pd.DataFrame, covariate: Covariate, numbers: Integers, values: Sequence[Any]
) -> Iterator[tuple[dict[int, RelativeRisks], float]]:
    """Everybody's risk when all are given each value in the covariate's column: by stratum, and a log-risk more."""
    column, design = covariate.column, fit.design
    if design.interactions:
        for value in values:
            yield _by_stratum(fit.log_risk(frame.assign(**{column: value})), numbers), 0.0
        return
    # What does not read the column stays; what does is the same for everybody.
    reading = [each.name for each in design.covariates if each.column == column]
    moves = np.array([term.covariate in reading for term in design.terms])
    staying = _by_stratum(design.log_risk(frame, fit.centre, np.where(moves, 0.0, fit.beta)), numbers)
    for value in values:
        one = np.array([value], dtype=frame[column].to_numpy().dtype)
        columns = np.concatenate([design.columns_of(name, one)[0] for name in reading])
        yield staying, float((columns - fit.centre[moves]) @ fit.beta[moves])


def _by_stratum(log_risk: Floats, numbers: Integers) -> dict[int, RelativeRisks]:
    """The relative risks of everybody in each stratum that somebody is in, by its number."""
    occurring = np.flatnonzero(np.bincount(numbers)).tolist()
    if len(occurring) == 1:
        return {occurring[0]: RelativeRisks(log_risk)}
    return {number: RelativeRisks(log_risk[numbers == number]) for number in occurring}


def _values_of(fit: CoxFit, frame: pd.DataFrame, covariate: Covariate) -> dict[str, Any]:
    """For each level as the fit has cut it, a value of the covariate's column that somebody of the level has."""
    (learnt,) = (each for each in fit.design.learnt if each.covariate.name == covariate.name)
    column = source_of(covariate, frame)
    found = coded(covariate, learnt.cuts, column)
    declared = declared_levels(covariate)
    return {declared[code]: column[int((found.codes == code).argmax())] for code in found.occurring if code >= 0}
