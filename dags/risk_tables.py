"""
### risk_tables: Cox-adjusted risk tables and the report, after new scores

Runs whenever `nightly_scoring` has published to the asset `fahr.face_score`: `risk` builds the cohorts and fits the
models, `report` writes the page of the night. `risk` works in as many processes as a local Spark would have threads; on
a cluster it starts a Spark of its own for a cohort that is large enough; `report` needs none. A run triggered by the
asset has no logical date of its own: its night is the latest that its asset events tell of.

The tables are those of a whole analysis: a run that fails leaves the previous analysis in place.
"""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

from airflow.sdk import chain, dag

from dags.operators import DEFAULT_ARGS, FACE_SCORE, FahrCommand, night_of


@dag(
    schedule=[FACE_SCORE],
    start_date=datetime(2026, 1, 1, tzinfo=UTC),
    catchup=False,
    max_active_runs=1,
    default_args=DEFAULT_ARGS,
    user_defined_macros={"night_of": night_of},
    tags=["fahr", "risk"],
    doc_md=__doc__,
)
def risk_tables() -> None:
    """The risk tables and the report of one night."""
    chain(
        FahrCommand(task_id="risk", stage="risk", execution_timeout=timedelta(hours=4)),
        FahrCommand(task_id="report", stage="report", execution_timeout=timedelta(minutes=30)),
    )


risk_tables()
