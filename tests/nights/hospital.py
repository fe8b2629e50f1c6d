"""A small demo hospital in a folder of its own, worked on through the `fahr` command alone, as an operator would."""

from __future__ import annotations

import os
import signal
import subprocess
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import psycopg

from jobs.spark_conf import environment_bin

NIGHT = "2026-03-01"
NEXT_NIGHT = "2026-03-02"

# What a clean night would write again: everything but ids and instants of the execution itself.
OUTCOMES = {
    "fahr.photo_v1": (
        "first_seen_on",
        "photo_id, source, source_key, source_version, person_id, captured_at, content_sha256, byte_count,"
        " image_format, width_px, height_px, frame_count, reason_code",
    ),
    "fahr.validation_v1": ("decided_on", "photo_id, content_sha256, accepted, reason_code, failed_rules"),
    "fahr.face_score_v1": (
        "scored_on",
        "content_sha256, model_id, preprocessing_id, face_age_years, face_survival_log_risk,"
        " detection_probability, face_width_px, sharpness, weights_sha256",
    ),
    "fahr.score_failure_v1": ("first_failed_on", "content_sha256, model_id, preprocessing_id, reason_code"),
}
LEDGERS = [*OUTCOMES, "fahr.run_v1", "fahr.model_version_v1", "fahr.reason_code_v1"]


@dataclass(frozen=True)
class SmallHospital:
    """A demo hospital with its own FAHR_HOME and embedded warehouse."""

    home: Path
    output: Path

    @property
    def environment(self) -> dict[str, str]:
        """The environment of its commands: nothing of the caller's FAHR settings."""
        clean = {name: value for name, value in os.environ.items() if not name.startswith("FAHR_")}
        return clean | {"FAHR_HOME": str(self.home), "FAHR_SPARK_MASTER": "local[2]"}

    def start(self, *arguments: str) -> subprocess.Popen[bytes]:
        """Start `fahr` with these arguments; its output is added to `output`."""
        with self.output.open("ab") as output:
            return subprocess.Popen(
                [str(environment_bin() / "fahr"), *arguments],
                env=self.environment,
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=subprocess.STDOUT,
                start_new_session=True,
            )

    def fahr(self, *arguments: str, expect: int = 0) -> None:
        """Run `fahr` and require its exit code."""
        code = self.start(*arguments).wait(timeout=600)
        assert code == expect, f"fahr {arguments} ended with {code}:\n{self.output.read_text()[-3000:]}"

    def kill_when(
        self, process: subprocess.Popen[bytes], mid_work: Callable[[], bool], patience_s: float = 120
    ) -> None:
        """kill -9 the driver as soon as `mid_work` is true; fails if it ends before that."""
        deadline = time.monotonic() + patience_s
        while not mid_work():
            assert process.poll() is None, "the command ended before it could be killed"
            assert time.monotonic() < deadline, "the command never came to the point where it should be killed"
            time.sleep(0.02)
        os.kill(process.pid, signal.SIGKILL)
        process.wait(timeout=30)

    def query(self, sql: str) -> list[tuple]:
        """Rows of a query, as the owner of the warehouse."""
        with psycopg.connect(self.url, autocommit=True) as connection:
            cursor = connection.execute(sql)
            return cursor.fetchall() if cursor.description else []

    @property
    def url(self) -> str:
        """URL of its warehouse."""
        answer = subprocess.run(
            [str(environment_bin() / "fahr"), "warehouse", "url"], env=self.environment, capture_output=True, check=True
        )
        return answer.stdout.decode().strip().replace("postgresql+psycopg://", "postgresql://")

    def outcomes(self, night: str) -> dict[str, list[tuple]]:
        """What `night` wrote, less the ids and instants of the execution."""
        return {
            table: sorted(self.query(f"SELECT {columns} FROM {table} WHERE {day} = '{night}'"), key=repr)
            for table, (day, columns) in OUTCOMES.items()
        }

    def everything(self) -> dict[str, list[tuple]]:
        """Every column of every ledger table."""
        return {table: sorted(self.query(f"SELECT * FROM {table}"), key=repr) for table in LEDGERS}
