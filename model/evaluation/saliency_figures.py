"""Pictures of saliency: averaged maps on the aligned face, and shares by region."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from numpy.typing import NDArray

from model.evaluation.findings import Finding
from model.evaluation.regions import GRID, REGIONS, region_masks
from model.evaluation.robustness_figures import as_png
from model.evaluation.saliency_table import Looks

COLOURS = {"face_age": "#2f6f8f", "face_survival": "#b5482a"}
NAMES = {"face_age": "FaceAge", "face_survival": "FaceSurvival"}


def map_figure(looks: Looks, drawn_faces: NDArray[np.uint8] | None) -> bytes:
    """Averaged maps, one row a network: integrated gradients, occlusion, shuffled weights; then the truth.

    `drawn_faces` (n, 112, 112, 3): their mean lies beneath the maps. None for photographs of real people, whose face is
    never shown, not even averaged: only the outlines of the regions are. Returns a PNG.
    """
    face = None if drawn_faces is None else drawn_faces.mean(axis=0).astype(np.uint8)
    rows: list[list[tuple[str, NDArray[np.float64]]]] = []
    for name, maps in looks.networks.items():
        rows.append(
            [
                (f"{NAMES[name]}: integrated gradients", maps.gradients.mean(axis=0)),
                (f"{NAMES[name]}: occlusion", maps.occlusion.mean(axis=0).reshape(GRID, GRID)),
                (f"{NAMES[name]}: shuffled weights", np.mean(looks.shuffled[name], axis=(0, 1))),
            ]
        )
    if looks.truths:
        rows.append(
            [(f"drawn truth: {signs.replace('_', ' ')}", truth.mean(axis=0)) for signs, truth in looks.truths.items()]
        )
    figure = Figure(figsize=(9.6, 3.2 * len(rows)), layout="constrained")
    for axes, row in zip(np.atleast_2d(figure.subplots(len(rows), 3)), rows, strict=True):
        for axis, (title, values) in zip(axes, row, strict=True):
            _over_face(axis, face, values)
            axis.set_title(title, fontsize=9)
    return as_png(figure)


def _over_face(axis: Axes, face: NDArray[np.uint8] | None, values: NDArray[np.float64]) -> None:
    """A map over the mean face, in its own range: what counts is where it is high."""
    side = (-0.5, 111.5, 111.5, -0.5)
    if face is not None:
        axis.imshow(face, extent=side)
    strength = values / (np.quantile(values, 0.995) or 1.0)
    axis.imshow(strength, extent=side, cmap="inferno", alpha=0.75 if face is not None else 1.0, vmin=0, vmax=1)
    for mask in region_masks():
        axis.contour(mask, levels=[0.5], colors="white", linewidths=0.4, alpha=0.6)
    axis.set_axis_off()


def region_figure(findings: Sequence[Finding]) -> bytes:
    """Shares of attribution by region and network with their intervals; grey: the region's share of the area."""
    figure = Figure(figsize=(9.6, 4.2), layout="constrained")
    axis = figure.subplots()
    places = np.arange(len(REGIONS))
    area = {finding.level: finding.estimate or 0.0 for finding in findings if finding.metric == "area_share"}
    axis.bar(places, [100 * area[region] for region in REGIONS], width=0.82, color="#dddddd", label="share of the area")
    for place, (name, colour) in enumerate(COLOURS.items()):
        shares = {finding.level: finding for finding in findings if finding.metric == f"{name}_gradients_share"}
        if shares:
            numbers = np.array(
                [[shares[r].estimate, shares[r].lower_95, shares[r].upper_95] for r in REGIONS], dtype=float
            )
            mean, low, high = 100 * numbers.T
            spans = np.maximum([mean - low, high - mean], 0)
            beside = places + 0.24 * (place - 0.5)
            axis.errorbar(beside, mean, spans, fmt="o", color=colour, markersize=5, label=NAMES[name])
    axis.set_xticks(places, [region.replace("_", "\n") for region in REGIONS], fontsize=8)
    axis.set_ylabel("share of attribution, %")
    axis.set_ylim(bottom=0)
    axis.legend(frameon=False, fontsize=8)
    axis.spines[["top", "right"]].set_visible(False)
    return as_png(figure)
