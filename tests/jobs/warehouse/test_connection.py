from __future__ import annotations

import datetime
from pathlib import Path

import pytest
import sqlalchemy.exc
from pydantic import SecretStr
from sqlalchemy import Engine, text

from jobs.errors import SettingsError
from jobs.settings import Settings
from jobs.warehouse.connection import connect, copy_rows, open_warehouse


def test_the_role_outlives_a_rollback(engine: Engine) -> None:
    with engine.connect() as connection:
        connection.execute(text("SELECT 1"))
        connection.rollback()
        assert connection.execute(text("SELECT current_user")).scalar() == "fahr_loader"


def test_a_server_that_is_not_migrated_is_left_alone(settings: Settings, owner_engine: Engine) -> None:
    with owner_engine.begin() as connection:
        connection.execute(text("UPDATE fahr.schema_state_v1 SET definition_sha256 = 'of another version'"))
    with pytest.raises(SettingsError) as error:
        open_warehouse(settings)
    assert "fahr warehouse migrate" in error.value.next_step


@pytest.mark.parametrize(
    "url",
    [
        "mysql://fahr:secret-word@127.0.0.1/fahr",
        "no url at all, secret-word",
        "postgresql://fahr:secret-word@127.0.0.1:9/fahr",
        "postgresql://fahr:secret-word@{server}/fahr",
        "postgresql://fahr:secret-word@127.0.0.1:port/fahr",
    ],
)
def test_a_url_that_leads_nowhere_is_refused_without_telling_the_password(
    tmp_path: Path, postgres_server: str, url: str
) -> None:
    url = url.format(server=postgres_server.split("@")[1].split("/")[0])
    with pytest.raises(SettingsError) as error:
        open_warehouse(Settings(home=tmp_path, warehouse_url=SecretStr(url)))
    assert error.value.exit_code == 10
    assert "secret-word" not in f"{error.value} {error.value.next_step} {error.value.__cause__!r}"


def test_a_login_that_may_not_take_the_role_is_told_so(owner_engine: Engine, warehouse_url: str) -> None:
    with owner_engine.begin() as connection:
        connection.execute(text("CREATE ROLE stranger LOGIN PASSWORD 'stranger'"))
    try:
        url = owner_engine.url.set(username="stranger", password="stranger").render_as_string(hide_password=False)
        with pytest.raises(SettingsError, match="may not take the role fahr_loader"):
            connect(url, role="fahr_loader")
        with pytest.raises(SettingsError, match="no role fahr_dreamer"):
            connect(url, role="fahr_dreamer")
    finally:
        with owner_engine.begin() as connection:
            connection.execute(text("DROP ROLE stranger"))


def test_parameters_of_a_failed_statement_stay_out_of_the_error(engine: Engine) -> None:
    with pytest.raises(sqlalchemy.exc.DBAPIError) as error, engine.begin() as connection:
        connection.execute(text("SELECT 1 / 0, :name"), {"name": "Wilhelmina Canary"})
    assert "Canary" not in str(error.value)


def test_copied_rows_arrive_with_arrays_json_nulls_and_dates(owner_engine: Engine) -> None:
    day = datetime.date(2026, 3, 1)
    rows = [(1, ["a", 'b"{,\\'], {"n": [1, None]}, day), (2, [], '{"m": 2}', None), (3, None, None, day)]
    with owner_engine.begin() as connection:
        connection.execute(text("CREATE TABLE hospital.copied (n bigint, words text[], facts jsonb, day date)"))
        count = copy_rows(connection, "hospital.copied", ["n", "words", "facts", "day"], iter(rows))
        arrived = [tuple(row) for row in connection.execute(text("SELECT * FROM hospital.copied ORDER BY n"))]
    assert count == 3
    assert arrived == [rows[0], (2, [], {"m": 2}, None), rows[2]]


def test_nothing_of_a_refused_copy_is_kept(owner_engine: Engine) -> None:
    with pytest.raises(Exception, match="duplicate key"), owner_engine.begin() as connection:
        copy_rows(connection, "hospital.patient_id_map", ["mrn", "person_id"], [("A", 1), ("B", 2), ("A", 3)])
    with owner_engine.connect() as connection:
        assert connection.execute(text("SELECT count(*) FROM hospital.patient_id_map")).scalar() == 0
