"""Charts as SVG text, coloured by the page's style sheet: no script, no font, nothing to fetch.

Each function returns one `<svg>`. Its classes (axis, grid, label, bar, cell, reference, …) are styled in report.css.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence

import pandas as pd
from markupsafe import Markup

from jobs.chart_parts import BOTTOM, LEFT, RIGHT, TOP, Scale, axes, line, number, steps, svg, words


def histogram(
    bins: Sequence[tuple[float, int]], bin_width: float, *, x_label: str, title: str, reference: float | None = None
) -> Markup:
    """Bars of counts.

    Args:
        bins: (lower edge, count), counts above 0.
        bin_width: width of every bin, in the unit of the edges.
        reference: draw a line there.
    """
    width, height = 460, 250
    low = min(edge for edge, _ in bins)
    high = max(edge for edge, _ in bins) + bin_width
    if reference is not None:
        low, high = min(low, reference), max(high, reference)
    most = max(count for _, count in bins)
    x = Scale(low, high, LEFT, width - RIGHT)
    y = Scale(0, most * 1.05, height - BOTTOM, TOP)
    parts = [*axes(x, y, width, height, x_label, "sessions", whole_y=True)]
    parts += [
        f'<rect class="bar" x="{x(edge) + 0.5:.1f}" y="{y(count):.1f}" width="{x(edge + bin_width) - x(edge) - 1:.1f}"'
        f' height="{y(0) - y(count):.1f}"><title>{number(edge)} to {number(edge + bin_width)}: {count}</title></rect>'
        for edge, count in bins
    ]
    if reference is not None:
        parts.append(line(x(reference), y(0), x(reference), TOP, "reference"))
    return svg(width, height, title, parts)


def heat_map(
    cells: Sequence[tuple[float, float, int]], bin_width: float, *, x_label: str, y_label: str, title: str
) -> Markup:
    """Counts over two quantities of one unit, with the line where they are equal.

    Args:
        cells: (lower edge across, lower edge up, count), counts above 0.
    """
    width, height = 460, 420
    low = min(min(across, up) for across, up, _ in cells)
    high = max(max(across, up) for across, up, _ in cells) + bin_width
    most = max(count for *_, count in cells)
    x, y = Scale(low, high, LEFT, width - RIGHT), Scale(low, high, height - BOTTOM, TOP)
    side_x, side_y = x(low + bin_width) - x(low), y(low) - y(low + bin_width)
    parts = [*axes(x, y, width, height, x_label, y_label)]
    parts += [
        f'<rect class="cell" x="{x(across):.1f}" y="{y(up + bin_width):.1f}" width="{side_x:.1f}" height="{side_y:.1f}"'
        f' fill-opacity="{0.15 + 0.85 * math.sqrt(count / most):.2f}"><title>{x_label} {number(across)} to'
        f" {number(across + bin_width)}, {y_label} {number(up)} to {number(up + bin_width)}: {count}</title></rect>"
        for across, up, count in cells
    ]
    parts.append(line(x(low), y(low), x(high), y(high), "reference"))
    return svg(width, height, title, parts)


def survival_curves(curves: Mapping[str, pd.DataFrame], *, title: str, origin: str = "index") -> Markup:
    """Kaplan-Meier curves with their intervals, and the numbers at risk below.

    Args:
        curves: by stratum; columns time_years, survival, ci_lower, ci_upper, at_risk.
        origin: what time is counted from.
    """
    row_height = 18
    width, plot_height = 720, 330
    height = plot_height + 30 + row_height * len(curves)
    longest = max(float(curve["time_years"].max()) for curve in curves.values())
    x = Scale(0, longest, LEFT + 30, width - RIGHT)
    y = Scale(0, 1, plot_height - BOTTOM, TOP)
    parts = [*axes(x, y, width, plot_height, f"years since {origin}", "survival", step_x=1)]
    for place, (stratum, curve) in enumerate(curves.items(), start=1):
        series = f"series-{place}"
        banded = curve.dropna(subset=["ci_lower", "ci_upper"])
        upper = steps(banded["time_years"], banded["ci_upper"], x, y)
        lower = steps(banded["time_years"], banded["ci_lower"], x, y)
        band = " ".join(upper + lower[::-1])
        parts.append(f'<polygon class="interval {series}" points="{band}"/>')
        corners = " ".join(steps(curve["time_years"], curve["survival"], x, y))
        parts.append(f'<polyline class="curve {series}" points="{corners}"/>')
        legend_y = TOP + 14 + 17 * (place - 1)
        parts.append(line(width - RIGHT - 62, legend_y - 4, width - RIGHT - 40, legend_y - 4, f"curve {series}"))
        parts.append(words(width - RIGHT - 34, legend_y, stratum, "label"))
    parts.append(words(6, plot_height + 18, "at risk", "label"))
    for place, (stratum, curve) in enumerate(curves.items(), start=1):
        baseline = plot_height + 18 + row_height * place
        parts.append(words(x(0) - 34, baseline, stratum, f"label strong series-{place}", anchor="end"))
        for year in range(math.floor(longest) + 1):
            parts.append(words(x(year), baseline, str(_at_risk(curve, year)), "label", anchor="middle"))
    return svg(width, height, title, parts)


def forest_scale(lower: float, upper: float) -> tuple[float, float, list[float]]:
    """Limits and ticks (powers of two) of hazard ratios from `lower` to `upper`, within 1/16 to 16."""
    low = max(2.0 ** math.floor(math.log2(min(lower, 1))), 1 / 16)
    high = min(2.0 ** math.ceil(math.log2(max(upper, 1))), 16.0)
    low, high = min(low, 0.5), max(high, 2.0)
    return low, high, [2.0**n for n in range(round(math.log2(low)), round(math.log2(high)) + 1)]


def forest_row(hazard_ratio: float, lower: float, upper: float, limits: tuple[float, float, list[float]]) -> Markup:
    """One row of a forest plot: the hazard ratio and its interval on a logarithmic axis; a tip where it is cut off."""
    x, parts = _forest_axis(limits, 26)
    low, high = limits[0], limits[1]
    start, end = x(math.log2(max(lower, low))), x(math.log2(min(upper, high)))
    parts.append(line(start, 13, end, 13, "interval-line"))
    if lower < low:
        parts.append(f'<path class="tip" d="M{start:.1f} 13 l6 -4 v8 z"/>')
    if upper > high:
        parts.append(f'<path class="tip" d="M{end:.1f} 13 l-6 -4 v8 z"/>')
    if low <= hazard_ratio <= high:
        parts.append(f'<rect class="point" x="{x(math.log2(hazard_ratio)) - 4:.1f}" y="9" width="8" height="8"/>')
    return svg(320, 26, f"hazard ratio {hazard_ratio:.2f}, {lower:.2f} to {upper:.2f}", parts)


def forest_axis(limits: tuple[float, float, list[float]]) -> Markup:
    """The axis below the rows."""
    x, parts = _forest_axis(limits, 8)
    parts += [words(x(math.log2(tick)), 22, f"{tick:g}", "label", anchor="middle") for tick in limits[2]]
    return svg(320, 28, "axis of hazard ratios", parts)


def _forest_axis(limits: tuple[float, float, list[float]], height: float) -> tuple[Scale, list[str]]:
    x = Scale(math.log2(limits[0]), math.log2(limits[1]), 16, 304)
    lines = [line(x(math.log2(t)), 0, x(math.log2(t)), height, "reference" if t == 1 else "grid") for t in limits[2]]
    return x, lines


def _at_risk(curve: pd.DataFrame, year: float) -> int:
    """Persons at risk just before a time; 0 after the end of follow-up."""
    later = curve[curve["time_years"] >= year]
    return int(later["at_risk"].iloc[0]) if len(later) else 0
