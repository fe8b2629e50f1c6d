"""The scoring stage on real Spark: every accepted photo comes out once, scored or with a reason."""

from __future__ import annotations

from datetime import date
from pathlib import Path
from uuid import uuid4

import numpy as np
import pyarrow as pa
import pyarrow.dataset as ds
import pyarrow.parquet as pq
import pytest
from sqlalchemy import text

from jobs.errors import ModelRefused
from jobs.landing import landing_partition
from jobs.pull import pull
from jobs.score import TASKS_PER_CORE, PendingPhoto, _landed_bytes, score
from model.drawing import draw_face, random_conditions, random_latents
from model.release import ModelRelease
from model.scorer import PhotoScorer
from tests.model.releases import small_release
from tests.nights.photograph import jpeg_bytes

NIGHT = date(2026, 3, 2)


@pytest.fixture(scope="module")
def release(tmp_path_factory) -> ModelRelease:
    """A small release with random weights."""
    return small_release(tmp_path_factory.mktemp("release"), seed=3)


def _face(seed: int) -> bytes:
    rng = np.random.default_rng(seed)
    return jpeg_bytes(draw_face(random_latents(rng), random_conditions(rng), 320).pixels)


def _land(settings, engine, owner_engine, spark, photos: dict[str, bytes]) -> None:
    """Put photos on the share, pull them, and accept all of them."""
    settings.share.mkdir(parents=True, exist_ok=True)
    with owner_engine.begin() as connection:
        connection.execute(text("INSERT INTO hospital.patient_id_map VALUES ('M1', 1) ON CONFLICT DO NOTHING"))
        for key, content in photos.items():
            (settings.share / f"{key}.jpg").write_bytes(content)
            connection.execute(
                text(
                    "INSERT INTO hospital.photo_manifest VALUES"
                    " (:key, 'M1', :path, '2026-02-28 10:00', '2026-03-01 09:00')"
                ),
                {"key": key, "path": f"{key}.jpg"},
            )
    pull(settings=settings, engine=engine, spark=spark, night=NIGHT)
    with engine.begin() as connection:
        connection.execute(
            text(
                "INSERT INTO fahr.validation_v1 SELECT photo_id, content_sha256, true, NULL, '{}', :night, run_id"
                " FROM fahr.photo_v1 ON CONFLICT DO NOTHING"
            ),
            {"night": NIGHT},
        )


def _staged(settings) -> list[dict]:
    (folder,) = settings.staged.glob("run=*")
    return ds.dataset(folder, format="parquet").to_table().to_pylist()


def test_the_stage_gives_what_the_scorer_gives_and_a_reason_for_the_rest(
    settings, engine, owner_engine, spark, release
):
    settings = settings.model_copy(update={"model": str(release.folder), "score_batch_size": 4})
    photos = {f"face{number}": _face(number) for number in range(9)}
    photos["twin"] = photos["face0"]
    photos["wall"] = jpeg_bytes(np.full((400, 500, 3), 180, np.uint8))
    photos["cut"] = photos["face1"][:5000]
    _land(settings, engine, owner_engine, spark, photos)

    counts = score(settings=settings, engine=engine, spark=spark, night=NIGHT)

    assert counts == {"pending": 11, "scored": 9, "rejected": 2, "failed": 0}
    rows = {row["content_sha256"]: row for row in _staged(settings)}
    with engine.connect() as connection:
        sha256 = dict(connection.execute(text("SELECT source_key, content_sha256 FROM fahr.photo_v1")).all())
    assert rows[sha256["wall"]]["reason_code"] == "no_face"
    assert rows[sha256["cut"]]["reason_code"] == "truncated_image"
    keys = [f"face{number}" for number in range(9)]
    alone = PhotoScorer(release).score([photos[key] for key in keys])
    staged = [rows[sha256[key]] for key in keys]
    np.testing.assert_allclose(
        [row["face_age_years"] for row in staged], [outcome.face_age_years for outcome in alone], atol=1e-3
    )
    np.testing.assert_allclose(
        [row["face_survival_log_risk"] for row in staged],
        [outcome.face_survival_log_risk for outcome in alone],
        atol=1e-3,
    )


def test_a_photo_landed_again_is_scored_once_although_both_its_landings_are_read(
    settings, engine, owner_engine, spark, release
):
    settings = settings.model_copy(update={"model": str(release.folder)})
    _land(settings, engine, owner_engine, spark, {"changed": _face(1), "waiting": _face(2)})
    (settings.share / "changed.jpg").write_bytes(_face(3))
    with owner_engine.begin() as connection:
        connection.execute(
            text("UPDATE hospital.photo_manifest SET registered_at = '2026-03-01 11:00' WHERE photo_key = 'changed'")
        )
    _land(settings, engine, owner_engine, spark, {})
    counts = score(settings=settings, engine=engine, spark=spark, night=NIGHT)
    assert counts == {"pending": 2, "scored": 2, "rejected": 0, "failed": 0}
    with engine.connect() as connection:
        listed = connection.execute(text("SELECT content_sha256 FROM fahr.photo_v1")).scalars().all()
    assert sorted(row["content_sha256"] for row in _staged(settings)) == sorted(listed)


@pytest.mark.parametrize("pending", [3, 320])
def test_how_many_tasks_read_a_partition_follows_from_its_size_and_the_cores(settings, spark, pending):
    pull_id, noise = uuid4(), np.random.default_rng(0)
    photos = [PendingPhoto(number, f"{number:064x}", pull_id) for number in range(320)]
    partition = landing_partition(settings.landing, pull_id)
    partition.mkdir(parents=True)
    rows = {
        "photo_id": [photo.photo_id for photo in photos],
        "content_sha256": [photo.content_sha256 for photo in photos],
        "content": [noise.bytes(200_000) for _ in photos],
    }
    pq.write_table(pa.table(rows), partition / "part-0.parquet", row_group_size=8, compression="none")

    frame = _landed_bytes(spark.session, settings.landing, photos[:pending])

    cores = spark.session.sparkContext.defaultParallelism
    assert frame.rdd.getNumPartitions() <= TASKS_PER_CORE * cores + 1, "a task costs its start, however little it reads"
    if pending == 320:
        photos_of_tasks = frame.rdd.mapPartitions(lambda rows: [sum(1 for _ in rows)]).collect()
        assert sum(photos_of_tasks) == 320
        assert max(photos_of_tasks) <= 2 * 320 / len(photos_of_tasks), "no task is left working alone for long"


def test_the_model_is_registered_as_the_current_one(settings, engine, owner_engine, spark, release, tmp_path):
    _land(settings, engine, owner_engine, spark, {"face": _face(1)})
    first = settings.model_copy(update={"model": str(release.folder)})
    score(settings=first, engine=engine, spark=spark, night=NIGHT)
    other = small_release(tmp_path / "other", seed=4)
    score(settings=settings.model_copy(update={"model": str(other.folder)}), engine=engine, spark=spark, night=NIGHT)
    with engine.connect() as connection:
        models = connection.execute(text("SELECT model_id, is_current FROM fahr.model_version_v1 ORDER BY 2")).all()
    assert [tuple(model) for model in models] == [(release.model_id, False), (other.model_id, True)]


def test_scoring_with_nothing_accepted_leaves_no_trace(settings, engine, spark, release):
    settings = settings.model_copy(update={"model": str(release.folder)})
    assert score(settings=settings, engine=engine, spark=spark, night=NIGHT) == {}
    with engine.connect() as connection:
        assert connection.execute(text("SELECT count(*) FROM fahr.run_v1")).scalar_one() == 0
    assert not settings.staged.exists()


def test_altered_weights_are_refused_before_anything_is_scored(settings, engine, spark, tmp_path):
    release = small_release(tmp_path / "release", seed=5)
    weights = Path(release.folder) / release.networks["age"].file
    content = bytearray(weights.read_bytes())
    content[-1] ^= 1
    weights.write_bytes(content)
    settings = settings.model_copy(update={"model": str(release.folder)})
    with pytest.raises(ModelRefused) as refusal:
        score(settings=settings, engine=engine, spark=spark, night=NIGHT)
    assert refusal.value.exit_code == 12


def test_other_weights_under_the_same_name_are_refused(settings, engine, owner_engine, spark, release, tmp_path):
    _land(settings, engine, owner_engine, spark, {"face": _face(1)})
    first = settings.model_copy(update={"model": str(release.folder)})
    score(settings=first, engine=engine, spark=spark, night=NIGHT)
    impostor = small_release(tmp_path / "impostor", seed=4).folder
    manifest = impostor / "manifest.json"
    manifest.write_text(manifest.read_text().replace("random-small-4", release.model_id))
    second = settings.model_copy(update={"model": str(impostor)})
    with pytest.raises(ModelRefused):
        score(settings=second, engine=engine, spark=spark, night=NIGHT)
