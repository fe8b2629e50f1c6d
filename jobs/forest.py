"""Forest plots as tables with a picture in each row, all on one axis."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import pandas as pd

from jobs import report_charts as charts

SPLINE = "spline, knots"
"""How the unit of a spline's curved terms begins."""


def forest(coefficients: pd.DataFrame, models: Iterable[Any]) -> dict[str, Any] | None:
    """Rows of a forest plot by model; None where nothing was fitted.

    Splines are left out: no hazard ratio of one of their terms can be read alone.

    Args:
        coefficients: rows of fahr.risk_coefficient.
        models: rows of fahr.risk_model, in the order of the plot.
    """
    if coefficients.empty:
        return None
    shown = coefficients[~_of_splines(coefficients)]
    if shown.empty:
        return None
    limits = charts.forest_scale(float(shown["ci_lower"].min()), float(shown["ci_upper"].max()))
    groups = []
    for model in models:
        of_model = shown[shown["model_name"] == model["model_name"]]
        rows = [
            {**row, "picture": charts.forest_row(row["hazard_ratio"], row["ci_lower"], row["ci_upper"], limits)}
            for row in of_model.to_dict("records")
        ]
        if rows:
            groups.append({"model": model, "rows": rows})
    return {"groups": groups, "axis": charts.forest_axis(limits)}


def _of_splines(coefficients: pd.DataFrame) -> pd.Series:
    """Which rows are terms of a spline."""
    keys = coefficients["model_name"] + " " + coefficients["covariate"]
    return keys.isin(set(keys[coefficients["unit"].str.startswith(SPLINE)]))
