"""From readings to the table: how far a nuisance moves FaceAge and risk, against the noise of one person's photos."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from scipy.stats import rankdata

from model.evaluation.findings import WHOLE, Finding
from model.evaluation.robustness import BASELINE, DRAWN, PICTURE, SAME_DAY

FEWEST_PEOPLE = 5
"""With fewer people scored both plain and under a nuisance there is no number: reasons only (ours)."""

RESAMPLES = 1000

TAIL = 0.025
"""Of resamples beyond each end of an interval."""

WITHIN_NOISE, WEAKNESS = "within noise", "weakness"
"""A weakness: the mean |change| exceeds the mean |difference| between two photographs of one person on one day."""

Array = NDArray[np.float64]
Level = tuple[str, str]
"""Group (drawn again, or picture changed) and level, as printed."""
Estimate = tuple[float, float | None, float | None]
"""A number and its 95 % interval, if it has one."""


@dataclass(frozen=True)
class Measure:
    """A score whose changes are judged, and how the names of its findings begin and end."""

    column: str
    name: str
    unit: str

    @property
    def ratio(self) -> str:
        """Metric that is judged: mean |change| over mean |difference| of one day."""
        return f"{self.name}_change_to_noise_ratio"

    @property
    def absolute(self) -> str:
        """Metric: mean |change|."""
        return f"{self.name}_absolute_change_{self.unit}"

    @property
    def noise(self) -> str:
        """Metric: mean |difference| between two photographs of one person on one day."""
        return f"{self.name}_same_day_difference_{self.unit}"


FACE_AGE = Measure("face_age_years", "face_age", "years")
LOG_RISK = Measure("log_risk", "face_survival", "log_risk")
RISK_RANK = Measure("risk_rank", "risk_rank", "percentile_points")


def robustness_findings(readings: pd.DataFrame, *, resamples: int = RESAMPLES, seed: int = 0) -> list[Finding]:
    """Everything the table says; `level` names nuisance and level, `group_name` how the photograph came about.

    `readings` as `read_under_nuisances` gives them. Intervals are percentiles of `resamples` bootstraps over people; a
    ratio resamples change and noise together. A score that no photograph has gives no findings.

    Raises ValueError where not one plain photograph has a score.
    """
    scored = readings.loc[readings["group"].eq(BASELINE) & readings["reason"].isna(), "person"]
    if scored.empty:
        raise ValueError("no plain photograph has a score: there is nothing to compare with")
    kept = with_risk_ranks(readings[readings["person"].isin(scored)])
    bootstrap = Bootstrap(len(scored), resamples, seed)
    findings = [_unscored("plain_photo_unscored_share", readings[readings["group"] == BASELINE], (WHOLE, WHOLE))]
    measures = [measure for measure in (FACE_AGE, LOG_RISK, RISK_RANK) if kept[measure.column].notna().any()]
    for measure in measures:
        findings += _of_measure(measure, kept, bootstrap)
        if measure is measures[0]:
            findings += [_unscored("unscored_share", _at(kept, at), at) for at in _levels(kept)]
    findings += _refusals(kept)
    return findings


def weaknesses(findings: Sequence[Finding], measure: Measure) -> list[Finding]:
    """The ratios that are called a weakness, worst first."""
    weak = [finding for finding in findings if finding.metric == measure.ratio and finding.note == WEAKNESS]
    return sorted(weak, key=lambda finding: -(finding.estimate or 0.0))


def with_risk_ranks(readings: pd.DataFrame) -> pd.DataFrame:
    """Add `risk_rank`: where a log-risk stands among the plain photographs of all other people, 0 to 100.

    Only the one person's photograph is changed, as in a clinic; the others keep their plain ones. A tie counts half.
    """
    plain = readings[readings["group"] == BASELINE].set_index("person")["log_risk"].dropna()
    others, values = np.sort(plain.to_numpy()), readings["log_risk"].to_numpy()
    own = readings["person"].map(plain).to_numpy(dtype=float)
    below = np.searchsorted(others, values, "left") - (own < values)
    not_above = np.searchsorted(others, values, "right") - (own <= values)
    rank = 100 * (below + not_above) / 2 / max(len(others) - 1, 1)
    return readings.assign(risk_rank=np.where(np.isfinite(values) & np.isfinite(own), rank, np.nan))


class Bootstrap:
    """Means over people with intervals; every number takes the same resamples of the same people."""

    def __init__(self, people: int, resamples: int, seed: int) -> None:
        rng = np.random.default_rng(seed)
        self._times_drawn = rng.multinomial(people, np.full(people, 1 / people), size=resamples).astype(np.float64)

    def mean(self, values: Array) -> Estimate:
        """Mean over the people that have a value."""
        return (float(np.nanmean(values)), *_interval(self._means(values)))

    def ratio(self, values: Array, reference: Array) -> Estimate:
        """Mean of `values` over the mean of `reference`, which must not be all 0.

        There is no interval where the reference vanishes in too many resamples to tell its upper end.
        """
        with np.errstate(divide="ignore", invalid="ignore"):
            ratios = self._means(values) / self._means(reference)
        number = float(np.nanmean(values) / np.nanmean(reference))
        if np.mean(~np.isfinite(ratios)) > TAIL:
            return number, None, None
        return (number, *_interval(ratios))

    def _means(self, values: Array) -> Array:
        """(resamples,); not finite for a resample in which nobody has a value."""
        known = np.isfinite(values)
        with np.errstate(invalid="ignore"):
            return np.asarray((self._times_drawn[:, known] @ values[known]) / self._times_drawn[:, known].sum(axis=1))


def _interval(resampled: Array) -> tuple[float, float]:
    low, high = np.quantile(resampled[np.isfinite(resampled)], [TAIL, 1 - TAIL])
    return float(low), float(high)


def _unscored(metric: str, photographs: pd.DataFrame, at: Level, reason: str | None = None) -> Finding:
    """Share of photographs without a score, for one reason or for any."""
    refused = photographs["reason"].notna() if reason is None else photographs["reason"].eq(reason)
    photos, people = len(photographs), photographs["person"].nunique()
    return Finding(metric, float(refused.mean()), *at, photos=photos, people=people)


def _refusals(readings: pd.DataFrame) -> Iterator[Finding]:
    """Why photographs under a nuisance have no score, where any has none."""
    for at in _levels(readings):
        photographs = _at(readings, at)
        for reason in sorted(photographs["reason"].dropna().unique()):
            yield _unscored(f"refused_{reason}_share", photographs, at, reason)


def _at(readings: pd.DataFrame, at: Level) -> pd.DataFrame:
    return readings[readings["group"].eq(at[0]) & readings["level"].eq(at[1])]


def _levels(readings: pd.DataFrame) -> list[Level]:
    """Every nuisance and level, in the order in which they were tried."""
    tried = readings[readings["group"].isin([DRAWN, PICTURE])][["group", "level"]].drop_duplicates()
    return list(zip(tried["group"], tried["level"], strict=True))


def _of_measure(measure: Measure, readings: pd.DataFrame, bootstrap: Bootstrap) -> Iterator[Finding]:
    values = readings.pivot(index="person", columns=["group", "level"], values=measure.column).astype(float)
    plain, noise = values[(BASELINE, BASELINE)].to_numpy(), _same_day_difference(values)
    paired = int(np.isfinite(noise).sum())
    has_noise = paired >= FEWEST_PEOPLE and float(np.nanmean(noise)) > 0
    if has_noise:
        yield _finding(measure.noise, bootstrap.mean(noise), (WHOLE, WHOLE), paired)
    else:
        why = f"{paired} people have two scored photographs of one day that differ: too few to judge by"
        yield Finding(measure.noise, None, people=paired, note=why)
    for at in _levels(readings):
        change = values[at].to_numpy() - plain
        people = int(np.isfinite(change).sum())
        changed = f"{measure.name}_change_{measure.unit}"
        if people < FEWEST_PEOPLE:
            why = f"{people} people have a score under it: too few"
            yield Finding(changed, None, *at, photos=people, people=people, note=why)
            continue
        yield _finding(changed, bootstrap.mean(change), at, people)
        if has_noise:
            ratio = bootstrap.ratio(np.abs(change), noise)
            yield _finding(measure.ratio, ratio, at, people, WEAKNESS if ratio[0] > 1 else WITHIN_NOISE)
        yield _finding(measure.absolute, bootstrap.mean(np.abs(change)), at, people)
        spread = float(np.nanstd(change, ddof=1))
        yield Finding(f"{measure.name}_change_sd_{measure.unit}", spread, *at, photos=people, people=people)
        if measure is LOG_RISK:
            yield _rank_correlation(plain, plain + change, at)


def _same_day_difference(values: pd.DataFrame) -> Array:
    """(n,) absolute difference between a person's two photographs of one day; NaN where there are no two scores."""
    first, second = ((SAME_DAY, number) for number in ("1", "2"))
    if first not in values or second not in values:
        return np.full(len(values), np.nan)
    return np.asarray((values[first] - values[second]).abs())


def _finding(metric: str, estimate: Estimate, at: Level, people: int, note: str | None = None) -> Finding:
    mean, low, high = estimate
    return Finding(metric, mean, *at, photos=people, people=people, lower_95=low, upper_95=high, note=note)


def _rank_correlation(plain: Array, changed: Array, at: Level) -> Finding:
    """Spearman's: whether the order of the people stays when all of them are photographed under the nuisance."""
    both = np.isfinite(changed)
    ranks = rankdata(plain[both]), rankdata(changed[both])
    people = int(both.sum())
    if min(float(np.ptp(rank)) for rank in ranks) == 0:
        return Finding("risk_spearman", None, *at, people=people, note="all log-risks are the same")
    return Finding("risk_spearman", float(np.corrcoef(*ranks)[0, 1]), *at, photos=people, people=people)
