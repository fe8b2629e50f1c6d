"""A real Airflow on loopback for one test: api-server, dag-processor and scheduler, each leading a session."""

from __future__ import annotations

import json
import os
import signal
import socket
import subprocess
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from jobs.airflow_env import airflow_environment
from jobs.settings import Settings
from jobs.spark_conf import environment_bin

AIRFLOW = str(environment_bin() / "airflow")
SERVICES = (("api-server",), ("dag-processor",), ("scheduler", "--skip-serve-logs"))


@dataclass(frozen=True)
class RunningAirflow:
    """The REST API of a running Airflow, asked as an operator's tools would ask it."""

    url: str
    logs: Path

    def ask(self, path: str, *, method: str = "GET", body: dict[str, Any] | None = None) -> dict[str, Any]:
        """The answer of `/api/v2/<path>`."""
        request = urllib.request.Request(
            f"{self.url}/api/v2/{path}",
            method=method,
            data=None if body is None else json.dumps(body).encode(),
            headers={"Authorization": f"Bearer {self._token()}", "Content-Type": "application/json"},
        )
        with urllib.request.urlopen(request, timeout=30) as answer:
            return json.load(answer)

    def unpause(self, dag_id: str) -> None:
        """Let the scheduler run this DAG."""
        self.ask(f"dags/{dag_id}?update_mask=is_paused", method="PATCH", body={"is_paused": False})

    def runs(self, dag_id: str) -> list[dict[str, Any]]:
        """Every run of this DAG."""
        return self.ask(f"dags/{dag_id}/dagRuns")["dag_runs"]

    def wait_until(self, condition: Callable[[], Any], what: str, *, patience_s: float) -> Any:
        """The first true answer of `condition`, asked every second."""
        deadline = time.monotonic() + patience_s
        while time.monotonic() < deadline:
            try:
                if answer := condition():
                    return answer
            except urllib.error.URLError:
                pass  # the API server is still starting
            time.sleep(1)
        raise AssertionError(f"{what}: not within {patience_s:.0f} s\n{self.tail_of_logs()}")

    def tail_of_logs(self) -> str:
        """The last lines of every log of services and tasks."""
        files = sorted(path for path in self.logs.rglob("*.log") if path.is_file())
        return "\n".join(f"--- {path.relative_to(self.logs)}\n{path.read_text()[-3000:]}" for path in files)

    def _token(self) -> str:
        with urllib.request.urlopen(f"{self.url}/auth/token", timeout=30) as answer:
            return json.load(answer)["access_token"]


@contextmanager
def airflow_running(settings: Settings) -> Iterator[RunningAirflow]:
    """Start the services over `settings`, on our DAGs folder; stop every process they started, come what may."""
    port = _free_port()
    url = f"http://127.0.0.1:{port}"
    environment = {
        **airflow_environment(settings),
        "AIRFLOW__API__HOST": "127.0.0.1",
        "AIRFLOW__API__PORT": str(port),
        "AIRFLOW__API__BASE_URL": url,
        "AIRFLOW__API__WORKERS": "1",
        "AIRFLOW__CORE__EXECUTION_API_SERVER_URL": f"{url}/execution/",
        "AIRFLOW__CORE__SIMPLE_AUTH_MANAGER_ALL_ADMINS": "True",
    }
    logs = Path(environment["AIRFLOW_HOME"]) / "logs"
    logs.mkdir(exist_ok=True)
    subprocess.run([AIRFLOW, "db", "migrate"], env=environment, check=True, capture_output=True)
    with ExitStack() as services:
        for command in SERVICES:
            services.enter_context(_service(command, environment, logs / f"{command[0]}.log"))
        yield RunningAirflow(url=url, logs=logs)


@contextmanager
def _service(command: tuple[str, ...], environment: dict[str, str], log: Path) -> Iterator[None]:
    with log.open("wb") as output:
        process = subprocess.Popen(
            [AIRFLOW, *command],
            env=environment,
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=subprocess.STDOUT,
            start_new_session=True,
        )
    try:
        yield
    finally:
        _stop_session(process)


def _stop_session(process: subprocess.Popen[bytes]) -> None:
    """Stop the service and whatever runs in the session it leads."""
    os.killpg(process.pid, signal.SIGTERM)
    try:
        process.wait(timeout=10)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait()
    for pid in session_members(process.pid):
        try:
            os.kill(pid, signal.SIGKILL)
        except ProcessLookupError:
            continue


def session_members(session: int) -> list[int]:
    """Ids of the processes in a session, whatever process group they moved to."""
    members = []
    for status in Path("/proc").glob("[0-9]*/stat"):
        try:
            fields = status.read_text().rpartition(")")[2].split()
        except (FileNotFoundError, ProcessLookupError):
            continue
        if int(fields[3]) == session:
            members.append(int(status.parent.name))
    return members


def _free_port() -> int:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        return free.getsockname()[1]
