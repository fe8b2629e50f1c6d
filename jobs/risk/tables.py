"""One analysis as rows of the risk tables, written together in the run's transaction."""

from __future__ import annotations

import json
import math
from collections.abc import Iterable, Iterator
from dataclasses import asdict, dataclass
from datetime import date
from typing import Any
from uuid import UUID

import pandas as pd
from sqlalchemy import Connection, text

from jobs.risk.curves import Curve
from jobs.risk.findings import (
    ALL,
    CalibrationGroup,
    Contrast,
    Decision,
    Diagnostic,
    Effect,
    FlowStep,
    MissingColumn,
    OverTime,
    Performance,
    Subgroup,
)
from jobs.risk.models import ModelResult
from jobs.runs import code_version
from jobs.warehouse.connection import copy_rows
from model.survival.cox import TIES, CoxFit
from model.survival.cross_fitting import survival_column
from model.survival.pooling import PooledFit
from schemas.cohort import Cohort

RISK_TABLES = (
    "patient_survival_v1", "patient_risk_v1", "survival_curve_v1", "risk_decision_v1", "risk_calibration_v1",
    "risk_performance_v1", "risk_over_time_v1", "risk_effect_v1", "risk_subgroup_v1", "risk_diagnostic_v1",
    "risk_contrast_v1", "risk_coefficient_v1", "risk_model_v1", "risk_flow_v1", "risk_missing_v1", "cohort_member_v1",
)  # fmt: skip
"""In an order in which rows can be deleted."""

TIES_OF = {"cox": TIES, "cause_specific": TIES, "fine_gray": "breslow"}


@dataclass(frozen=True)
class Analysis:
    """Everything one analysis found.

    Attributes:
        members: the persons analysed, one row each.
        counts: of the run.
        models: results by model name, in the order of the declaration.
        concordances: apparent, by model name.
        predicted: cross-fitted predictions of the model behind `fahr.patient_risk`; None where there are none.
    """

    analysis_id: str
    data_sha256: str
    model_id: str | None
    members: pd.DataFrame
    counts: dict[str, int]
    flow: tuple[FlowStep, ...]
    missing: list[MissingColumn]
    models: dict[str, ModelResult]
    concordances: dict[str, float | None]
    curves: list[Curve]
    contrasts: list[Contrast]
    diagnostics: list[Diagnostic]
    subgroups: list[Subgroup]
    effects: list[Effect]
    over_time: list[OverTime]
    performance: list[Performance]
    decisions: list[Decision]
    calibration: list[CalibrationGroup]
    predicted: pd.DataFrame | None


def write_analysis(connection: Connection, analysis: Analysis, cohort: Cohort, *, run_id: UUID, night: date) -> None:
    """Write the analysis, in place of an earlier one of the same id (data that went back to what they were)."""
    for table in RISK_TABLES:
        connection.execute(text(f"DELETE FROM fahr.{table} WHERE analysis_id = :id"), {"id": analysis.analysis_id})
    rows = {
        "cohort_member_v1": _member_rows(analysis, cohort),
        "risk_flow_v1": ({**asdict(step), "cohort": cohort.declared.cohort} for step in analysis.flow),
        "risk_missing_v1": ({**asdict(one), "cohort": cohort.declared.cohort} for one in analysis.missing),
        "risk_model_v1": _model_rows(analysis, cohort, night),
        "risk_coefficient_v1": _coefficient_rows(analysis, cohort),
        "risk_contrast_v1": map(asdict, analysis.contrasts),
        "risk_diagnostic_v1": map(asdict, analysis.diagnostics),
        "risk_subgroup_v1": map(asdict, analysis.subgroups),
        "risk_effect_v1": map(asdict, analysis.effects),
        "risk_over_time_v1": map(asdict, analysis.over_time),
        "risk_performance_v1": map(asdict, analysis.performance),
        "risk_calibration_v1": map(asdict, analysis.calibration),
        "risk_decision_v1": map(asdict, analysis.decisions),
        "survival_curve_v1": _curve_rows(analysis),
        "patient_risk_v1": _risk_rows(analysis, cohort),
        "patient_survival_v1": _survival_rows(analysis, cohort),
    }
    for table, generated in rows.items():
        _copy(connection, table, generated, analysis.analysis_id, run_id)


def _copy(
    connection: Connection, table: str, generated: Iterable[dict[str, Any]], analysis_id: str, run_id: UUID
) -> None:
    """Stream the rows: a million persons' are never held as dictionaries together."""
    rows = iter(generated)
    first = next(rows, None)
    if first is None:
        return
    columns = ["analysis_id", *first, "run_id"]

    def values() -> Iterator[tuple[Any, ...]]:
        yield (analysis_id, *first.values(), run_id)
        for row in rows:
            yield (analysis_id, *row.values(), run_id)

    copy_rows(connection, f"fahr.{table}", columns, values())


def _records(frame: pd.DataFrame) -> Iterator[dict[str, Any]]:
    """The rows of a frame one by one."""
    names = list(frame.columns)
    for values in frame.itertuples(index=False, name=None):
        yield dict(zip(names, values, strict=True))


def _member_rows(analysis: Analysis, cohort: Cohort) -> Iterator[dict[str, Any]]:
    declared = cohort.declared
    names = list(cohort.covariate_columns)
    for person in _records(analysis.members):
        yield {
            "cohort": declared.cohort,
            "person_id": int(person["person_id"]),
            "episode": int(person["episode"]),
            "index_date": person["index_date"],
            "entry_years": person[declared.entry] if declared.entry else None,
            "followup_years": float(person["followup_years"]),
            "event": bool(person["event"]),
            "ending": person[declared.competing.column] if declared.competing else None,
            "cluster_key": str(person[declared.cluster]) if declared.cluster else None,
            "age_years": _number(person["age_years"]),
            "face_age_years": _number(person["face_age_years"]),
            "face_survival_log_risk": _number(person["face_survival_log_risk"]),
            "weight": person[declared.weights] if declared.weights else None,
            "covariates": json.dumps({name: _known(person[name]) for name in names}),
            "model_id": analysis.model_id,
        }


def _model_rows(analysis: Analysis, cohort: Cohort, night: date) -> Iterator[dict[str, Any]]:
    for name, result in analysis.models.items():
        model = cohort.declared.models[name]
        fit = result.fit
        by_term, overall = _proportional_hazards(analysis, name)
        yield {
            "model_name": name,
            "cohort": cohort.declared.cohort,
            "endpoint": _endpoint(cohort, model.method),
            "description": model.description,
            "status": "fitted" if fit else "refused",
            "status_reason": result.reason,
            "persons": fit.persons if fit else analysis.counts["analysed"],
            "events": fit.events if fit else analysis.counts["events"],
            "log_likelihood": None if fit is None or isinstance(fit, PooledFit) else fit.log_likelihood,
            # Of dependent rows, or of weights that are not whole, it is no likelihood that models could be compared by.
            "aic": fit.aic if isinstance(fit, CoxFit) and not fit.robust else None,
            "concordance": analysis.concordances[name],
            "ph_test_p_value": by_term,
            "ties": TIES_OF[model.method],
            "model_id": analysis.model_id,
            "declaration_sha256": cohort.sha256,
            "data_sha256": analysis.data_sha256,
            "code_version": code_version(),
            "fitted_on": night,
            "method": model.method,
            "strata": list(model.strata),
            "is_robust": bool(fit and fit.robust),
            "terms": len(fit.coefficients) if fit else None,
            "null_log_likelihood": None if fit is None or isinstance(fit, PooledFit) else fit.null_log_likelihood,
            "ph_global_p_value": overall,
            "imputations": len(fit.fits) if isinstance(fit, PooledFit) else None,
        }


def _proportional_hazards(analysis: Analysis, name: str) -> tuple[float | None, float | None]:
    """P values of a model's tests: the smallest over its terms, and that of all of them together."""
    tests = {
        row.term: row.p_value
        for row in analysis.diagnostics
        if row.model_name == name and row.diagnostic == "proportional_hazards" and row.p_value is not None
    }
    overall = tests.pop(ALL, None)
    return min(tests.values(), default=None), overall


def _endpoint(cohort: Cohort, method: str) -> str:
    """The endpoint in words; where events compete, whose hazard it is."""
    declared = cohort.declared
    if declared.competing is None or method == "cox":
        return declared.endpoint.name
    return f"{declared.competing.of_interest} ({', '.join(declared.competing.others)} competing)"


def _coefficient_rows(analysis: Analysis, cohort: Cohort) -> Iterator[dict[str, Any]]:
    for name, result in analysis.models.items():
        pooled = result.fit.pooled if isinstance(result.fit, PooledFit) else None
        for place, coefficient in enumerate(result.fit.coefficients if result.fit else ()):
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
                "degrees": float(pooled.degrees[place]) if pooled else None,
                "missing_information": float(pooled.missing_information[place]) if pooled else None,
            }


def _curve_rows(analysis: Analysis) -> Iterator[dict[str, Any]]:
    for curve in analysis.curves:
        for point in _records(curve.points):
            yield {
                "method": curve.method,
                "stratifier": curve.stratifier,
                "stratum": curve.stratum,
                "time_years": point["time_years"],
                "survival": point["survival"],
                "ci_lower": _number(point["ci_lower"]),
                "ci_upper": _number(point["ci_upper"]),
                "at_risk": int(point["at_risk"]),
                "events": int(point["events"]),
                "model_name": curve.model_name,
            }


def _risk_rows(analysis: Analysis, cohort: Cohort) -> Iterator[dict[str, Any]]:
    if analysis.predicted is None:
        return
    table = analysis.predicted.assign(episode=analysis.members["episode"].to_numpy())
    horizons = cohort.declared.endpoint.horizons_years
    for person in _records(table):
        yield {
            "person_id": int(person["person_id"]),
            "episode": int(person["episode"]),
            "model_name": cohort.declared.prediction.model,
            "fold": int(person["fold"]),
            "log_risk": person["log_risk"],
            "log_risk_standard_error": person["log_risk_standard_error"],
            "percentile": person["percentile"],
            "quartile": int(person["quartile"]),
            "survival_1_year": person["survival_1_year"] if 1 in horizons else None,
            "survival_3_year": person["survival_3_year"] if 3 in horizons else None,
        }


def _survival_rows(analysis: Analysis, cohort: Cohort) -> Iterator[dict[str, Any]]:
    if analysis.predicted is None:
        return
    table = analysis.predicted.assign(episode=analysis.members["episode"].to_numpy())
    for horizon in cohort.declared.endpoint.horizons_years:
        name = survival_column(horizon)
        for person, episode, survival, lower, upper in table[
            ["person_id", "episode", name, f"{name}_lower", f"{name}_upper"]
        ].itertuples(index=False, name=None):
            yield {
                "person_id": int(person),
                "episode": int(episode),
                "horizon_years": horizon,
                "survival": survival,
                "ci_lower": lower,
                "ci_upper": upper,
            }


def _known(value: Any) -> Any:
    """Missing as None: NaN is no JSON."""
    return None if isinstance(value, float) and math.isnan(value) else value


def _number(value: float | None) -> float | None:
    """Missing as None, which becomes null: NaN is a number to PostgreSQL."""
    return None if value is None or math.isnan(value) else float(value)
