"""The embedded warehouse as the command line uses it: one server through its day."""

from __future__ import annotations

import os
import subprocess
from collections.abc import Iterator

import pytest
from sqlalchemy import text

from jobs.settings import Settings
from jobs.warehouse import commands, embedded
from jobs.warehouse.connection import open_warehouse


@pytest.fixture(scope="module")
def settings(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Settings]:
    settings = Settings(home=tmp_path_factory.mktemp("a home"))
    yield settings
    embedded.stop(settings.home)


def test_start_migrates_and_gives_a_psql_line_that_works(settings: Settings) -> None:
    line = commands.start_command(settings).splitlines()[-1].strip()
    password = (settings.home / "postgres" / "password").read_text()
    assert password not in line
    environment = {"PATH": os.environ["PATH"], "HOME": str(settings.home)}
    asked = f"{line} --no-password -tA -c 'SELECT current_user, count(*) FROM fahr.coverage'"
    answer = subprocess.run(asked, shell=True, env=environment, capture_output=True, text=True, timeout=30)
    assert (answer.stdout, answer.returncode) == ("fahr_analyst|0\n", 0), answer.stderr


def test_the_owner_has_a_service_too(settings: Settings) -> None:
    commands.start_command(settings)
    asked = f"{commands.psql_line(settings, service='fahr')} -w -tA -c 'SELECT current_user'"
    assert subprocess.run(asked, shell=True, capture_output=True, text=True, timeout=30).stdout == "fahr\n"


def test_the_url_is_given_on_request(settings: Settings) -> None:
    commands.start_command(settings)
    url = commands.url_command(settings)
    assert url.startswith("postgresql://fahr:")
    assert url.endswith("/fahr")


def test_hospital_tables_that_come_later_can_be_read_at_the_next_opening(settings: Settings) -> None:
    owner = open_warehouse(settings, role=None)
    with owner.begin() as connection:
        connection.execute(text("CREATE SCHEMA cdm CREATE TABLE cdm.person (person_id bigint)"))
    owner.dispose()
    loader = open_warehouse(settings)
    with loader.connect() as connection:
        assert connection.execute(text("SELECT count(*) FROM cdm.person")).scalar() == 0
    loader.dispose()


def test_migrate_says_whether_there_was_anything_to_do(settings: Settings) -> None:
    commands.start_command(settings)
    assert commands.migrate_command(settings) == "The warehouse is up to date."


def test_stop_may_be_repeated(settings: Settings) -> None:
    commands.start_command(settings)
    assert commands.stop_command(settings) == "The warehouse is stopped."
    assert commands.stop_command(settings) == "The warehouse was not running."


def test_the_psql_line_for_a_hospitals_server_leaves_the_password_to_psql() -> None:
    settings = Settings(warehouse_url="postgresql://ann:secret-word@db.hospital/omop?sslmode=require")
    assert commands.psql_line(settings) == "psql 'postgresql://ann@db.hospital/omop?sslmode=require'"
