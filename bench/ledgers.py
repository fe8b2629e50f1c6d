"""Warehouses of made-up rows for the benches of nights: a ledger of so many photos, or so many scores, made in SQL."""

from __future__ import annotations

from datetime import date
from pathlib import Path

import psycopg
from sqlalchemy import make_url

from jobs.warehouse import embedded
from jobs.warehouse.connection import connect
from jobs.warehouse.migrate import migrate
from model.release import ModelRelease

LAST_NIGHT = date(2026, 3, 1)
RUN = "00000000-0000-0000-0000-000000000001"
YEARS = 5
"""The photos of a ledger came evenly over so many years."""


def new_warehouse(server_home: Path, name: str) -> str:
    """URL of a fresh migrated database on the embedded server under `server_home`, which is started."""
    url = embedded.start(server_home)
    with _superuser(server_home, url) as connection:
        connection.execute(f"ALTER ROLE {embedded.LOGIN} CREATEDB")
        connection.execute(f"DROP DATABASE IF EXISTS {name} WITH (FORCE)")
    with psycopg.connect(url, autocommit=True) as connection:
        connection.execute(f"CREATE DATABASE {name}")
    database = make_url(url).set(database=name).render_as_string(hide_password=False)
    owner = connect(database, role=None)
    migrate(owner)
    owner.dispose()
    return database


def fill_ledger(server_home: Path, url: str, release: ModelRelease, *, photos: int) -> None:
    """So many photos on a share, all pulled, accepted and scored by `release` up to `LAST_NIGHT`."""
    with _superuser(server_home, url) as connection:
        _register(connection, release)
        values = {"photos": photos, "years": f"{YEARS} years", "night": LAST_NIGHT, "run": RUN}
        for statement in _LEDGER:
            connection.execute(statement, values)
        connection.execute("VACUUM ANALYZE")


def fill_scores(server_home: Path, url: str, release: ModelRelease, *, scores: int) -> None:
    """So many scores by `release`, of bytes that no photo has."""
    with _superuser(server_home, url) as connection:
        _register(connection, release)
        if not scores:
            return
        # The key is made after the rows: a hundred times fewer random pages are written.
        connection.execute("ALTER TABLE fahr.face_score_v1 DROP CONSTRAINT face_score_v1_pkey")
        values = _key(release) | {"scores": scores, "night": LAST_NIGHT, "run": RUN}
        connection.execute(_SCORES, values)
        connection.execute(
            "ALTER TABLE fahr.face_score_v1 ADD PRIMARY KEY (content_sha256, model_id, preprocessing_id)"
        )
        connection.execute("VACUUM ANALYZE fahr.face_score_v1")
        connection.execute("CHECKPOINT")


def accept_contents(server_home: Path, url: str, *, batch: int, contents: int) -> list[str]:
    """Photos with bytes of their own, accepted and not scored yet; the SHA-256 of the bytes."""
    with _superuser(server_home, url) as connection:
        values = {"batch": batch, "contents": contents, "night": LAST_NIGHT, "run": RUN}
        connection.execute(_PHOTOS_TO_SCORE, values)
        connection.execute(_ACCEPTED, values)
        rows = connection.execute(
            "SELECT content_sha256 FROM fahr.photo_v1 WHERE source_key LIKE %(prefix)s", {"prefix": f"{batch}-%"}
        )
        return [str(row[0]) for row in rows]


def _superuser(server_home: Path, url: str) -> psycopg.Connection[tuple[object, ...]]:
    """Rows are written without the checks of foreign keys, a million at once."""
    password = (server_home / "postgres" / "superuser_password").read_text()
    login = make_url(url).set(drivername="postgresql", username=embedded.SUPERUSER, password=password)
    connection = psycopg.connect(login.render_as_string(hide_password=False), autocommit=True)
    connection.execute("SET session_replication_role = replica")
    connection.execute("SET maintenance_work_mem = '1GB'")
    return connection


def _key(release: ModelRelease) -> dict[str, str]:
    return {
        "model": release.model_id,
        "preprocessing": release.preprocessing_id,
        "weights": release.weights_sha256,
    }


def _register(connection: psycopg.Connection[tuple[object, ...]], release: ModelRelease) -> None:
    connection.execute(
        "INSERT INTO fahr.run_v1 (run_id, stage, logical_date, status, finished_at, code_version)"
        " VALUES (%(run)s, 'pull', %(night)s, 'succeeded', now(), 'bench')",
        {"run": RUN, "night": LAST_NIGHT},
    )
    connection.execute(
        "INSERT INTO fahr.model_version_v1 (model_id, preprocessing_id, weights_sha256, trained_on_synthetic,"
        " training_data, licence, intended_use, metrics, registered_on, is_current, archive_scored, run_id)"
        " VALUES (%(model)s, %(preprocessing)s, %(weights)s, true, 'drawn', 'Apache-2.0', 'bench', '{}', %(night)s,"
        " true, true, %(run)s)",
        _key(release) | {"run": RUN, "night": LAST_NIGHT},
    )


_SHA256 = "encode(sha256(convert_to({}::text, 'UTF8')), 'hex')"

_LEDGER = (
    """
    INSERT INTO hospital.photo_manifest
    SELECT 'photo-' || number, 'M' || number / 3, 'share/' || number || '.jpg', registered_at - interval '1 hour',
           registered_at
    FROM (
        SELECT number, CAST(%(night)s AS timestamp) + interval '12 hours'
                       - (%(photos)s - number) * (CAST(%(years)s AS interval) / %(photos)s) AS registered_at
        FROM generate_series(1, %(photos)s) AS number
    ) AS listed
    """,
    """
    INSERT INTO hospital.patient_id_map
    SELECT 'M' || number, number FROM generate_series(0, %(photos)s / 3) AS number
    """,
    f"""
    INSERT INTO fahr.photo_v1 (photo_id, source, source_key, source_version, person_id, listed_person_id, captured_at,
        content_sha256, byte_count, image_format, width_px, height_px, landing_run_id, first_seen_on, last_tried_on,
        decision_due, run_id)
    SELECT row_number() OVER (ORDER BY registered_at), 'share', photo_key, registered_at::text, person_id, person_id,
           captured_at, {_SHA256.format("photo_key")}, 500000, 'jpeg', 1600, 1200, %(run)s, registered_at::date,
           registered_at::date, false, %(run)s
    FROM hospital.photo_manifest JOIN hospital.patient_id_map USING (mrn)
    """,
    """
    INSERT INTO fahr.validation_v1 (photo_id, content_sha256, accepted, failed_rules, decided_on, run_id, score_due)
    SELECT photo_id, content_sha256, true, '{}', first_seen_on, run_id, false FROM fahr.photo_v1
    """,
    """
    INSERT INTO fahr.face_score_v1
    SELECT content_sha256, model_id, preprocessing_id, 60, 0.1, 0.99, 300, 80, weights_sha256, 'bench', first_seen_on,
           photo.run_id
    FROM fahr.photo_v1 AS photo CROSS JOIN fahr.model_version_v1
    """,
    "INSERT INTO fahr.source_watermark_v1 VALUES ('share', %(night)s, %(night)s, %(run)s)",
)

_SCORES = f"""
    INSERT INTO fahr.face_score_v1
    SELECT {_SHA256.format("number")}, %(model)s, %(preprocessing)s, 60, 0.1, 0.99, 300, 80, %(weights)s, 'bench',
           %(night)s, %(run)s
    FROM generate_series(1, %(scores)s) AS number
"""
_PHOTOS_TO_SCORE = f"""
    INSERT INTO fahr.photo_v1 (photo_id, source, source_key, source_version, person_id, captured_at, content_sha256,
        landing_run_id, first_seen_on, last_tried_on, run_id)
    SELECT %(batch)s * 1000000 + number, 'share', %(batch)s || '-' || number, '1', number, '2026-02-01',
           {_SHA256.format("'new ' || %(batch)s || ' ' || number")}, %(run)s, %(night)s, %(night)s, %(run)s
    FROM generate_series(1, %(contents)s) AS number
"""
_ACCEPTED = """
    INSERT INTO fahr.validation_v1 (photo_id, content_sha256, accepted, failed_rules, decided_on, run_id)
    SELECT photo_id, content_sha256, true, '{}', %(night)s, run_id
    FROM fahr.photo_v1 WHERE photo_id / 1000000 = %(batch)s
"""
