"""Charts as SVG text, coloured by the page's style sheet: no script, no font, nothing to fetch.

Each function returns one `<svg>`. Its classes (axis, grid, label, bar, cell, reference, …) are styled in report.css.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import pandas as pd
from markupsafe import Markup, escape

LEFT, RIGHT, TOP, BOTTOM = 54, 12, 12, 40


@dataclass(frozen=True)
class Scale:
    """Maps `low`..`high` of the data to `start`..`end` of the picture."""

    low: float
    high: float
    start: float
    end: float

    def __call__(self, value: float) -> float:
        """Position of a value, pixels."""
        return self.start + (value - self.low) / ((self.high - self.low) or 1) * (self.end - self.start)


def nice_step(span: float, ticks: int = 6) -> float:
    """A step of 1, 2 or 5 times a power of ten that gives about so many ticks over `span`."""
    raw = max(span, 1e-12) / ticks
    power = 10 ** math.floor(math.log10(raw))
    return next(power * factor for factor in (1, 2, 5, 10) if power * factor >= raw * 0.999)


def ticks_of(low: float, high: float, ticks: int = 6) -> list[float]:
    """Round values from `low` to `high`."""
    step = nice_step(high - low, ticks)
    first = math.ceil(low / step - 1e-9)
    return [round(step * n, 10) for n in range(first, math.floor(high / step + 1e-9) + 1)]


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
    parts = [*_axes(x, y, width, height, x_label, "sessions", whole_y=True)]
    parts += [
        f'<rect class="bar" x="{x(edge) + 0.5:.1f}" y="{y(count):.1f}" width="{x(edge + bin_width) - x(edge) - 1:.1f}"'
        f' height="{y(0) - y(count):.1f}"><title>{_number(edge)} to {_number(edge + bin_width)}: {count}</title></rect>'
        for edge, count in bins
    ]
    if reference is not None:
        parts.append(_line(x(reference), y(0), x(reference), TOP, "reference"))
    return _svg(width, height, title, parts)


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
    parts = [*_axes(x, y, width, height, x_label, y_label)]
    parts += [
        f'<rect class="cell" x="{x(across):.1f}" y="{y(up + bin_width):.1f}" width="{side_x:.1f}" height="{side_y:.1f}"'
        f' fill-opacity="{0.15 + 0.85 * math.sqrt(count / most):.2f}"><title>{x_label} {_number(across)} to'
        f" {_number(across + bin_width)}, {y_label} {_number(up)} to {_number(up + bin_width)}: {count}</title></rect>"
        for across, up, count in cells
    ]
    parts.append(_line(x(low), y(low), x(high), y(high), "reference"))
    return _svg(width, height, title, parts)


def survival_curves(curves: Mapping[str, pd.DataFrame], *, title: str) -> Markup:
    """Kaplan-Meier curves with their intervals, and the numbers at risk below.

    Args:
        curves: by stratum; columns time_years, survival, ci_lower, ci_upper, at_risk.
    """
    row_height = 18
    width, plot_height = 720, 330
    height = plot_height + 30 + row_height * len(curves)
    longest = max(float(curve["time_years"].max()) for curve in curves.values())
    x = Scale(0, longest, LEFT + 30, width - RIGHT)
    y = Scale(0, 1, plot_height - BOTTOM, TOP)
    parts = [*_axes(x, y, width, plot_height, "years since index", "survival", step_x=1)]
    for number, (stratum, curve) in enumerate(curves.items(), start=1):
        series = f"series-{number}"
        banded = curve.dropna(subset=["ci_lower", "ci_upper"])
        upper = _steps(banded["time_years"], banded["ci_upper"], x, y)
        lower = _steps(banded["time_years"], banded["ci_lower"], x, y)
        band = " ".join(upper + lower[::-1])
        parts.append(f'<polygon class="interval {series}" points="{band}"/>')
        line = " ".join(_steps(curve["time_years"], curve["survival"], x, y))
        parts.append(f'<polyline class="curve {series}" points="{line}"/>')
        legend_y = TOP + 14 + 17 * (number - 1)
        parts.append(_line(width - RIGHT - 62, legend_y - 4, width - RIGHT - 40, legend_y - 4, f"curve {series}"))
        parts.append(_text(width - RIGHT - 34, legend_y, stratum, "label"))
    parts.append(_text(6, plot_height + 18, "at risk", "label"))
    for number, (stratum, curve) in enumerate(curves.items(), start=1):
        baseline = plot_height + 18 + row_height * number
        parts.append(_text(x(0) - 34, baseline, stratum, f"label strong series-{number}", anchor="end"))
        for year in range(math.floor(longest) + 1):
            parts.append(_text(x(year), baseline, str(_at_risk(curve, year)), "label", anchor="middle"))
    return _svg(width, height, title, parts)


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
    parts.append(_line(start, 13, end, 13, "interval-line"))
    if lower < low:
        parts.append(f'<path class="tip" d="M{start:.1f} 13 l6 -4 v8 z"/>')
    if upper > high:
        parts.append(f'<path class="tip" d="M{end:.1f} 13 l-6 -4 v8 z"/>')
    if low <= hazard_ratio <= high:
        parts.append(f'<rect class="point" x="{x(math.log2(hazard_ratio)) - 4:.1f}" y="9" width="8" height="8"/>')
    return _svg(320, 26, f"hazard ratio {hazard_ratio:.2f}, {lower:.2f} to {upper:.2f}", parts)


def forest_axis(limits: tuple[float, float, list[float]]) -> Markup:
    """The axis below the rows."""
    x, parts = _forest_axis(limits, 8)
    parts += [_text(x(math.log2(tick)), 22, f"{tick:g}", "label", anchor="middle") for tick in limits[2]]
    return _svg(320, 28, "axis of hazard ratios", parts)


def _forest_axis(limits: tuple[float, float, list[float]], height: float) -> tuple[Scale, list[str]]:
    x = Scale(math.log2(limits[0]), math.log2(limits[1]), 16, 304)
    lines = [_line(x(math.log2(t)), 0, x(math.log2(t)), height, "reference" if t == 1 else "grid") for t in limits[2]]
    return x, lines


def _at_risk(curve: pd.DataFrame, year: float) -> int:
    """Persons at risk just before a time; 0 after the end of follow-up."""
    later = curve[curve["time_years"] >= year]
    return int(later["at_risk"].iloc[0]) if len(later) else 0


def _steps(times: pd.Series, values: pd.Series, x: Scale, y: Scale) -> list[str]:
    """Corner points of a right-continuous step function."""
    points: list[str] = []
    previous = None
    for time, value in zip(times, values, strict=True):
        if previous is not None:
            points.append(f"{x(time):.1f},{y(previous):.1f}")
        points.append(f"{x(time):.1f},{y(value):.1f}")
        previous = value
    return points


def _axes(
    x: Scale,
    y: Scale,
    width: float,
    height: float,
    x_label: str,
    y_label: str,
    *,
    whole_y: bool = False,
    step_x: float | None = None,
) -> list[str]:
    across = [n * step_x for n in range(math.floor(x.high / step_x) + 1)] if step_x else ticks_of(x.low, x.high, 7)
    up = [tick for tick in ticks_of(y.low, y.high) if not whole_y or tick == int(tick)]
    parts = [_line(x.start, y(tick), x.end, y(tick), "grid") for tick in up]
    parts += [_text(x.start - 8, y(tick) + 4, _number(tick), "label", anchor="end") for tick in up]
    parts += [_line(x(tick), y.start, x(tick), y.start + 4, "axis") for tick in across]
    parts += [_text(x(tick), y.start + 17, _number(tick), "label", anchor="middle") for tick in across]
    parts.append(_line(x.start, y.start, x.end, y.start, "axis"))
    parts.append(_text((x.start + x.end) / 2, height - 6, x_label, "label", anchor="middle"))
    middle = (y.start + y.end) / 2
    turned = f' transform="rotate(-90 14 {middle:.1f})"'
    parts.append(f'<text class="label" x="14" y="{middle:.1f}" text-anchor="middle"{turned}>{escape(y_label)}</text>')
    return parts


def _line(x1: float, y1: float, x2: float, y2: float, style: str) -> str:
    return f'<line class="{style}" x1="{x1:.1f}" y1="{y1:.1f}" x2="{x2:.1f}" y2="{y2:.1f}"/>'


def _text(x: float, y: float, words: str, style: str, *, anchor: str = "start") -> str:
    return f'<text class="{style}" x="{x:.1f}" y="{y:.1f}" text-anchor="{anchor}">{escape(words)}</text>'


def _number(value: float) -> str:
    return f"{value:.10g}".replace("-", "−")


def _svg(width: float, height: float, title: str, parts: Sequence[str]) -> Markup:
    return Markup(
        f'<svg viewBox="0 0 {width:g} {height:g}" role="img" aria-label="{escape(title)}">'
        f"<title>{escape(title)}</title>{''.join(parts)}</svg>"
    )
