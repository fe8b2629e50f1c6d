"""Made-up rows for the benches of nights, made in SQL: a ledger of so many photos, or so many scores."""

from __future__ import annotations

import sys
from datetime import UTC, date, datetime

import psycopg

from bench.warehouses import Warehouse, written_at_once
from model.release import ModelRelease

LAST_NIGHT = date(2026, 3, 1)
RUN = "00000000-0000-0000-0000-000000000001"
YEARS = 5
"""The photos of a ledger came evenly over so many years."""
CHUNK = 1_000_000
"""Scores written between two lines of progress."""
FULL_PERCENT = 70
"""How full pages of an index are that grew by keys in no order, night by night: ln 2. Made in one go it would be 90."""


def fill_ledger(warehouse: Warehouse, *, photos: int) -> None:
    """So many photos on a share, all pulled, accepted and scored up to `LAST_NIGHT`."""
    with warehouse.superuser() as connection:
        _register(connection, warehouse.release)
        values = {"photos": photos, "years": f"{YEARS} years", "night": LAST_NIGHT, "run": RUN}
        for statement in _LEDGER:
            connection.execute(statement, values)
        connection.execute("VACUUM ANALYZE")


def fill_scores(warehouse: Warehouse, *, scores: int) -> None:
    """So many scores of bytes that no photo has."""
    with warehouse.superuser() as connection:
        _register(connection, warehouse.release)
        if scores:
            with written_at_once(connection):
                _fill_scores(connection, warehouse.release, scores)


def _fill_scores(connection: psycopg.Connection[tuple[object, ...]], release: ModelRelease, scores: int) -> None:
    # The key is made after the rows: a hundred times fewer random pages are written.
    connection.execute("ALTER TABLE fahr.face_score_v1 DROP CONSTRAINT face_score_v1_pkey")
    values = _key(release) | {"night": LAST_NIGHT, "run": RUN}
    for first in range(1, scores + 1, CHUNK):
        last = min(first + CHUNK - 1, scores)
        connection.execute(_SCORES, values | {"first": first, "last": last})
        _tell(f"{last:,} of {scores:,} scores written")
    connection.execute(
        "ALTER TABLE fahr.face_score_v1 ADD PRIMARY KEY (content_sha256, model_id, preprocessing_id)"
        f" WITH (fillfactor = {FULL_PERCENT})"
    )
    # Pages that are split from now on are filled as ever.
    connection.execute("ALTER INDEX fahr.face_score_v1_pkey RESET (fillfactor)")
    _tell("their primary key made")
    connection.execute("VACUUM ANALYZE fahr.face_score_v1")
    _tell("vacuumed and analysed")


def _tell(done: str) -> None:
    print(f"{datetime.now(UTC):%H:%M:%S} {done}", file=sys.stderr, flush=True)


def accept_contents(connection: psycopg.Connection[tuple[object, ...]], *, batch: int, contents: int) -> list[str]:
    """Photos with bytes of their own, accepted and not scored yet; the SHA-256 of the bytes."""
    values = {"batch": batch, "contents": contents, "night": LAST_NIGHT, "run": RUN}
    connection.execute(_PHOTOS_TO_SCORE, values)
    connection.execute(_ACCEPTED, values)
    rows = connection.execute(
        "SELECT content_sha256 FROM fahr.photo_v1 WHERE source_key LIKE %(prefix)s", {"prefix": f"{batch}-%"}
    )
    return [str(row[0]) for row in rows]


def _key(release: ModelRelease) -> dict[str, object]:
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

# Spread over the key like SHA-256, at a third of its time.
_HASH = "md5({0}::text) || md5((-{0})::text)"

_SCORES = f"""
    INSERT INTO fahr.face_score_v1
    SELECT {_HASH.format("number")}, %(model)s, %(preprocessing)s, 60, 0.1, 0.99, 300, 80, %(weights)s, 'bench',
           %(night)s, %(run)s
    FROM generate_series(%(first)s, %(last)s) AS number
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
