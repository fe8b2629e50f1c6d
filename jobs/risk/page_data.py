"""What a cohort's page says, read from the warehouse's views: its latest analysis, and no single person's id."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import pandas as pd
from sqlalchemy import Connection, RowMapping, text

from schemas.cohort import MEMBER_COLUMNS, Cohort


@dataclass(frozen=True)
class Published:
    """The latest analysis of a cohort; every frame has the columns of its view.

    Attributes:
        members: outcome and covariates, by the names of the cohort's columns.
        is_synthetic: whether the scores are of a model that learnt from drawn faces; None without scores.
    """

    analysis_id: str
    models: Sequence[RowMapping]
    members: pd.DataFrame
    flow: pd.DataFrame
    missing: pd.DataFrame
    coefficients: pd.DataFrame
    contrasts: pd.DataFrame
    diagnostics: pd.DataFrame
    over_time: pd.DataFrame
    effects: pd.DataFrame
    subgroups: pd.DataFrame
    performance: pd.DataFrame
    calibration: pd.DataFrame
    decisions: pd.DataFrame
    curves: pd.DataFrame
    is_synthetic: bool | None
    server: str


_ORDER = {
    "risk_flow": "step",
    "risk_missing": "missing DESC, column_name",
    "risk_coefficient": "model_name, term",
    "risk_contrast": "model_name, contrast",
    "risk_diagnostic": "model_name, diagnostic, term",
    "risk_over_time": "model_name, term, period",
    "risk_effect": "model_name, covariate, value",
    "risk_subgroup": "exposure, group_name, level",
    "risk_performance": "model_name, metric, horizon_years, group_name, level",
    "risk_calibration": "model_name, horizon_years, group_number",
    "risk_decision": "model_name, horizon_years, threshold",
    "survival_curve": "method, stratifier, stratum, time_years",
}


def read_published(connection: Connection, cohort: Cohort) -> Published | None:
    """The latest analysis of the cohort; None where there is none yet."""
    latest = connection.execute(
        text("SELECT analysis_id FROM fahr.latest_analysis WHERE cohort = :cohort"), {"cohort": cohort.declared.cohort}
    ).scalar()
    if latest is None:
        return None
    frames = {view: _frame(connection, view, latest, order) for view, order in _ORDER.items()}
    models = _rows(connection, "SELECT * FROM fahr.risk_model WHERE analysis_id = :id ORDER BY model_name", latest)
    return Published(
        analysis_id=latest,
        models=sorted(models, key=lambda model: _place(cohort, model["model_name"])),
        members=_members(connection, cohort, latest),
        flow=frames["risk_flow"],
        missing=frames["risk_missing"],
        coefficients=frames["risk_coefficient"],
        contrasts=frames["risk_contrast"],
        diagnostics=frames["risk_diagnostic"],
        over_time=frames["risk_over_time"],
        effects=frames["risk_effect"],
        subgroups=frames["risk_subgroup"],
        performance=frames["risk_performance"],
        calibration=frames["risk_calibration"],
        decisions=frames["risk_decision"],
        curves=frames["survival_curve"],
        is_synthetic=_is_synthetic(connection, models[0]["model_id"]),
        server=str(connection.execute(text("SHOW server_version")).scalar_one()).split()[0],
    )


def _place(cohort: Cohort, model_name: str) -> int:
    """The model's place in the declaration."""
    names = list(cohort.declared.models)
    return names.index(model_name) if model_name in names else len(names)


def _members(connection: Connection, cohort: Cohort, analysis_id: str) -> pd.DataFrame:
    rows = _rows(
        connection,
        "SELECT followup_years, event, age_years, face_age_years, face_survival_log_risk, covariates"
        " FROM fahr.cohort_member WHERE analysis_id = :id ORDER BY person_id, episode",
        analysis_id,
    )
    frame = pd.DataFrame(rows, columns=["followup_years", "event", *MEMBER_COLUMNS, "covariates"])
    others = [column for column in cohort.covariate_columns if column not in MEMBER_COLUMNS]
    told = pd.DataFrame(list(frame["covariates"]), columns=others, index=frame.index)
    return frame.drop(columns="covariates").join(told)


def _is_synthetic(connection: Connection, model_id: str | None) -> bool | None:
    return connection.execute(
        text("SELECT bool_or(trained_on_synthetic) FROM fahr.model_version WHERE model_id = :model_id"),
        {"model_id": model_id},
    ).scalar()


def _frame(connection: Connection, view: str, analysis_id: str, order: str) -> pd.DataFrame:
    result = connection.execute(
        text(f"SELECT * FROM fahr.{view} WHERE analysis_id = :id ORDER BY {order}"), {"id": analysis_id}
    )
    return pd.DataFrame(result.fetchall(), columns=list(result.keys()))


def _rows(connection: Connection, query: str, analysis_id: str) -> Sequence[RowMapping]:
    return connection.execute(text(query), {"id": analysis_id}).mappings().all()
