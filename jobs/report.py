"""The report of a night: one HTML page that needs nothing but itself, with counts and no single person."""

from __future__ import annotations

import platform
from datetime import date
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

import pandas as pd
from jinja2 import Environment, PackageLoader, StrictUndefined
from markupsafe import Markup
from sqlalchemy import Engine

from jobs import report_charts as charts
from jobs import report_data as data
from jobs.runs import code_version
from jobs.settings import Settings
from model.survival.kaplan_meier import kaplan_meier

LIBRARIES = (
    "pyspark",
    "torch",
    "transformers",
    "facenet-pytorch",
    "great-expectations",
    "lifelines",
    "pandas",
    "numpy",
)
BIOMARKERS = ("face_age", "face_survival")
"""How the names of a biomarker's covariates begin."""


def report(*, settings: Settings, engine: Engine, night: date) -> Path:
    """Write `night-<date>.html` into the reports' folder, replacing an earlier one, and return its path.

    Tells what the warehouse knows now of photos listed up to `night`, the night's runs, and the latest risk tables.

    Args:
        settings: of this process.
        engine: warehouse; only views are read.
        night: the night to report.
    """
    page = _render(_content(engine, night))
    settings.reports.mkdir(mode=0o700, parents=True, exist_ok=True)
    path = settings.reports / f"night-{night}.html"
    unfinished = path.with_suffix(".unfinished")
    unfinished.write_text(page, encoding="utf-8")
    unfinished.replace(path)
    return path


def _content(engine: Engine, night: date) -> dict[str, Any]:
    """Everything the template shows, from one snapshot of the warehouse."""
    with engine.connect().execution_options(isolation_level="REPEATABLE READ") as connection:
        scores = data.read_scores(connection, night)
        return {
            "night": night,
            "model": data.read_model(connection),
            "flow": data.read_flow(connection, night),
            "reasons": data.read_reasons(connection, night),
            "scores": scores,
            "score_charts": _score_charts(scores) if scores else [],
            "risks": [_risk_section(risk) for risk in data.read_risks(connection)],
            "runs": data.read_runs(connection, night),
            "versions": _versions(data.read_server(connection)),
        }


def _render(content: dict[str, Any]) -> str:
    environment = Environment(
        loader=PackageLoader("jobs", "templates"),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.filters |= {"thousands": _thousands, "decimals": _decimals, "p_value": _p_value, "short": _short}
    style = Markup(environment.loader.get_source(environment, "report.css")[0]) if environment.loader else ""
    return environment.get_template("night_report.html").render(style=style, **content)


def _score_charts(scores: data.Scores) -> list[tuple[str, Markup]]:
    """Title and chart of each distribution there is."""
    found = []
    if scores.age_by_face_age:
        chart = charts.heat_map(
            scores.age_by_face_age,
            data.AGE_BIN_YEARS,
            x_label="age, years",
            y_label="FaceAge, years",
            title="FaceAge against chronological age, sessions in squares of 5 years",
        )
        found.append(("FaceAge against age", chart))
    if scores.gap:
        chart = charts.histogram(
            scores.gap,
            data.GAP_BIN_YEARS,
            x_label="FaceAge minus age, years",
            title="Distribution of FaceAge minus age",
            reference=0,
        )
        found.append(("Gap between FaceAge and age", chart))
    if scores.log_risk:
        chart = charts.histogram(
            scores.log_risk, scores.log_risk_bin, x_label="FaceSurvival, log risk", title="Distribution of FaceSurvival"
        )
        found.append(("FaceSurvival", chart))
    return found


def _risk_section(risk: data.Risk) -> dict[str, Any]:
    """One cohort's part of the page."""
    forest, biomarkers = risk.coefficients, risk.coefficients
    if not forest.empty:
        biomarkers = forest[forest["covariate"].str.startswith(BIOMARKERS)]
    models = sorted(risk.models, key=lambda model: _size(forest, model["model_name"]))
    return {
        "cohort": risk.cohort,
        "analysis_id": risk.analysis_id,
        "counts": risk.run_counts,
        "models": models,
        "biomarkers": _forest(biomarkers, models),
        "full": _forest(forest, models),
        "curves": [
            (
                _stratifier(str(stratifier)),
                charts.survival_curves(
                    {str(stratum): curve for stratum, curve in of_stratifier.groupby("stratum", sort=True)},
                    title=f"Kaplan-Meier curves by {_stratifier(str(stratifier))}",
                ),
            )
            for stratifier, of_stratifier in (risk.curves.groupby("stratifier") if len(risk.curves) else ())
        ],
        "calibration": _calibration(risk.predicted),
    }


def _size(coefficients: pd.DataFrame, model_name: str) -> tuple[int, str]:
    """Sorts models from small to large, refused ones last."""
    terms = 0 if coefficients.empty else int((coefficients["model_name"] == model_name).sum())
    return terms or len(coefficients) + 1, model_name


def _forest(coefficients: pd.DataFrame, models: Any) -> dict[str, Any] | None:
    """Rows of a forest plot by model, on one axis; None where nothing was fitted."""
    if coefficients.empty:
        return None
    limits = charts.forest_scale(float(coefficients["ci_lower"].min()), float(coefficients["ci_upper"].max()))
    groups = []
    for model in models:
        of_model = coefficients[coefficients["model_name"] == model["model_name"]]
        rows = [
            {**row, "picture": charts.forest_row(row["hazard_ratio"], row["ci_lower"], row["ci_upper"], limits)}
            for row in of_model.to_dict("records")
        ]
        if rows:
            groups.append({"model": model, "rows": rows})
    return {"groups": groups, "axis": charts.forest_axis(limits)}


def _calibration(predicted: pd.DataFrame) -> list[dict[str, Any]]:
    """By quarter of predicted risk: mean predicted survival beside Kaplan-Meier's."""
    if predicted.empty:
        return []
    quarters = []
    for quartile, persons in predicted.groupby("quartile"):
        curve = kaplan_meier(persons["followup_years"].to_numpy(float), persons["event"].to_numpy(bool))
        quarters.append(
            {
                "quartile": quartile,
                "persons": len(persons),
                "events": int(persons["event"].sum()),
                "horizons": [
                    (float(persons[f"survival_{years}_year"].mean()), _survival_at(curve, years)) for years in (1, 3)
                ],
            }
        )
    return quarters


def _survival_at(curve: pd.DataFrame, years: float) -> float | None:
    """Kaplan-Meier estimate at a time; None after the end of follow-up."""
    if curve["time_years"].max() < years:
        return None
    return float(curve.loc[curve["time_years"] <= years, "survival"].iloc[-1])


def _stratifier(name: str) -> str:
    known = {"face_age_quartile": "quarter of FaceAge", "face_survival_quartile": "quarter of FaceSurvival"}
    return known.get(name, name.replace("_", " "))


def _versions(server: str) -> dict[str, str]:
    """What the numbers were made with."""
    found = {"fahr": code_version(), "Python": platform.python_version(), "PostgreSQL": server}
    for library in LIBRARIES:
        try:
            found[library] = version(library)
        except PackageNotFoundError:
            found[library] = "not installed"
    return found


def _thousands(count: int) -> str:
    return f"{count:,}".replace(",", "\N{NARROW NO-BREAK SPACE}")


def _decimals(number: float | None, places: int = 2) -> str:
    return "–" if number is None or pd.isna(number) else f"{number:.{places}f}".replace("-", "−")


def _p_value(p: float | None) -> str:
    if p is None or pd.isna(p):
        return "–"
    return "< 0.001" if p < 0.001 else f"{p:.3f}"


def _short(fingerprint: object) -> str:
    return str(fingerprint)[:8]
