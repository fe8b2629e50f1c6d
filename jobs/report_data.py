"""What the report of a night says, read from the warehouse's views: counts and distributions, no single person."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date
from typing import Any

import pandas as pd
from sqlalchemy import Connection, RowMapping, text

from jobs.chart_parts import nice_step

AGE_BIN_YEARS = 5
GAP_BIN_YEARS = 2

KAPLAN_MEIER = "method = 'kaplan_meier'"
"""The curves of the report: as observed, not adjusted."""


@dataclass(frozen=True)
class Scores:
    """Sessions scored by the current model, binned.

    Attributes:
        summary: sessions, persons, photos, mean and standard deviation of FaceAge, of the gap and of FaceSurvival,
            correlation of age and FaceAge.
        age_by_face_age: (age, FaceAge, sessions): lower edges of bins of 5 years.
        gap: (gap, sessions): lower edges of bins of 2 years.
        log_risk: (log risk, sessions), bins of `log_risk_bin`.
    """

    summary: RowMapping
    age_by_face_age: Sequence[tuple[float, float, int]]
    gap: Sequence[tuple[float, int]]
    log_risk: Sequence[tuple[float, int]]
    log_risk_bin: float


@dataclass(frozen=True)
class Risk:
    """The latest analysis of one cohort."""

    cohort: str
    analysis_id: str
    run_counts: RowMapping
    models: Sequence[RowMapping]
    coefficients: pd.DataFrame
    curves: pd.DataFrame
    predicted: pd.DataFrame


def read_flow(connection: Connection, night: date) -> dict[str, RowMapping]:
    """Photos by how far they came: `new` (first listed on the night) and `all` (listed up to it), as they stand now."""
    query = text("""
        SELECT
            count(*) AS listed,
            count(*) FILTER (WHERE stage <> 'pull') AS landed,
            count(*) FILTER (WHERE stage = 'score') AS accepted,
            count(*) FILTER (WHERE status = 'scored') AS scored,
            count(*) FILTER (WHERE status = 'quarantined') AS quarantined,
            count(*) FILTER (WHERE status = 'failed') AS failed,
            count(*) FILTER (WHERE status = 'waiting') AS waiting,
            count(*) FILTER (WHERE stage = 'pull' AND permanent) AS pull_quarantined,
            count(*) FILTER (WHERE stage = 'pull' AND NOT permanent) AS pull_failed,
            count(*) FILTER (WHERE stage = 'validate' AND status = 'quarantined') AS validate_quarantined,
            count(*) FILTER (WHERE stage = 'validate' AND status = 'waiting') AS validate_waiting,
            count(*) FILTER (WHERE stage = 'score' AND status = 'quarantined') AS score_quarantined,
            count(*) FILTER (WHERE stage = 'score' AND status = 'failed') AS score_failed,
            count(*) FILTER (WHERE stage = 'score' AND status = 'waiting') AS score_waiting
        FROM fahr.coverage
        WHERE first_seen_on BETWEEN :since AND :night
    """)
    return {
        name: connection.execute(query, {"since": since, "night": night}).mappings().one()
        for name, since in (("new", night), ("all", date.min))
    }


def read_reasons(connection: Connection, night: date) -> Sequence[RowMapping]:
    """Every reason that holds for a photo now: how many in all, and how many of them since the night."""
    return _rows(
        connection,
        """
        SELECT reason.stage, reason.reason_code, reason.permanent, reason.meaning,
            count(*) AS photos, count(*) FILTER (WHERE since = :night) AS new
        FROM fahr.coverage JOIN fahr.reason_code AS reason USING (reason_code)
        WHERE first_seen_on <= :night
        GROUP BY reason.stage, reason.reason_code, reason.permanent, reason.meaning
        ORDER BY array_position(ARRAY['pull', 'validate', 'score'], reason.stage), photos DESC, reason_code
        """,
        night=night,
    )


def read_scores(connection: Connection, night: date) -> Scores | None:
    """Distributions over the sessions that the current model scored; None where there are none."""
    sessions = "fahr.session_score WHERE is_current_model AND session_on <= :night"
    summary = _rows(
        connection,
        f"""
        SELECT count(*) AS sessions, count(DISTINCT person_id) AS persons, coalesce(sum(photos), 0) AS photos,
            avg(face_age_years) AS face_age_mean, stddev(face_age_years) AS face_age_sd,
            avg(face_age_gap_years) AS gap_mean, stddev(face_age_gap_years) AS gap_sd,
            avg(face_survival_log_risk) AS log_risk_mean, stddev(face_survival_log_risk) AS log_risk_sd,
            corr(age_at_session_years, face_age_years) AS correlation
        FROM {sessions}
        """,
        night=night,
    )[0]
    if not summary["sessions"]:
        return None
    log_risk_bin = nice_step(6 * (summary["log_risk_sd"] or 1), 24)
    return Scores(
        summary=summary,
        age_by_face_age=_bins(
            connection, f"{_floor('age_at_session_years')}, {_floor('face_age_years')}", sessions, night, AGE_BIN_YEARS
        ),
        gap=_bins(connection, _floor("face_age_gap_years"), sessions, night, GAP_BIN_YEARS),
        log_risk=_bins(connection, _floor("face_survival_log_risk"), sessions, night, log_risk_bin),
        log_risk_bin=log_risk_bin,
    )


def read_risks(connection: Connection) -> list[Risk]:
    """The latest analysis of every cohort, by name."""
    latest = _rows(
        connection,
        "SELECT cohort, analysis_id, counts FROM fahr.latest_analysis JOIN fahr.run ON run.run_id ="
        " (SELECT run_id FROM fahr.risk_model WHERE risk_model.analysis_id = latest_analysis.analysis_id LIMIT 1)"
        " ORDER BY cohort",
    )
    return [
        Risk(
            cohort=row["cohort"],
            analysis_id=row["analysis_id"],
            run_counts=row["counts"],
            models=_of_analysis(connection, "risk_model", row["analysis_id"], "model_name"),
            coefficients=_frame(connection, "risk_coefficient", row["analysis_id"], "model_name, term"),
            curves=_frame(
                connection, "survival_curve", row["analysis_id"], "stratifier, stratum, time_years", KAPLAN_MEIER
            ),
            predicted=_predicted(connection, row["analysis_id"]),
        )
        for row in latest
    ]


def read_runs(connection: Connection, night: date) -> Sequence[RowMapping]:
    """The night's runs, in the order they started."""
    return _rows(connection, "SELECT * FROM fahr.run WHERE logical_date = :night ORDER BY started_at", night=night)


def read_model(connection: Connection) -> RowMapping | None:
    """The release that nightly scoring uses; None before the first scoring."""
    rows = _rows(connection, "SELECT * FROM fahr.model_version WHERE is_current")
    return rows[0] if rows else None


def read_server(connection: Connection) -> str:
    """Version of the warehouse's server."""
    return str(connection.execute(text("SHOW server_version")).scalar_one()).split()[0]


def _predicted(connection: Connection, analysis_id: str) -> pd.DataFrame:
    """Quarter, predictions and outcome of each person of an analysis, without the person's id."""
    return pd.DataFrame(
        _rows(
            connection,
            "SELECT quartile, survival_1_year, survival_3_year, followup_years, event, entry_years"
            " FROM fahr.patient_risk"
            " JOIN fahr.cohort_member USING (analysis_id, person_id, episode) WHERE analysis_id = :id"
            " ORDER BY person_id, episode",
            id=analysis_id,
        )
    )


def _of_analysis(
    connection: Connection, view: str, analysis_id: str, order: str, only: str = "true"
) -> Sequence[RowMapping]:
    query = f"SELECT * FROM fahr.{view} WHERE analysis_id = :id AND {only} ORDER BY {order}"
    return _rows(connection, query, id=analysis_id)


def _frame(connection: Connection, view: str, analysis_id: str, order: str, only: str = "true") -> pd.DataFrame:
    return pd.DataFrame(_of_analysis(connection, view, analysis_id, order, only))


def _floor(column: str) -> str:
    return f"floor({column} / :width) * :width"


def _bins(connection: Connection, edges: str, sessions: str, night: date, width: float) -> list[Any]:
    """Counts by lower edges of bins; sessions without a value are left out."""
    places = ", ".join(str(n + 1) for n in range(edges.count("floor(")))
    found = connection.execute(
        text(f"SELECT {edges}, count(*) FROM {sessions} GROUP BY {places} ORDER BY {places}"),
        {"night": night, "width": float(width)},
    )
    return [tuple(row) for row in found if None not in row]


def _rows(connection: Connection, query: str, **parameters: Any) -> Sequence[RowMapping]:
    return connection.execute(text(query), parameters).mappings().all()
