"""What charts are made of: scales, axes, lines and words as SVG text, coloured by the page's style sheet.

Classes (axis, grid, label, bar, cell, reference, …) are styled in report.css.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

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


def axes(
    x: Scale,
    y: Scale,
    width: float,
    height: float,
    x_label: str,
    y_label: str,
    *,
    whole_y: bool = False,
    step_x: float | None = None,
    ticks_y: Mapping[float, str] | None = None,
) -> list[str]:
    """Both axes with grid, ticks and labels.

    Args:
        x, y: where the data go.
        width, height: of the chart.
        x_label, y_label: in words, with the unit.
        whole_y: ticks at whole numbers only.
        step_x: ticks from 0 in such steps.
        ticks_y: ticks and what stands at them, instead of round numbers.
    """
    across = [n * step_x for n in range(math.floor(x.high / step_x) + 1)] if step_x else ticks_of(x.low, x.high, 7)
    round_numbers = [tick for tick in ticks_of(y.low, y.high) if not whole_y or tick == int(tick)]
    up = {tick: number(tick) for tick in round_numbers} if ticks_y is None else ticks_y
    parts = [line(x.start, y(tick), x.end, y(tick), "grid") for tick in up]
    parts += [words(x.start - 8, y(tick) + 4, told, "label", anchor="end") for tick, told in up.items()]
    parts += [line(x(tick), y.start, x(tick), y.start + 4, "axis") for tick in across]
    parts += [words(x(tick), y.start + 17, number(tick), "label", anchor="middle") for tick in across]
    parts.append(line(x.start, y.start, x.end, y.start, "axis"))
    parts.append(words((x.start + x.end) / 2, height - 6, x_label, "label", anchor="middle"))
    middle = (y.start + y.end) / 2
    turned = f' transform="rotate(-90 14 {middle:.1f})"'
    parts.append(f'<text class="label" x="14" y="{middle:.1f}" text-anchor="middle"{turned}>{escape(y_label)}</text>')
    return parts


def line(x1: float, y1: float, x2: float, y2: float, style: str) -> str:
    """A straight line."""
    return f'<line class="{style}" x1="{x1:.1f}" y1="{y1:.1f}" x2="{x2:.1f}" y2="{y2:.1f}"/>'


def words(x: float, y: float, told: str, style: str, *, anchor: str = "start") -> str:
    """A line of text."""
    return f'<text class="{style}" x="{x:.1f}" y="{y:.1f}" text-anchor="{anchor}">{escape(told)}</text>'


def number(value: float) -> str:
    """A number as short as it can be, with a minus sign."""
    return f"{value:.10g}".replace("-", "−")


def svg(width: float, height: float, title: str, parts: Sequence[str]) -> Markup:
    """The whole chart."""
    return Markup(
        f'<svg viewBox="0 0 {width:g} {height:g}" role="img" aria-label="{escape(title)}">'
        f"<title>{escape(title)}</title>{''.join(parts)}</svg>"
    )


def steps(times: Iterable[float], values: Iterable[float], x: Scale, y: Scale) -> list[str]:
    """Corner points of a right-continuous step function."""
    points: list[str] = []
    previous = None
    for time, value in zip(times, values, strict=True):
        if previous is not None:
            points.append(f"{x(time):.1f},{y(previous):.1f}")
        points.append(f"{x(time):.1f},{y(value):.1f}")
        previous = value
    return points
