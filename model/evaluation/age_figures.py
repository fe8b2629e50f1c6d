"""Pictures of FaceAge against age: where faces fall, errors by group, and how far photos of a session disagree."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pandas as pd
from matplotlib.figure import Figure

from model.evaluation.figure_style import ACCENT, QUIET, as_png, dots_with_intervals
from model.evaluation.findings import WHOLE, Finding

BIN_YEARS = 2.5


def age_plane(photos: pd.DataFrame, findings: Sequence[Finding]) -> bytes:
    """Photos in squares of 2.5 years over age and FaceAge, with equality and the calibration line. Returns a PNG."""
    figure = Figure(figsize=(6.4, 5.6), layout="constrained")
    axes = figure.subplots()
    age, face_age = photos["age_years"].to_numpy(float), photos["face_age_years"].to_numpy(float)
    low = BIN_YEARS * np.floor(min(age.min(), face_age.min()) / BIN_YEARS)
    high = BIN_YEARS * np.ceil(max(age.max(), face_age.max()) / BIN_YEARS) + BIN_YEARS
    edges = np.arange(low, high + BIN_YEARS / 2, BIN_YEARS)
    counts, _, _ = np.histogram2d(age, face_age, bins=(edges, edges))
    shown = axes.pcolormesh(edges, edges, np.ma.masked_equal(counts.T, 0), cmap="Blues", vmin=-counts.max() / 4)
    figure.colorbar(shown, label="photos", boundaries=np.linspace(0, counts.max(), 50), ticks=_whole(counts.max()))
    axes.plot([low, high], [low, high], "--", color=QUIET, linewidth=1, label="FaceAge equals age")
    estimates = {finding.metric: finding.estimate for finding in findings if finding.group_name == WHOLE}
    slope = estimates.get("face_age_calibration_slope")
    intercept = estimates.get("face_age_calibration_intercept_years")
    if slope is not None and intercept is not None:
        ends = np.array([face_age.min(), face_age.max()])
        axes.plot(intercept + slope * ends, ends, color="#b5482a", linewidth=1.5, label="age expected at a FaceAge")
    axes.set(xlabel="age, years", ylabel="FaceAge, years", xlim=(low, high), ylim=(low, high), aspect="equal")
    axes.legend(loc="upper left", fontsize=8, frameon=False)
    return as_png(figure)


def errors_by_group(findings: Sequence[Finding]) -> bytes | None:
    """Mean absolute error and bias by every group, with intervals. Returns a PNG; None where nothing is grouped."""
    panels = {"face_age_mae_years": "mean |FaceAge − age|, years", "face_age_bias_years": "mean FaceAge − age, years"}
    shown = [f for f in findings if f.metric in panels and f.estimate is not None]
    rows = list(dict.fromkeys((f.group_name, f.level) for f in shown))
    if len(rows) < 2:
        return None
    figure = Figure(figsize=(9, 1.2 + 0.27 * len(rows)), layout="constrained")
    for axes, (metric, label) in zip(figure.subplots(1, 2, sharey=True), panels.items(), strict=True):
        of_metric = {(f.group_name, f.level): f for f in shown if f.metric == metric}
        dots_with_intervals(axes, [of_metric.get(row) for row in rows])
        axes.set_xlabel(label)
        if metric == "face_age_bias_years":
            axes.axvline(0, color=QUIET, linestyle="--", linewidth=1)
        else:
            axes.set_xlim(left=0)
            axes.set_yticks(range(len(rows)), [_row_name(*row) for row in rows])
    return as_png(figure)


def session_disagreement(photos: pd.DataFrame) -> bytes | None:
    """Each photo's FaceAge minus the mean of its session. Returns a PNG; None where no session has two photos."""
    of_session = photos.groupby("session")["face_age_years"]
    several = of_session.transform("size") >= 2
    if not several.any():
        return None
    deviation = (photos["face_age_years"] - of_session.transform("mean"))[several]
    figure = Figure(figsize=(6.4, 3.2), layout="constrained")
    axes = figure.subplots()
    axes.hist(deviation, bins=40, color=ACCENT)
    axes.axvline(0, color=QUIET, linestyle="--", linewidth=1)
    axes.set(xlabel="FaceAge of a photo minus the mean of its session, years", ylabel="photos")
    return as_png(figure)


def _row_name(group: str, level: str) -> str:
    return "all" if group == WHOLE else f"{group.replace('_', ' ')}: {level}"


def _whole(largest: float) -> np.ndarray:
    """A few whole numbers up to the largest count."""
    return np.unique(np.linspace(1, max(largest, 1), 5).round())
