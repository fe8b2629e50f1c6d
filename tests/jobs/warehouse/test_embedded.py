"""The embedded server through its whole life, in a home below a folder that only this user may enter."""

from __future__ import annotations

import os
import shutil
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import psutil
import psycopg
import pytest

from jobs.errors import SettingsError
from jobs.warehouse import embedded
from jobs.warehouse.server_process import INSTALLATION, WHEEL, binary


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """A home with a space in its name, in a folder of mode 0700; one cluster for all tests here."""
    private = tmp_path_factory.mktemp("private")
    private.chmod(0o700)
    home = private / "a hospital" / "home"
    home.mkdir(parents=True, mode=0o700)
    yield home
    embedded.stop(home)


def postmaster(home: Path) -> int:
    return int((home / "postgres" / "data" / "postmaster.pid").read_text().splitlines()[0])


def written(url: str) -> list[tuple[int]]:
    with psycopg.connect(url) as connection:
        return connection.execute("SELECT number FROM written").fetchall()


def write(url: str) -> None:
    with psycopg.connect(url) as connection:
        connection.execute("DROP TABLE IF EXISTS written")
        connection.execute("CREATE TABLE written AS SELECT 42 AS number")


def test_the_first_start_opens_no_folder_above_the_data(home: Path) -> None:
    assert not (home / "postgres").exists()
    above = [home, *home.parents]
    before = [(folder.stat().st_mode, folder.stat().st_uid) for folder in above]
    embedded.start(home)
    assert [(folder.stat().st_mode, folder.stat().st_uid) for folder in above] == before
    assert (home / "postgres").stat().st_mode & 0o777 == 0o700


def test_programs_in_a_private_environment_are_found(tmp_path: Path) -> None:
    """A virtual environment, like a home, may lie where only this user may enter."""
    tmp_path.chmod(0o700)
    packages = binary("postgres").parents[3]
    site = tmp_path / "site"
    for folder in (f"{WHEEL}/{INSTALLATION}", f"{WHEEL}.libs"):
        if (packages / folder).is_dir():
            shutil.copytree(packages / folder, site / folder)
    (site / WHEEL / "__init__.py").touch()
    program = "import sys, pathlib, jobs.warehouse.embedded as e; h = pathlib.Path(sys.argv[1]); e.start(h); e.stop(h)"
    environment = {**os.environ, "PYTHONPATH": str(site)}
    command = [sys.executable, "-c", program, str(tmp_path / "home")]
    subprocess.run(command, env=environment, check=True, timeout=60)
    assert (tmp_path / "home" / "postgres" / "data" / "PG_VERSION").exists()


def test_start_stop_and_start_again_keep_data_and_url(home: Path) -> None:
    url = embedded.start(home)
    write(url)
    assert embedded.start(home) == url == embedded.url(home)
    assert embedded.stop(home) is True
    assert embedded.stop(home) is False
    assert embedded.start(home) == url
    assert written(url) == [(42,)]


@pytest.mark.skipif(os.geteuid() != 0, reason="only root hands the server to another user")
def test_root_runs_the_server_as_somebody_who_cannot_write_elsewhere(home: Path) -> None:
    embedded.start(home)
    server = psutil.Process(postmaster(home))
    assert 0 not in server.uids()
    status = Path(f"/proc/{server.pid}/status").read_text()
    effective = next(int(line.split()[1], 16) for line in status.splitlines() if line.startswith("CapEff"))
    assert effective in {1 << 1, 1 << 2}


def test_what_was_committed_survives_a_kill(home: Path) -> None:
    url = embedded.start(home)
    write(url)
    os.kill(postmaster(home), signal.SIGKILL)
    assert embedded.start(home) == url
    assert written(url) == [(42,)]


def test_a_pid_file_left_behind_does_not_point_at_a_stranger(home: Path) -> None:
    url = embedded.start(home)
    pid_file = home / "postgres" / "data" / "postmaster.pid"
    lines = pid_file.read_text().splitlines()
    embedded.stop(home)
    # After a reboot, or in a container started anew, the number belongs to another process: here to ourselves.
    pid_file.write_text("\n".join([str(os.getppid()), *lines[1:]]) + "\n")
    assert embedded.stop(home) is False
    assert embedded.start(home) == url


def test_two_processes_start_one_server(home: Path) -> None:
    program = (
        f"from pathlib import Path; from jobs.warehouse import embedded; print(embedded.start(Path({str(home)!r})))"
    )
    processes = [subprocess.Popen([sys.executable, "-c", program], stdout=subprocess.PIPE, text=True) for _ in range(3)]
    answers = {process.communicate(timeout=60)[0].strip() for process in processes}
    assert answers == {embedded.url(home)}
    with psycopg.connect(embedded.url(home)) as connection:
        assert connection.execute("SELECT current_user").fetchone() == ("fahr",)


def test_another_port_is_taken_when_the_old_one_is_in_use(home: Path) -> None:
    url = embedded.start(home)
    port = int((home / "postgres" / "port").read_text())
    embedded.stop(home)
    with socket.socket() as squatter:
        squatter.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        squatter.bind(("127.0.0.1", port))
        squatter.listen()
        assert embedded.start(home) != url
    write(embedded.url(home))


def test_it_listens_on_loopback_only_and_wants_the_password(home: Path) -> None:
    url = embedded.start(home)
    listening = {
        connection.laddr.ip
        for connection in psutil.Process(postmaster(home)).net_connections()
        if connection.status == psutil.CONN_LISTEN
    }
    assert listening == {"127.0.0.1"}
    password = (home / "postgres" / "password").read_text()
    for wrong in (url.replace(password, "wrong"), url.replace(f":{password}", "")):
        with pytest.raises(psycopg.OperationalError):
            psycopg.connect(wrong, connect_timeout=5)


def test_only_this_user_may_read_the_password(home: Path) -> None:
    url = embedded.start(home)
    password = (home / "postgres" / "password").read_text()
    assert password in url
    holders = [
        file
        for file in (home / "postgres").rglob("*")
        if file.is_file() and "data" not in file.relative_to(home / "postgres").parts and password in file.read_text()
    ]
    assert {file.name for file in holders} == {"password", "pgpass"}
    assert all(file.stat().st_mode & 0o077 == 0 for file in holders)
    server = psutil.Process(postmaster(home))
    for process in [server, *server.children(recursive=True)]:
        assert password not in " ".join([*process.cmdline(), *process.environ().values()])


def test_the_server_log_holds_no_data(home: Path) -> None:
    canary = "Wilhelmina Canary"
    with psycopg.connect(embedded.start(home), autocommit=True) as connection:
        connection.execute("CREATE TABLE patient (name text PRIMARY KEY)")
        connection.execute("INSERT INTO patient VALUES (%s)", [canary])
        for statement, parameters in [
            ("INSERT INTO patient VALUES (%s)", [canary]),
            (f"SELECT '{canary}'::integer", None),
            (f"SELEKT '{canary}'", None),
            ("SELECT CAST(%s::text AS date)", [canary]),
        ]:
            with pytest.raises(psycopg.Error):
                connection.execute(statement, parameters)
    time.sleep(0.1)
    logs = [file for file in (home / "postgres" / "log").iterdir() if file.stat().st_size]
    assert logs
    assert not any(canary in file.read_text() for file in logs)


def test_a_server_that_cannot_start_says_where_to_look(home: Path) -> None:
    embedded.start(home)
    embedded.stop(home)
    version = home / "postgres" / "data" / "PG_VERSION"
    version.write_text("12\n")
    with pytest.raises(SettingsError) as error:
        embedded.start(home)
    assert "log" in error.value.next_step
    version.write_text("18\n")


def test_a_home_without_a_server_has_no_url(tmp_path: Path) -> None:
    with pytest.raises(SettingsError, match="no embedded warehouse"):
        embedded.url(tmp_path)
    assert embedded.stop(tmp_path) is False
