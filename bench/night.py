"""Time and peak memory of the whole demo (hospital, Airflow, risk tables, report), and of nights without news."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import time
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from pathlib import Path

from bench.memory import peak_memory_of
from bench.scoring import RESULTS, machine
from jobs.spark_conf import environment_bin


@dataclass(frozen=True)
class NightResult:
    """One command, from its start to its end."""

    command: str
    seconds: float
    peak_memory_mib: int
    peak_by_program_mib: dict[str, int]


def run(*, home: Path) -> list[NightResult]:
    """The demo in a fresh home, the demo again, and the next night, in which nothing is new."""
    home = home / "night"
    if home.exists():
        shutil.rmtree(home)
    environment = os.environ | {"FAHR_HOME": str(home)}
    results = [
        _timed(environment, "demo", "--night"),
        _timed(environment, "demo", "--night"),
        _timed(environment, "nightly", "--date", "2026-03-02"),
    ]
    subprocess.run([environment_bin() / "fahr", "warehouse", "stop"], env=environment, check=True)
    return results


def write(results: list[NightResult], folder: Path = RESULTS) -> Path:
    """Keep the results as JSON."""
    path = folder / f"night-{datetime.now(UTC).date()}-cpu{os.cpu_count()}.json"
    path.write_text(json.dumps(machine() | {"results": [asdict(result) for result in results]}, indent=2) + "\n")
    return path


def _timed(environment: dict[str, str], *arguments: str) -> NightResult:
    started = time.perf_counter()
    process = subprocess.Popen([environment_bin() / "fahr", *arguments], env=environment)
    with peak_memory_of(process.pid) as peak:
        if process.wait() != 0:
            raise RuntimeError(f"fahr {' '.join(arguments)} ended with {process.returncode}")
    return NightResult(
        command=f"fahr {' '.join(arguments)}",
        seconds=round(time.perf_counter() - started, 1),
        peak_memory_mib=peak.total // 2**20,
        peak_by_program_mib={name: size // 2**20 for name, size in peak.by_program.items()},
    )
