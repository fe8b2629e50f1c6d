"""The demo from beginning to end: build the hospital, run one night through the real DAGs, show what stands."""

from __future__ import annotations

import subprocess
from contextlib import ExitStack
from pathlib import Path

from rich.console import Console
from rich.table import Table
from sqlalchemy import Engine, text

from jobs.airflow_env import airflow_environment
from jobs.demo.hospital import DEMO_NIGHT, build_demo_hospital
from jobs.demo.pacs import fill_pacs, orthanc_running
from jobs.demo.standing import demo_folder
from jobs.errors import FahrError
from jobs.settings import Settings
from jobs.spark_conf import environment_bin
from jobs.warehouse.commands import psql_line
from jobs.warehouse.connection import open_warehouse


class DemoNightFailed(FahrError):
    """A DAG of the demo night did not succeed; its stage's own exit code stands in Airflow's log."""


def run_demo(*, settings: Settings, patients: int, seed: int, with_night: bool, with_pacs: bool = False) -> None:
    """Build the demo hospital and, `with_night`, run its night and print the outcome.

    `with_pacs`, its DICOM photos lie in a PACS, from which the night pulls them; the PACS ends with the demo.

    Raises:
        DemoNightFailed: a DAG did not succeed; its output was printed.
        UsageError: another demo hospital stands in this warehouse.
    """
    console = Console()
    console.print("[bold]A synthetic hospital: drawn faces, made-up patients. Nothing here is for clinical use.[/bold]")
    owner = open_warehouse(settings, role=None)
    migration = _airflow(settings, "db", "migrate") if with_night else None
    build_demo_hospital(settings=settings, engine_owner=owner, patients=patients, seed=seed)
    with ExitStack() as services:
        if with_pacs:
            pacs = services.enter_context(orthanc_running())
            stored = fill_pacs(pacs, demo_folder(settings) / "dicom")
            console.print(f"Orthanc holds {stored} DICOM photos of the hospital.")
            settings = pacs.settings(settings)
        if migration is None:
            return
        _wait(migration, "Airflow's own database", settings)
        for dag in ("nightly_scoring", "risk_tables"):
            with console.status(f"Running the DAG {dag} of {DEMO_NIGHT} …"):
                _wait(_airflow(settings, "dags", "test", dag, DEMO_NIGHT.isoformat()), f"The DAG {dag}", settings)
            console.print(f"The DAG {dag} of {DEMO_NIGHT} succeeded.")
    _show(console, settings, owner)


def _airflow(settings: Settings, *arguments: str) -> subprocess.Popen[bytes]:
    """Start the Airflow command line in its private home; its output goes to a log file there."""
    log = _airflow_log(settings)
    log.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    with log.open("ab") as output:
        return subprocess.Popen(
            [str(environment_bin() / "airflow"), *arguments],
            env=airflow_environment(settings),
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=subprocess.STDOUT,
        )


def _airflow_log(settings: Settings) -> Path:
    return settings.home / "airflow" / "demo.log"


def _wait(process: subprocess.Popen[bytes], what: str, settings: Settings) -> None:
    if process.wait() != 0:
        log = _airflow_log(settings)
        raise DemoNightFailed(
            f"{what} did not succeed (exit code {process.returncode}).", next_step=f"Read the end of {log}."
        )


def _show(console: Console, settings: Settings, engine: Engine) -> None:
    """Print the counts of the night, the adjusted hazard ratios, and where to look further."""
    counts = Table(title=f"Photos of the demo hospital after the night of {DEMO_NIGHT} (synthetic)")
    for heading in ("Status", "Reason"):
        counts.add_column(heading)
    counts.add_column("Photos", justify="right")
    with engine.connect() as connection:
        for row in connection.execute(_PHOTO_COUNTS):
            counts.add_row(row.status, row.reason_code or "", str(row.photos))
        hazards = Table(title="Adjusted hazard ratios (both biomarkers, age, sex, site, stage, ECOG)")
        for heading in ("Term", "Unit", "Hazard ratio", "95 % interval", "p"):
            hazards.add_column(heading, justify="left" if heading in ("Term", "Unit") else "right")
        for row in connection.execute(_HAZARD_RATIOS):
            interval = f"{row.ci_lower:.2f} to {row.ci_upper:.2f}"
            hazards.add_row(row.term, row.unit, f"{row.hazard_ratio:.2f}", interval, f"{row.p_value:.3g}")
    console.print(counts)
    console.print(hazards)
    for name, path in (
        ("Report", settings.reports / f"night-{DEMO_NIGHT}.html"),
        ("Risk tables", settings.reports / "risk-cancer_photo.html"),
        ("Data Docs", settings.data_docs / "index.html"),
    ):
        console.print(f"{name}: {_shown(path)}", soft_wrap=True)
    console.print(f"SQL: {psql_line(settings)}", soft_wrap=True)


def _shown(path: Path) -> Path:
    return path.relative_to(Path.cwd()) if path.is_relative_to(Path.cwd()) else path


_PHOTO_COUNTS = text(
    "SELECT status, reason_code, count(*) AS photos FROM fahr.coverage"
    " GROUP BY ROLLUP ((status, reason_code)) ORDER BY status NULLS LAST, photos DESC, reason_code"
)
_HAZARD_RATIOS = text(
    "SELECT term, unit, hazard_ratio, ci_lower, ci_upper, p_value FROM fahr.risk_coefficient"
    " WHERE is_latest AND model_name = 'both_adjusted' ORDER BY term"
)
