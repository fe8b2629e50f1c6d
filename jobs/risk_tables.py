"""One analysis as rows of the risk tables, written together in the run's transaction."""

from __future__ import annotations

import json
import math
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import date
from typing import Any
from uuid import UUID

import pandas as pd
from sqlalchemy import Connection, text

from jobs.runs import code_version
from jobs.warehouse.connection import copy_rows
from model.survival.cox import TIES, CoxFit
from schemas.cohort import Cohort

RISK_TABLES = ("patient_risk_v1", "survival_curve_v1", "risk_coefficient_v1", "risk_model_v1", "cohort_member_v1")
"""In an order in which rows can be deleted."""


@dataclass(frozen=True)
class ModelResult:
    """A fitted model, with warnings in `reason`; or none, and why it was refused."""

    fit: CoxFit | None
    reason: str | None


@dataclass(frozen=True)
class Analysis:
    """Everything one analysis found.

    Attributes:
        members: the persons analysed, one row each.
        counts: of the run.
        models: results by model name, in the order of the declaration.
        curves: Kaplan-Meier curves by stratifier and stratum.
        predictions: cross-fitted, one row a person; empty where there are none.
    """

    analysis_id: str
    data_sha256: str
    model_id: str
    members: pd.DataFrame
    counts: dict[str, int]
    models: dict[str, ModelResult]
    curves: dict[str, dict[str, pd.DataFrame]]
    predictions: pd.DataFrame


def write_analysis(connection: Connection, analysis: Analysis, cohort: Cohort, *, run_id: UUID, night: date) -> None:
    """Write the analysis, in place of an earlier one of the same id (data that went back to what they were)."""
    for table in RISK_TABLES:
        connection.execute(text(f"DELETE FROM fahr.{table} WHERE analysis_id = :id"), {"id": analysis.analysis_id})
    rows = {
        "cohort_member_v1": _member_rows(analysis, cohort),
        "risk_model_v1": _model_rows(analysis, cohort, night),
        "risk_coefficient_v1": _coefficient_rows(analysis, cohort),
        "survival_curve_v1": _curve_rows(analysis),
        "patient_risk_v1": _prediction_rows(analysis, cohort),
    }
    for table, generated in rows.items():
        whole = [{"analysis_id": analysis.analysis_id, **row, "run_id": run_id} for row in generated]
        if whole:
            copy_rows(connection, f"fahr.{table}", list(whole[0]), (tuple(row.values()) for row in whole))


def _member_rows(analysis: Analysis, cohort: Cohort) -> Iterator[dict[str, Any]]:
    names = list(cohort.covariate_columns)
    for person in analysis.members.to_dict("records"):
        yield {
            "cohort": cohort.declared.cohort,
            "person_id": int(person["person_id"]),
            "index_date": person["index_date"],
            "followup_years": float(person["followup_years"]),
            "event": bool(person["event"]),
            "age_years": float(person["age_years"]),
            "face_age_years": _number(person["face_age_years"]),
            "face_survival_log_risk": _number(person["face_survival_log_risk"]),
            "covariates": json.dumps({name: person[name] for name in names}),
            "model_id": analysis.model_id,
        }


def _model_rows(analysis: Analysis, cohort: Cohort, night: date) -> Iterator[dict[str, Any]]:
    for name, result in analysis.models.items():
        fit = result.fit
        yield {
            "model_name": name,
            "cohort": cohort.declared.cohort,
            "endpoint": cohort.declared.endpoint.name,
            "description": cohort.declared.models[name].description,
            "status": "fitted" if fit else "refused",
            "status_reason": result.reason,
            "persons": analysis.counts["analysed"],
            "events": analysis.counts["events"],
            "log_likelihood": fit.log_likelihood if fit else None,
            "aic": fit.aic if fit else None,
            "concordance": fit.concordance if fit else None,
            "ph_test_p_value": min(fit.ph_p_values.values()) if fit else None,
            "ties": TIES,
            "model_id": analysis.model_id,
            "declaration_sha256": cohort.sha256,
            "data_sha256": analysis.data_sha256,
            "code_version": code_version(),
            "fitted_on": night,
        }


def _coefficient_rows(analysis: Analysis, cohort: Cohort) -> Iterator[dict[str, Any]]:
    for name, result in analysis.models.items():
        for coefficient in result.fit.coefficients if result.fit else ():
            term = coefficient.term
            yield {
                "model_name": name,
                "term": term.name,
                "covariate": term.covariate,
                "level": term.level,
                "reference_level": term.reference_level,
                "label": cohort.declared.covariates[term.covariate].label,
                "unit": term.unit,
                "one_unit": term.one_unit,
                "log_hazard_ratio": coefficient.log_hazard_ratio,
                "standard_error": coefficient.standard_error,
                "hazard_ratio": coefficient.hazard_ratio,
                "ci_lower": coefficient.ci_lower,
                "ci_upper": coefficient.ci_upper,
                "z": coefficient.z,
                "p_value": coefficient.p_value,
            }


def _curve_rows(analysis: Analysis) -> Iterator[dict[str, Any]]:
    for stratifier, strata in analysis.curves.items():
        for stratum, curve in strata.items():
            for point in curve.to_dict("records"):
                yield {
                    "stratifier": stratifier,
                    "stratum": stratum,
                    "time_years": point["time_years"],
                    "survival": point["survival"],
                    "ci_lower": _number(point["ci_lower"]),
                    "ci_upper": _number(point["ci_upper"]),
                    "at_risk": int(point["at_risk"]),
                    "events": int(point["events"]),
                }


def _prediction_rows(analysis: Analysis, cohort: Cohort) -> Iterator[dict[str, Any]]:
    for person in analysis.predictions.to_dict("records"):
        yield {
            "person_id": int(person["person_id"]),
            "model_name": cohort.declared.prediction.model,
            "fold": int(person["fold"]),
            "log_risk": person["log_risk"],
            "percentile": person["percentile"],
            "quartile": int(person["quartile"]),
            "survival_1_year": person["survival_1_year"],
            "survival_3_year": person["survival_3_year"],
        }


def _number(value: float | None) -> float | None:
    """Missing as None, which becomes null: NaN is a number to PostgreSQL."""
    return None if value is None or math.isnan(value) else float(value)
