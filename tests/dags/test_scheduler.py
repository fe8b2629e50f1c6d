"""A real scheduler runs the night that is due, and the asset it emits brings the risk tables."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from sqlalchemy import Engine, text

from jobs.settings import Settings
from tests.dags.airflow_services import RunningAirflow, airflow_running
from tests.jobs import scored_hospital
from tests.model.releases import small_release


@pytest.mark.slow
def test_the_asset_of_a_scheduled_night_brings_the_risk_tables_of_that_night(
    settings: Settings, owner_engine: Engine, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    release = _scored_hospital(owner_engine, tmp_path / "release", monkeypatch)
    settings = settings.model_copy(update={"model": str(release)})
    with airflow_running(settings) as airflow:
        airflow.wait_until(lambda: airflow.ask("dags")["total_entries"] == 2, "both DAGs parsed", patience_s=120)
        airflow.unpause("risk_tables")
        airflow.unpause("nightly_scoring")
        night = _ended(airflow, "nightly_scoring")
        tables = _ended(airflow, "risk_tables")

        assert (night["state"], tables["state"]) == ("success", "success"), airflow.tail_of_logs()
        assert tables["run_type"] == "asset_triggered"
        assert tables["logical_date"] is None

    last_night = datetime.fromisoformat(night["logical_date"]).date()
    assert last_night in {datetime.now(UTC).date() - timedelta(days=days) for days in (1, 2)}
    assert (settings.reports / f"night-{last_night}.html").exists()
    with owner_engine.connect() as connection:
        nights = connection.execute(text("SELECT DISTINCT logical_date FROM fahr.run_v1 WHERE stage = 'risk'"))
        assert nights.scalars().all() == [last_night]


def _ended(airflow: RunningAirflow, dag_id: str) -> dict:
    """The only run of a DAG, once it has ended."""
    (run,) = airflow.wait_until(
        lambda: [run for run in airflow.runs(dag_id) if run["state"] in ("success", "failed")],
        f"a run of {dag_id}",
        patience_s=600,
    )
    return run


def _scored_hospital(owner: Engine, folder: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Fill the warehouse so that a night finds nothing new, yet there is much to analyse; returns the release."""
    release = small_release(folder)
    monkeypatch.setattr(scored_hospital, "MODEL_ID", release.model_id)
    monkeypatch.setattr(scored_hospital, "PREPROCESSING_ID", release.preprocessing_id)
    monkeypatch.setattr(scored_hospital, "REFUSED", dict.fromkeys(scored_hospital.REFUSED, 0) | {"no_face": 3})
    scored_hospital.fill_hospital(owner)
    return folder
