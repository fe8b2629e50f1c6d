"""Pictures of survival: Kaplan-Meier curves by quarter of a score, discrimination over time, by group and by model."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from model.evaluation.figure_style import ACCENT, QUARTER_COLOURS, QUIET, as_png, dots_with_intervals
from model.evaluation.findings import WHOLE, Finding
from model.evaluation.nested_models import MODELS
from model.evaluation.prognosis import HORIZONS_YEARS, at_years

FEWEST_SHOWN = 5
"""A curve ends where fewer people are still followed (ours): it would show when single people died, and little else."""


def survival_curves(curves: Mapping[str, pd.DataFrame]) -> bytes | None:
    """Kaplan-Meier curves, as `curves_by_quarter` gives them, with 95 % intervals and the numbers at risk below.

    Returns a PNG; None where no curve has enough people.
    """
    curves = {name: curve for name, curve in curves.items() if curve["at_risk"].iloc[0] >= FEWEST_SHOWN}
    if not curves:
        return None
    figure = Figure(figsize=(7.6, 5.4), layout="constrained")
    above, below = figure.subplots(2, 1, height_ratios=(5, 1.1), sharex=True)
    longest = max(_shown_until(curve) for curve in curves.values())
    for (stratum, curve), colour in zip(curves.items(), QUARTER_COLOURS, strict=False):
        shown = curve[curve["at_risk"] >= FEWEST_SHOWN]
        above.step(shown["time_years"], shown["survival"], where="post", color=colour, label=stratum)
        above.fill_between(
            shown["time_years"],
            shown["ci_lower"],
            shown["ci_upper"],
            step="post",
            color=colour,
            alpha=0.13,
            linewidth=0,
        )
    above.set(ylabel="alive (Kaplan-Meier)", ylim=(0, 1.02), xlim=(0, longest))
    above.legend(loc="lower left", fontsize=8, frameon=False, title="quarter", title_fontsize=8)
    above.grid(color="#e3e6ea", linewidth=0.8)
    _numbers_at_risk(below, curves, longest)
    return as_png(figure)


def auc_over_time(findings: Sequence[Finding], names: Mapping[str, str]) -> bytes | None:
    """AUC at each horizon, one line a score. Returns a PNG; None where no horizon has a number."""
    found = {f.metric: f for f in findings if f.group_name == WHOLE and f.estimate is not None}
    figure = Figure(figsize=(6.4, 3.6), layout="constrained")
    axes = figure.subplots()
    for place, (name, words) in enumerate(names.items()):
        of_score = {horizon: found.get(f"{name}_auc_{at_years(horizon)}") for horizon in HORIZONS_YEARS}
        shown = [(horizon, finding) for horizon, finding in of_score.items() if finding is not None]
        if not shown:
            continue
        x = [horizon + 0.05 * place for horizon, _ in shown]
        colour = (ACCENT, QUARTER_COLOURS[3])[place % 2]
        heights = [f.estimate or 0.0 for _, f in shown]
        axes.plot(x, heights, "o-", color=colour, markersize=4, label=words)
        for at, (_, finding) in zip(x, shown, strict=True):
            if finding.lower_95 is not None and finding.upper_95 is not None:
                axes.plot([at, at], [finding.lower_95, finding.upper_95], color=colour, linewidth=1.2)
    if not axes.lines:
        return None
    axes.axhline(0.5, color=QUIET, linestyle="--", linewidth=1)
    axes.set(xlabel="years", ylabel="AUC, cumulative/dynamic", xticks=HORIZONS_YEARS)
    axes.legend(fontsize=8, frameon=False)
    return as_png(figure)


def concordance_by_group(findings: Sequence[Finding], names: Mapping[str, str]) -> bytes | None:
    """C by subgroup, a panel a score. Returns a PNG; None where no subgroup has a number."""
    metrics = {f"{name}_c_index": words for name, words in names.items()}
    shown = [f for f in findings if f.metric in metrics and f.estimate is not None]
    rows = list(dict.fromkeys((f.group_name, f.level) for f in shown))
    if len(rows) < 2:
        return None
    figure = Figure(figsize=(9, 1.2 + 0.27 * len(rows)), layout="constrained")
    panels = np.atleast_1d(figure.subplots(1, len(metrics), sharey=True, sharex=True))
    for axes, (metric, words) in zip(panels, metrics.items(), strict=True):
        of_metric = {(f.group_name, f.level): f for f in shown if f.metric == metric}
        dots_with_intervals(axes, [of_metric.get(row) for row in rows])
        axes.axvline(0.5, color=QUIET, linestyle="--", linewidth=1)
        axes.set_xlabel(f"C-index of {words}")
    names_of_rows = ["all" if group == WHOLE else f"{group.replace('_', ' ')}: {level}" for group, level in rows]
    panels[0].set_yticks(range(len(rows)), names_of_rows)
    return as_png(figure)


def concordance_by_model(findings: Sequence[Finding]) -> bytes | None:
    """Cross-fitted C of each Cox model. Returns a PNG; None where no model has one."""
    shown = [f for f in findings if f.group_name == MODELS and f.metric == "c_index_cross_fitted"]
    shown = [finding for finding in shown if finding.estimate is not None]
    if not shown:
        return None
    figure = Figure(figsize=(7.6, 0.9 + 0.4 * len(shown)), layout="constrained")
    axes = figure.subplots()
    dots_with_intervals(axes, shown)
    axes.set_yticks(range(len(shown)), [finding.level for finding in shown])
    axes.set_xlabel("C-index, each person predicted by a model of other people")
    return as_png(figure)


def _shown_until(curve: pd.DataFrame) -> float:
    return float(curve.loc[curve["at_risk"] >= FEWEST_SHOWN, "time_years"].max())


def _numbers_at_risk(axes: Axes, curves: Mapping[str, pd.DataFrame], longest: float) -> None:
    years = np.arange(0, longest + 1e-9, max(1, round(longest / 10)))
    for row, (curve, colour) in enumerate(zip(curves.values(), QUARTER_COLOURS, strict=False)):
        for year in years:
            later = curve[curve["time_years"] >= year]
            count = int(later["at_risk"].iloc[0]) if len(later) else 0
            axes.text(year, row, str(count), ha="center", va="center", fontsize=8, color=colour, clip_on=False)
    axes.set(ylim=(len(curves) - 0.5, -0.5), xlabel="years", xticks=years)
    axes.set_yticks(range(len(curves)), list(curves))
    axes.tick_params(axis="y", length=0, pad=14)
    axes.set_ylabel("at risk", fontsize=8)
    for side in ("top", "right", "left"):
        axes.spines[side].set_visible(False)
