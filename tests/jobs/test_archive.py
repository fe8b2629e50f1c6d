"""A new model scores the archive in bounded shares, the night's own photos first, and nothing twice."""

from __future__ import annotations

from datetime import date, timedelta
from typing import Any

import numpy as np
import pyarrow.parquet as pq
import pytest
from sqlalchemy import text

from jobs.archive import archive
from jobs.errors import LockHeld, UsageError
from jobs.landing import landing_partition
from jobs.landing_removal import READERS_LOCK
from jobs.publish import publish
from jobs.retry import mark_for_retry
from jobs.runs import advisory_lock
from jobs.score import score
from model.drawing import draw_face, random_conditions, random_latents
from tests.jobs.landed import IMPORTS_GREAT_EXPECTATIONS, NIGHT, land, photo, rows
from tests.model.releases import small_release
from tests.nights.photograph import jpeg_bytes

pytestmark = IMPORTS_GREAT_EXPECTATIONS

NEXT = NIGHT + timedelta(days=1)


def _faces(first: int, count: int) -> list[dict[str, Any]]:
    """Landed photos of drawn faces; the later a photo's number, the later it was taken."""
    photos = []
    for number in range(first, first + count):
        rng = np.random.default_rng(number)
        content = jpeg_bytes(draw_face(random_latents(rng), random_conditions(rng), 256).pixels)
        photos.append(photo(number, content=content, captured_at=photo(1)["captured_at"] + timedelta(days=number)))
    return photos


def _land_accepted(settings, engine, photos: list[dict[str, Any]], night: date) -> None:
    pull = land(settings, engine, photos, night=night)
    with engine.begin() as connection:
        connection.execute(
            text(
                "INSERT INTO fahr.validation_v1 (photo_id, content_sha256, accepted, failed_rules, decided_on, run_id)"
                " SELECT photo_id, content_sha256, true, '{}', :night, :run FROM fahr.photo_v1"
                " WHERE landing_run_id = :run"
            ),
            {"night": night, "run": pull},
        )


def _scored_by(engine, model_id: str) -> list[int]:
    found = rows(
        engine,
        "SELECT photo_id FROM fahr.photo_v1 JOIN fahr.face_score_v1 USING (content_sha256)"
        f" WHERE model_id = '{model_id}' ORDER BY photo_id",
    )
    return [row.photo_id for row in found]


def test_a_new_model_scores_the_nights_photos_first_and_the_archive_share_by_share(settings, engine, spark, tmp_path):
    old, new = small_release(tmp_path / "old", seed=1), small_release(tmp_path / "new", seed=2)
    stages = {"engine": engine, "spark": spark}
    with_old = settings.model_copy(update={"model": str(old.folder)})
    with_new = settings.model_copy(update={"model": str(new.folder), "archive_photos": 2})
    _land_accepted(settings, engine, _faces(1, 3), NIGHT)
    score(settings=with_old, night=NIGHT, **stages)
    publish(settings=settings, engine=engine, night=NIGHT)
    assert archive(settings=with_old, night=NIGHT, **stages) == {}, "what this model scored is no archive to it"

    _land_accepted(settings, engine, _faces(4, 1), NEXT)
    assert score(settings=with_new, night=NEXT, **stages)["pending"] == 1
    publish(settings=settings, engine=engine, night=NEXT)
    assert _scored_by(engine, new.model_id) == [4]

    with advisory_lock(engine, READERS_LOCK), pytest.raises(LockHeld):
        archive(settings=with_new, night=NEXT, **stages)
    with advisory_lock(engine, "night"):  # a night is at work: it will publish the share
        assert archive(settings=with_new, night=NEXT, **stages)["scored"] == 2
    assert _scored_by(engine, new.model_id) == [4]
    assert archive(settings=with_new, night=NEXT, **stages) == {"pending": 1, "scored": 1, "rejected": 0, "failed": 0}
    assert _scored_by(engine, new.model_id) == [1, 2, 3, 4], (
        "the waiting share was published first, and not scored twice"
    )
    runs = rows(engine, "SELECT counts ->> 'pending' AS pending FROM fahr.run_v1 WHERE stage = 'archive'")
    assert sorted(row.pending for row in runs) == ["1", "2"]

    assert archive(settings=with_new, night=NEXT + timedelta(days=1), **stages) == {}
    current = rows(engine, "SELECT model_id, archive_scored FROM fahr.model_version_v1 WHERE is_current")
    assert current == [(new.model_id, True)]
    assert _scored_by(engine, old.model_id) == [1, 2, 3], "scores of the old model stay"


def test_a_candidate_scores_the_archive_without_becoming_the_current_model(settings, engine, spark, tmp_path):
    old, candidate = small_release(tmp_path / "old", seed=1), small_release(tmp_path / "new", seed=2)
    with_old = settings.model_copy(update={"model": str(old.folder)})
    _land_accepted(settings, engine, _faces(1, 1), NIGHT)
    score(settings=with_old, engine=engine, spark=spark, night=NIGHT)
    publish(settings=settings, engine=engine, night=NIGHT)
    found = archive(settings=with_old, engine=engine, spark=spark, night=NIGHT, model=str(candidate.folder))
    assert found["scored"] == 1
    assert rows(engine, "SELECT model_id, is_current_model FROM fahr.face_score ORDER BY 2") == [
        (candidate.model_id, False),
        (old.model_id, True),
    ]


def test_a_permanent_reason_is_tried_again_once_when_somebody_asks(settings, engine, spark, tmp_path):
    release = small_release(tmp_path / "release", seed=1)
    settings = settings.model_copy(update={"model": str(release.folder)})
    wall = photo(1, content=jpeg_bytes(np.full((300, 300, 3), 180, np.uint8)))
    _land_accepted(settings, engine, [wall], NIGHT)

    def night(day: date) -> dict[str, int]:
        counts = score(settings=settings, engine=engine, spark=spark, night=day)
        publish(settings=settings, engine=engine, night=day)
        return counts

    tries = "SELECT reason_code, tries, retry_asked FROM fahr.coverage"
    assert night(NIGHT)["rejected"] == 1
    assert night(NEXT) == {}
    assert mark_for_retry(engine, "no_face") == 1
    assert rows(engine, tries) == [("no_face", 1, True)]
    assert night(NEXT)["rejected"] == 1
    assert rows(engine, tries) == [("no_face", 2, False)]
    assert night(NEXT) == {}
    for reason in ("opted_out", "no_such_reason"):
        with pytest.raises(UsageError):
            mark_for_retry(engine, reason)


def test_files_are_not_replaced_under_the_eyes_of_a_night(settings, engine, tmp_path):
    settings = settings.model_copy(update={"model": str(small_release(tmp_path / "model").folder)})
    pull = land(settings, engine, [photo(1), photo(2)])
    with engine.begin() as connection:
        connection.execute(
            text(
                "INSERT INTO fahr.landing_removal_v1 (landing_run_id, photo_id, keeps_facts, noted_on)"
                " VALUES (:pull, 1, false, :night)"
            ),
            {"pull": pull, "night": NIGHT},
        )
    (file,) = landing_partition(settings.landing, pull).glob("*.parquet")
    before = file.read_bytes()
    with advisory_lock(engine, "night"):
        assert archive(settings=settings, engine=engine, spark=None, night=NIGHT, photos=0) == {}
        assert file.read_bytes() == before
    archive(settings=settings, engine=engine, spark=None, night=NIGHT, photos=0)
    assert pq.read_table(file).column("photo_id").to_pylist() == [2]
