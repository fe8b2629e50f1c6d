"""Competing events: the cumulative incidence of one of them (Aalen and Johansen 1978), and Gray's test between groups.

One minus Kaplan-Meier, with deaths of other causes as censorings, is no probability of anything: whoever died of
another cause is not waiting to die of this one.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from scipy import stats

from model.errors import NotComputable
from model.survival.censoring import Floats
from model.survival.follow_up import at_risk_at, check_follow_up, event_codes, reporting_times, total_at
from model.survival.intervals import NORMAL_97_5

OF_INTEREST, OTHER = 1, 2
"""Codes of what ended a follow-up; 0 is censored."""


def cumulative_incidence(
    durations: Floats, kinds: pd.Series | NDArray[Any], of_interest: object, *, entry: Floats | None = None
) -> pd.DataFrame:
    """Aalen and Johansen 1978: F(t) = sum over s <= t of S(s-) d(s) / n(s), with S of any event.

    The variance is that of R's `cmprsk::cuminc` (Aalen 1978, with its correction for ties); the 95 % interval is on the
    log(-log F) scale (Choudhury 2002).

    Args:
        durations: years of follow-up, (persons,), > 0.
        kinds: what ended it, (persons,): names or whole numbers; missing, 0 or "" where censored.
        of_interest: the kind whose incidence it is.
        entry: when a person came under observation, (persons,); None: at 0.

    Returns:
        Rows at time 0, every time of an event of interest, every whole year and the longest follow-up: time_years,
        incidence, standard_error, ci_lower, ci_upper (0 before the first event; missing where the incidence is 1),
        at_risk (just before), events (of interest, at the time), other_events (of other kinds, since the row before).

    Raises:
        NotComputable: no persons, or follow-up or entry that make no sense.
    """
    check_follow_up(durations, entry)
    codes = event_codes(kinds, of_interest)
    told = reporting_times(durations[codes == OF_INTEREST], float(durations.max()))
    times = np.unique(np.concatenate([told, durations[codes > 0]]))
    at_risk = at_risk_at(times, durations, entry)
    ours = total_at(times, durations[codes == OF_INTEREST])
    others = total_at(times, durations[codes == OTHER])
    before, after = _free_of_any(ours + others, at_risk)
    incidence = np.cumsum(before * _share(ours, at_risk))
    error = np.sqrt(np.maximum(_variance(incidence, before, after, ours, others, at_risk), 0.0))

    with np.errstate(divide="ignore", invalid="ignore"):
        half_width = NORMAL_97_5 * error / (incidence * np.log(incidence))
        lower, upper = incidence ** np.exp(-half_width), incidence ** np.exp(half_width)
    none_yet, certain = incidence == 0, incidence >= 1
    rows = np.searchsorted(times, told)
    table = pd.DataFrame(
        {
            "time_years": told,
            "incidence": incidence[rows],
            "standard_error": error[rows],
            "ci_lower": np.select([none_yet, certain], [0.0, np.nan], lower)[rows],
            "ci_upper": np.select([none_yet, certain], [0.0, np.nan], upper)[rows],
            "at_risk": at_risk[rows].astype(np.int64),
            "events": ours[rows].astype(np.int64),
            "other_events": np.diff(np.cumsum(others)[rows], prepend=0).astype(np.int64),
        }
    )
    return table


@dataclass(frozen=True)
class GrayTest:
    """Whether cumulative incidences differ between groups; chi-squared with groups - 1 degrees of freedom."""

    chi_squared: float
    degrees: int
    p_value: float


def gray_test(
    durations: Floats,
    kinds: pd.Series | NDArray[Any],
    of_interest: object,
    group: NDArray[Any],
    *,
    strata: NDArray[Any] | None = None,
) -> GrayTest:
    """Gray 1988 with rho = 0: compares subdistribution hazards, not cause-specific ones.

    Args:
        durations, kinds, of_interest: as `cumulative_incidence`.
        group: whose incidence is compared, (persons,).
        strata: compared within, (persons,); None: one stratum.

    Raises:
        NotComputable: fewer than two groups, no events of interest, or a variance that is singular.
    """
    check_follow_up(durations)
    codes = event_codes(kinds, of_interest)
    names, member = np.unique(np.asarray(group, dtype=str), return_inverse=True)
    if len(names) < 2:
        raise NotComputable("fewer than two groups")
    if not (codes == OF_INTEREST).any():
        raise NotComputable("no events")
    layer = np.zeros(len(codes), dtype=int) if strata is None else np.unique(strata, return_inverse=True)[1]
    score, variance = np.zeros(len(names)), np.zeros((len(names), len(names)))
    for stratum in np.unique(layer):
        inside = layer == stratum
        more = _gray_score(durations[inside], codes[inside], member[inside], len(names))
        score, variance = score + more[0], variance + more[1]
    # The scores of all groups add up to zero: one of them is redundant.
    score, variance = score[:-1], variance[:-1, :-1]
    if np.linalg.matrix_rank(variance) < len(score):
        raise NotComputable("a group has nobody at risk when the events happen")
    chi_squared = float(score @ np.linalg.solve(variance, score))
    degrees = len(score)
    return GrayTest(chi_squared, degrees, float(stats.chi2.sf(chi_squared, degrees)))


def _share(counts: Floats, at_risk: Floats) -> Floats:
    return np.divide(counts, at_risk, out=np.zeros_like(counts), where=counts > 0)


def _free_of_any(events: Floats, at_risk: Floats) -> tuple[Floats, Floats]:
    """Kaplan-Meier's probability to be free of any event just before each time, and at it; along the first axis."""
    after: Floats = np.cumprod(1 - _share(events, at_risk), axis=0, dtype=np.float64)
    return np.concatenate([np.ones_like(after[:1]), after[:-1]]), after


def _untied(events: Floats, at_risk: Floats) -> Floats:
    """What the variance of tied events is multiplied by: 1 - (d - 1) / (n - 1), as of a hypergeometric draw."""
    return 1 - np.divide(events - 1, at_risk - 1, out=np.zeros_like(events), where=events > 1)


def _variance(
    incidence: Floats, before: Floats, after: Floats, ours: Floats, others: Floats, at_risk: Floats
) -> Floats:
    """Var F(t) = sum over s <= t of (1 + (F(s) - F(t)) / S(s))^2 V1(s) + ((F(s) - F(t)) / S(s))^2 V2(s).

    V1 and V2 are the variances of the steps S(s-) d / n of the event of interest and of the others. Expanded in F(t),
    so that each sum is a running one. Where nobody is left, F no longer changes and only the 1 counts.
    """
    inverse = np.divide(1.0, after, out=np.zeros_like(after), where=after > 0)
    scale = before**2 * np.divide(1.0, at_risk, out=np.zeros_like(at_risk), where=at_risk > 0) ** 2
    step_ours = scale * ours * _untied(ours, at_risk)
    step_others = np.where(after > 0, scale * others * _untied(others, at_risk), 0.0)
    constant = np.cumsum((1 + incidence * inverse) ** 2 * step_ours + (incidence * inverse) ** 2 * step_others)
    linear = np.cumsum(inverse * ((1 + incidence * inverse) * step_ours + incidence * inverse * step_others))
    quadratic = np.cumsum(inverse**2 * (step_ours + step_others))
    return constant - 2 * incidence * linear + incidence**2 * quadratic


def _gray_score(
    durations: Floats, codes: NDArray[np.int64], member: NDArray[np.int64], groups: int
) -> tuple[Floats, Floats]:
    """Gray's scores, (groups,), and their covariance, (groups, groups), within one stratum.

    In his notation h = n / S(t-) of a group and R = h (1 - F(t-)); the score of a group is the sum of d - d. R / R.
    """
    times = np.unique(durations[codes > 0])
    at_risk, ours, others = (
        np.column_stack([count(member == each) for each in range(groups)])
        for count in (
            lambda inside: at_risk_at(times, durations[inside]),
            lambda inside: total_at(times, durations[inside & (codes == OF_INTEREST)]),
            lambda inside: total_at(times, durations[inside & (codes == OTHER)]),
        )
    )
    before, after = _free_of_any(ours + others, at_risk)
    incidence = np.cumsum(before * _share(ours, at_risk), axis=0)
    incidence_before = np.concatenate([np.zeros((1, groups)), incidence[:-1]])
    present = at_risk > 0
    h = np.divide(at_risk, before, out=np.zeros_like(at_risk), where=present)
    h_all = h.sum(axis=1)
    d_all = ours.sum(axis=1)
    r = h * (1 - incidence_before)
    score = (ours - d_all[:, None] * r / r.sum(axis=1, keepdims=True)).sum(axis=0)

    pooled = np.cumsum(d_all / h_all)
    pooled_before = np.concatenate([[0.0], pooled[:-1]])
    # a: how a group's score moves with another's martingale; its integral to the end is what a later step still moves.
    a = np.eye(groups) * h[:, :, None] - h[:, :, None] * h[:, None, :] / h_all[:, None, None]
    passed = np.cumsum(a * (d_all / (h_all * (1 - pooled_before)))[:, None, None], axis=0)
    to_come = passed[-1] - passed
    ratio = np.divide(1 - pooled[:, None], after, out=np.zeros_like(after), where=after > 0)

    expected = h_all[:, None] * before
    step_ours = np.divide(before * d_all[:, None], h_all[:, None] * at_risk, out=np.zeros_like(h), where=present)
    step_ours *= _untied(np.where(present, d_all[:, None], 0.0), expected)
    moved_by_ours = a + (1 - ratio)[:, None, :] * to_come
    step_others = np.where(after > 0, before**2 * _share(others, at_risk**2) * _untied(others, at_risk), 0.0)
    moved_by_others = ratio[:, None, :] * to_come
    variance = np.einsum("tik,tjk,tk->ij", moved_by_ours, moved_by_ours, step_ours)
    variance += np.einsum("tik,tjk,tk->ij", moved_by_others, moved_by_others, step_others)
    return score, variance
