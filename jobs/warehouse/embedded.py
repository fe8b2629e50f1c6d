"""The embedded warehouse: a PostgreSQL server of our own under `FAHR_HOME`, started when it is needed.

It listens on the loopback address only, asks for a SCRAM password, syncs to disk like any server, and outlives the
process that started it. The product logs in as `fahr`, who owns the database but is no superuser: what works here works
on a hospital's server.
"""

from __future__ import annotations

import contextlib
import fcntl
import os
import random
import secrets
import shlex
import shutil
import socket
import time
from collections.abc import Iterator
from pathlib import Path

import psutil
import psycopg
from psycopg import sql

from jobs.errors import SettingsError
from jobs.warehouse.server_process import run_as, server_owner

LOGIN = "fahr"
DATABASE = "fahr"
SUPERUSER = "postgres"
HOST = "127.0.0.1"
START_SECONDS = 60
PORTS = range(20_000, 32_000)
"""Below those that systems give to outgoing connections, one of which might hold the server's port when it restarts."""
PORT_SECONDS = 3.0
"""How long the server's old port is waited for before it takes another."""

SERVER_SETTINGS = {
    "listen_addresses": HOST,
    "unix_socket_directories": "",
    "shared_buffers": "128MB",
    "max_connections": "60",
    # /dev/shm of a container is small, and parallel plans need it.
    "max_parallel_workers_per_gather": "0",
    "timezone": "UTC",
    "log_timezone": "UTC",
    # Statements and error texts may hold patients' data: neither is logged.
    "log_min_messages": "log",
    "log_min_error_statement": "panic",
    "log_error_verbosity": "terse",
    "log_statement": "none",
    "log_min_duration_statement": "-1",
    "log_parameter_max_length_on_error": "0",
    "logging_collector": "on",
    "log_filename": "postgresql-%a.log",
    "log_truncate_on_rotation": "on",
    "log_rotation_age": "1d",
    "log_rotation_size": "0",
    "log_file_mode": "0600",
}


class _Layout:
    """Where everything lies under `FAHR_HOME`/postgres."""

    def __init__(self, home: Path) -> None:
        self.root = home.resolve() / "postgres"
        self.data = self.root / "data"
        self.log = self.root / "log"
        self.lock = self.root / "lock"
        self.port = self.root / "port"
        self.password = self.root / "password"
        self.superuser_password = self.root / "superuser_password"
        self.passfile = self.root / "pgpass"
        self.services = self.root / "services"


def start(home: Path) -> str:
    """Start the server under `home` if it does not run, and return its URL (which holds the password).

    The first start makes the database cluster. Safe to call from several processes at once, and after a crash.

    Raises:
        SettingsError: the server does not start, or its data were written by another version of PostgreSQL.
    """
    layout = _Layout(home)
    layout.root.mkdir(mode=0o700, parents=True, exist_ok=True)
    with _locked(layout):
        if not layout.data.exists():
            _initialise(layout)
        if not _answers(layout):
            _start_server(layout)
        _make_login_and_database(layout)
        _write_client_files(layout)
    return url(home)


def stop(home: Path) -> bool:
    """Stop the server under `home`, rolling back what is open; repeating does no harm.

    Returns whether one was running.

    Raises:
        SettingsError: it did not stop within a minute.
    """
    layout = _Layout(home)
    if not layout.data.exists():
        return False
    with _locked(layout):
        if _server_pid(layout) is None:
            return False
        arguments = ("stop", "-D", str(layout.data), "-m", "fast", "-w", "-t", str(START_SECONDS))
        ended = run_as(server_owner(layout.data), "pg_ctl", *arguments)
        if _server_pid(layout) is not None:
            raise SettingsError(
                f"The embedded warehouse did not stop (pg_ctl ended with {ended.returncode}).",
                next_step=f"See the log in {layout.log}.",
            )
    return True


def url(home: Path) -> str:
    """The URL of the server under `home`, password and all: for programs and `fahr warehouse url`, never for a log.

    Raises:
        SettingsError: no server was ever started there.
    """
    layout = _Layout(home)
    if not layout.port.exists() or not layout.password.exists():
        raise SettingsError("There is no embedded warehouse yet.", next_step="Run `fahr warehouse start`.")
    return f"postgresql://{LOGIN}:{layout.password.read_text()}@{HOST}:{layout.port.read_text()}/{DATABASE}"


def services_file(home: Path) -> Path:
    """A libpq service file with the services `fahr` (the owner) and `fahr_analyst`: no password on psql's line."""
    return _Layout(home).services


@contextlib.contextmanager
def _locked(layout: _Layout) -> Iterator[None]:
    with layout.lock.open("a") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield


def _initialise(layout: _Layout) -> None:
    """Make the cluster beside its final place, so that a killed `initdb` leaves nothing that looks complete."""
    unfinished = layout.root / "data.unfinished"
    shutil.rmtree(unfinished, ignore_errors=True)
    _write_secret(layout.superuser_password, secrets.token_urlsafe(24))
    _write_secret(layout.password, secrets.token_urlsafe(24))
    owner = server_owner(layout.data)
    for folder in (unfinished, layout.log):
        folder.mkdir(mode=0o700, exist_ok=True)
        if owner is not None:
            os.chown(folder, *owner)
    ended = run_as(
        owner,
        "initdb",
        f"--pgdata={unfinished}",
        f"--username={SUPERUSER}",
        f"--pwfile={layout.superuser_password}",
        "--auth=scram-sha-256",
        "--encoding=UTF8",
        "--locale-provider=builtin",
        "--builtin-locale=C.UTF-8",
        "--locale=C",
    )
    if ended.returncode != 0:
        raise SettingsError(
            f"The embedded warehouse could not be made: {ended.stderr.strip()}",
            next_step="Mend what initdb names (disk space, a user without a name), or set FAHR_WAREHOUSE_URL.",
        )
    unfinished.rename(layout.data)


def _start_server(layout: _Layout) -> None:
    """Start the server, waiting for what a crash left behind: orphans need a moment to end."""
    owner = server_owner(layout.data)
    deadline = time.monotonic() + START_SECONDS
    while True:
        _forget_dead_server(layout)
        port = _free_port(layout)
        options = {**SERVER_SETTINGS, "port": str(port), "log_directory": str(layout.log)}
        ended = run_as(
            owner,
            "pg_ctl",
            "start",
            f"--pgdata={layout.data}",
            f"--log={layout.log / 'start.log'}",
            "--wait",
            f"--timeout={START_SECONDS}",
            "--options=" + " ".join(f"-c {shlex.quote(f'{name}={value}')}" for name, value in options.items()),
        )
        if ended.returncode == 0:
            _write_secret(layout.port, str(port))
            return
        if time.monotonic() > deadline or not _may_succeed_later(layout):
            raise SettingsError(
                f"The embedded warehouse does not start: {ended.stderr.strip()}",
                next_step=f"See the logs in {layout.log}; or set FAHR_WAREHOUSE_URL.",
            )
        time.sleep(0.2)


def _may_succeed_later(layout: _Layout) -> bool:
    reason = (layout.log / "start.log").read_text(errors="replace").splitlines()[-3:]
    return any("still in use" in line or "could not bind" in line or "already exists" in line for line in reason)


def _free_port(layout: _Layout) -> int:
    """The port used last time, as soon as what a crash left behind has let go of it; else any free one."""
    if layout.port.exists():
        remembered = int(layout.port.read_text())
        deadline = time.monotonic() + PORT_SECONDS
        while time.monotonic() < deadline:
            if _is_free(remembered):
                return remembered
            time.sleep(0.1)
    for port in random.sample(PORTS, k=100):
        if _is_free(port):
            return port
    raise SettingsError("No loopback port is free for the embedded warehouse.", next_step="Set FAHR_WAREHOUSE_URL.")


def _is_free(port: int) -> bool:
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((HOST, port))
        except OSError:
            return False
    return True


def _server_pid(layout: _Layout) -> int | None:
    """The id of the running postmaster of this data folder; None when the id in its file belongs to somebody else.

    A container starts its processes with the same ids each time, so an id alone proves nothing.
    """
    try:
        pid = int((layout.data / "postmaster.pid").read_text().splitlines()[0])
        command = psutil.Process(pid).cmdline()
    except (FileNotFoundError, IndexError, ValueError, psutil.Error):
        return None
    return pid if str(layout.data) in command else None


def _forget_dead_server(layout: _Layout) -> None:
    if _server_pid(layout) is None:
        (layout.data / "postmaster.pid").unlink(missing_ok=True)


def _answers(layout: _Layout) -> bool:
    if _server_pid(layout) is None or not layout.port.exists():
        return False
    try:
        with _superuser(layout):
            return True
    except psycopg.OperationalError:
        return False


def _superuser(layout: _Layout) -> psycopg.Connection[tuple[object, ...]]:
    return psycopg.connect(
        host=HOST,
        port=int(layout.port.read_text()),
        user=SUPERUSER,
        password=layout.superuser_password.read_text(),
        dbname="postgres",
        autocommit=True,
        connect_timeout=10,
    )


def _make_login_and_database(layout: _Layout) -> None:
    with _superuser(layout) as connection:
        if not connection.execute("SELECT FROM pg_roles WHERE rolname = %s", [LOGIN]).rowcount:
            statement = sql.SQL("CREATE ROLE {} LOGIN CREATEROLE PASSWORD {}")
            connection.execute(statement.format(sql.Identifier(LOGIN), layout.password.read_text()))
        if not connection.execute("SELECT FROM pg_database WHERE datname = %s", [DATABASE]).rowcount:
            statement = sql.SQL("CREATE DATABASE {} OWNER {}")
            connection.execute(statement.format(sql.Identifier(DATABASE), sql.Identifier(LOGIN)))


def _write_client_files(layout: _Layout) -> None:
    _write_secret(layout.passfile, f"{HOST}:*:*:{LOGIN}:{layout.password.read_text()}\n")
    server = (
        f"host={HOST}\nport={layout.port.read_text()}\ndbname={DATABASE}\nuser={LOGIN}\npassfile={layout.passfile}\n"
    )
    _write_secret(layout.services, f"[fahr]\n{server}\n[fahr_analyst]\n{server}options=-c role=fahr_analyst\n")


def _write_secret(path: Path, text: str) -> None:
    """Write a file that only the folder's owner may read, whole or not at all."""
    if path.exists() and path.read_text() == text:
        return
    unfinished = path.with_name(path.name + ".unfinished")
    unfinished.unlink(missing_ok=True)
    descriptor = os.open(unfinished, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    with os.fdopen(descriptor, "w") as file:
        file.write(text)
    if os.geteuid() == 0:
        # Root may have come to the home of another user, who comes back.
        os.chown(unfinished, path.parent.stat().st_uid, path.parent.stat().st_gid)
    unfinished.replace(path)
