"""The charts of a cohort's page: calibration, decision curves, the run of a spline, a coefficient over time."""

from __future__ import annotations

import math

import pandas as pd
from markupsafe import Markup

from jobs.chart_parts import BOTTOM, LEFT, RIGHT, TOP, Scale, axes, line, svg, words

WIDTH = 460


def calibration_plot(groups: pd.DataFrame, *, title: str) -> Markup:
    """Observed against predicted probability of the event, a dot with an interval for each group; dashed: equal.

    Args:
        groups: columns predicted, observed, ci_lower, ci_upper, persons, events; observed may be missing.
    """
    height = 420
    highest = float(groups[["predicted", "observed", "ci_upper"]].astype(float).max().max())
    top = min(1.0, math.ceil(highest * 10) / 10) or 0.1
    x, y = Scale(0, top, LEFT, WIDTH - RIGHT), Scale(0, top, height - BOTTOM, TOP)
    parts = [*axes(x, y, WIDTH, height, "predicted probability", "observed probability")]
    parts.append(line(x(0), y(0), x(top), y(top), "reference"))
    for group in groups.dropna(subset=["observed"]).to_dict("records"):
        predicted, observed, lower, upper = (group[name] for name in ("predicted", "observed", "ci_lower", "ci_upper"))
        if not (pd.isna(lower) or pd.isna(upper)):
            parts.append(line(x(predicted), y(lower), x(predicted), y(min(upper, top)), "interval-line"))
        counts = f"{group['persons']} persons, {group['events']} events"
        parts.append(_dot(x(predicted), y(observed), f"{counts}: predicted {predicted:.2f}, observed {observed:.2f}"))
    return svg(WIDTH, height, title, parts)


def decision_plot(curve: pd.DataFrame, *, title: str) -> Markup:
    """Net benefit of acting on the prediction, on everybody and on nobody, over the threshold.

    Args:
        curve: columns threshold, net_benefit, of_everybody.
    """
    height = 300
    known = curve.dropna(subset=["net_benefit"])
    known = known[known["chosen"] > 0]
    highest = max(0.02, *known["net_benefit"], *curve["of_everybody"])
    low = -0.25 * highest
    longest = max(0.1, *known["threshold"], 0.0)
    x, y = Scale(0, longest, LEFT, WIDTH - RIGHT), Scale(low, highest * 1.05, height - BOTTOM, TOP)
    parts = [*axes(x, y, WIDTH, height, "threshold probability", "net benefit")]
    parts.append(line(x(0), y(0), x(longest), y(0), "axis"))
    everybody = curve[(curve["of_everybody"] >= low) & (curve["threshold"] <= longest)]
    parts.append(_polyline(everybody["threshold"], everybody["of_everybody"], x, y, "curve series-3"))
    shown = known[known["net_benefit"] >= low]
    parts.append(_polyline(shown["threshold"], shown["net_benefit"], x, y, "curve series-1"))
    for place, (name, series) in enumerate((("by the prediction", 1), ("everybody", 3))):
        baseline = TOP + 14 + 17 * place
        parts.append(line(WIDTH - 150, baseline - 4, WIDTH - 128, baseline - 4, f"curve series-{series}"))
        parts.append(words(WIDTH - 122, baseline, name, "label"))
    return svg(WIDTH, height, title, parts)


def effect_plot(effect: pd.DataFrame, *, x_label: str, title: str) -> Markup:
    """Hazard ratio on a logarithmic axis over the values of a covariate, with its interval.

    Args:
        effect: columns value, hazard_ratio, ci_lower, ci_upper, ascending by value.
    """
    height = 300
    low = max(float(effect["ci_lower"].min()), 1 / 64)
    high = min(float(effect["ci_upper"].max()), 64.0)
    first, last = math.floor(math.log2(min(low, 0.5))), math.ceil(math.log2(max(high, 2.0)))
    x = Scale(float(effect["value"].min()), float(effect["value"].max()), LEFT, WIDTH - RIGHT)
    y = Scale(first, last, height - BOTTOM, TOP)
    powers: dict[float, str] = {power: f"{2.0**power:g}" for power in range(first, last + 1)}
    parts = axes(x, y, WIDTH, height, x_label, "hazard ratio", ticks_y=powers)
    parts.append(line(x.start, y(0), x.end, y(0), "reference"))
    band = _points(effect["value"], _log2(effect["ci_upper"], first, last), x, y)
    band += _points(effect["value"], _log2(effect["ci_lower"], first, last), x, y)[::-1]
    parts.append(f'<polygon class="interval series-1" points="{" ".join(band)}"/>')
    parts.append(_polyline(effect["value"], _log2(effect["hazard_ratio"], first, last), x, y, "curve series-1"))
    return svg(WIDTH, height, title, parts)


def over_time_plot(periods: pd.DataFrame, estimate: float, *, title: str, origin: str) -> Markup:
    """A coefficient by period of follow-up with its interval; dashed: the one estimate of the model.

    Args:
        periods: columns from_years, to_years, log_hazard_ratio, standard_error.
        estimate: the model's coefficient.
        origin: what time is counted from.
    """
    width, height = 340, 220
    half = 1.96 * periods["standard_error"].fillna(0.0)
    low = float(min((periods["log_hazard_ratio"] - half).min(), estimate, 0.0))
    high = float(max((periods["log_hazard_ratio"] + half).max(), estimate, 0.0))
    margin = 0.05 * (high - low or 1.0)
    x = Scale(0, float(periods["to_years"].max()), LEFT, width - RIGHT)
    y = Scale(low - margin, high + margin, height - BOTTOM, TOP)
    parts = [*axes(x, y, width, height, f"years since {origin}", "log hazard ratio")]
    parts.append(line(x.start, y(estimate), x.end, y(estimate), "reference"))
    for period, apart in zip(periods.to_dict("records"), half, strict=True):
        start, end, middle = period["from_years"], period["to_years"], period["log_hazard_ratio"]
        across = x((start + end) / 2)
        parts.append(line(across, y(middle - apart), across, y(middle + apart), "interval-line"))
        parts.append(
            _dot(across, y(middle), f"{start:.2f} to {end:.2f} years, {period['events']} events: {middle:.2f}")
        )
    return svg(width, height, title, parts)


def _log2(values: pd.Series, low: float, high: float) -> pd.Series:
    return values.map(math.log2).clip(low, high)


def _points(across: pd.Series, up: pd.Series, x: Scale, y: Scale) -> list[str]:
    return [f"{x(one):.1f},{y(other):.1f}" for one, other in zip(across, up, strict=True)]


def _polyline(across: pd.Series, up: pd.Series, x: Scale, y: Scale, style: str) -> str:
    return f'<polyline class="{style}" points="{" ".join(_points(across, up, x, y))}"/>'


def _dot(across: float, up: float, told: str) -> str:
    return f'<circle class="point" cx="{across:.1f}" cy="{up:.1f}" r="4"><title>{told}</title></circle>'
