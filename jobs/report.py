"""The report of a night: one HTML page that needs nothing but itself, with counts and no single person."""

from __future__ import annotations

from datetime import date
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from markupsafe import Markup
from sqlalchemy import Engine

from jobs import report_charts as charts
from jobs import report_data as data
from jobs.forest import forest
from jobs.pages import render, replace_file, versions_of
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
    page = render("night_report.html", _content(engine, night))
    return replace_file(settings.reports / f"night-{night}.html", page)


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
            "versions": versions_of(LIBRARIES, data.read_server(connection)),
        }


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
    coefficients, biomarkers = risk.coefficients, risk.coefficients
    if not coefficients.empty:
        biomarkers = coefficients[coefficients["covariate"].str.startswith(BIOMARKERS)]
    models = sorted(risk.models, key=lambda model: _size(coefficients, model["model_name"]))
    return {
        "cohort": risk.cohort,
        "analysis_id": risk.analysis_id,
        "counts": risk.run_counts,
        "models": models,
        "biomarkers": forest(biomarkers, models),
        "full": forest(coefficients, models),
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


def _calibration(predicted: pd.DataFrame) -> list[dict[str, Any]]:
    """By quarter of predicted risk: mean predicted survival beside Kaplan-Meier's."""
    if predicted.empty:
        return []
    quarters = []
    for quartile, persons in predicted.groupby("quartile"):
        late = persons["entry_years"].to_numpy(np.float64)
        curve = kaplan_meier(
            persons["followup_years"].to_numpy(float),
            persons["event"].to_numpy(bool),
            entry=None if np.isnan(late).any() else late,
        )
        quarters.append(
            {
                "quartile": quartile,
                "persons": len(persons),
                "events": int(persons["event"].sum()),
                "horizons": [
                    (float(persons[f"survival_{years}_year"].astype(float).mean()), _survival_at(curve, years))
                    for years in (1, 3)
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
