"""Pictures of robustness: how far each nuisance moves a score, and what the nuisances look like on a drawn face."""

from __future__ import annotations

from collections.abc import Sequence
from io import BytesIO

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from numpy.typing import NDArray

from model.drawing import draw_face
from model.evaluation.findings import WHOLE, Finding
from model.evaluation.nuisance import DrawnNuisance, Nuisance, PictureNuisance
from model.evaluation.nuisance_pictures import Photograph
from model.evaluation.robustness import DRAWN_SIDE_PX, Subject
from model.evaluation.robustness_table import FACE_AGE, LOG_RISK, WEAKNESS, Measure

WITHIN_COLOUR, WEAK_COLOUR, NOISE_COLOUR = "#2f6f8f", "#b5482a", "#8a8a8a"
SHOWN_AS = {FACE_AGE: "mean |change| of FaceAge, years", LOG_RISK: "mean |change| of FaceSurvival, log-risk"}


def dot_plot(findings: Sequence[Finding], nuisances: Sequence[Nuisance]) -> bytes:
    """Mean |change| of FaceAge and log-risk, a row a nuisance, a dot a level, with the noise of one person's photos.

    `findings` as `robustness_findings` gives them. Returns a PNG.
    """
    known = {finding.metric for finding in findings}
    measures = [measure for measure in (FACE_AGE, LOG_RISK) if measure.absolute in known]
    figure = Figure(figsize=(10, 1.6 + 0.34 * len(nuisances)), layout="constrained")
    axes = np.atleast_1d(figure.subplots(1, max(len(measures), 1), sharey=True))
    for measure, axis in zip(measures, axes, strict=False):
        _dots(axis, findings, measure, nuisances)
    axes[0].set_yticks(range(len(nuisances)), [nuisance.name.replace("_", " ") for nuisance in nuisances])
    axes[0].set_ylim(len(nuisances) - 0.5, -0.5)
    return as_png(figure)


def _dots(axis: Axes, findings: Sequence[Finding], measure: Measure, nuisances: Sequence[Nuisance]) -> None:
    absolute = {finding.level: finding for finding in findings if finding.metric == measure.absolute}
    verdicts = {finding.level: finding.note for finding in findings if finding.metric == measure.ratio}
    for row, nuisance in enumerate(nuisances):
        shown = [level for level in nuisance.levels if nuisance.label(level) in absolute]
        heights = row + 0.3 * np.linspace(-0.5, 0.5, len(shown)) * (len(shown) > 1)
        for level, height in zip(shown, heights, strict=True):
            mean, low, high = _numbers(absolute[nuisance.label(level)])
            colour = WEAK_COLOUR if verdicts.get(nuisance.label(level)) == WEAKNESS else WITHIN_COLOUR
            axis.plot([low, high], [height, height], color=colour, linewidth=1, alpha=0.6)
            axis.plot([mean], [height], "o", color=colour, markersize=4)
        if shown:
            furthest = max(shown, key=lambda level: _numbers(absolute[nuisance.label(level)])[0])
            at = (_numbers(absolute[nuisance.label(furthest)])[2], row)
            axis.annotate(f"{furthest:g}", at, xytext=(4, 0), textcoords="offset points", va="center", fontsize=7)
    noise = next((f for f in findings if f.metric == measure.noise and f.group_name == WHOLE), None)
    if noise is not None and noise.estimate is not None:
        mean, low, high = _numbers(noise)
        axis.axvline(mean, color=NOISE_COLOUR, linestyle="--", linewidth=1.2)
        axis.axvspan(low, high, color=NOISE_COLOUR, alpha=0.15, linewidth=0)
    axis.set_xlim(left=0)
    axis.set_xlabel(SHOWN_AS[measure])
    axis.grid(axis="x", alpha=0.25)
    axis.spines[["top", "right"]].set_visible(False)


def _numbers(finding: Finding) -> tuple[float, float, float]:
    assert finding.estimate is not None and finding.lower_95 is not None and finding.upper_95 is not None
    return finding.estimate, finding.lower_95, finding.upper_95


def example_strip(
    subject: Subject,
    landmarks: NDArray[np.floating],
    drawn: Sequence[DrawnNuisance],
    pictures: Sequence[PictureNuisance],
) -> bytes:
    """One drawn person, plain and under each nuisance at its furthest level. Returns a PNG.

    Raises ValueError where the subject was not drawn: no real person is ever shown.
    """
    if subject.person is None:
        raise ValueError("only a drawn person may be shown")
    photograph = Photograph(subject.photo, landmarks)
    panels = [("plain", subject.photo)]
    for redrawn in drawn:
        level = redrawn.extremes[-1]
        person, conditions = redrawn(subject.person, subject.conditions, level)
        panels.append((redrawn.label(level), draw_face(person, conditions, DRAWN_SIDE_PX).pixels))
    panels += [(changed.label(changed.extremes[-1]), changed(photograph, changed.extremes[-1])) for changed in pictures]
    columns = 7
    rows = -(-len(panels) // columns)
    figure = Figure(figsize=(10, 1.65 * rows), layout="constrained")
    for axis, (words, pixels) in zip(figure.subplots(rows, columns).flat, panels, strict=False):
        axis.imshow(pixels)
        axis.set_title(words.replace("_", " "), fontsize=6.5, pad=2)
    for axis in figure.axes:
        axis.set_axis_off()
    return as_png(figure)


def as_png(figure: Figure) -> bytes:
    """The figure at 110 dots an inch."""
    buffer = BytesIO()
    figure.savefig(buffer, format="png", dpi=110)
    return buffer.getvalue()
