"""The ledger of training: which photos a data set holds, which of them taught a model, and their out-of-fold scores.

It keeps the rule that a photo used to train a model never enters that model's evaluation or risk tables: the views
`fahr.face_score_unseen` and `fahr.session_score_unseen` read it. Everything here is written inside the transaction of
`jobs.runs.Run.publish`, and writing the same again changes nothing.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Sequence
from datetime import date
from typing import Any, Literal, NamedTuple
from uuid import UUID

from sqlalchemy import Connection, Engine, text

from jobs.training.crop_files import CropDataSet
from jobs.training.splits import SPLIT_NAMES
from jobs.warehouse.connection import copy_rows

Taught = Literal["age", "survival", "encoder"]
Scored = Literal["age", "survival"]


class OutOfFoldScore(NamedTuple):
    """What a network that had not seen the person's fold says of a photo."""

    content_sha256: str
    fold: int
    value: float
    """Years for age, log risk for survival."""


class StartedFrom(NamedTuple):
    """The network that training started from."""

    model_id: str
    biomarker: Taught


def is_recorded(engine: Engine, data_set_id: str) -> bool:
    """Whether the warehouse knows the data set."""
    with engine.connect() as connection:
        found = connection.execute(
            text("SELECT 1 FROM fahr.training_set_v1 WHERE data_set_id = :id"), {"id": data_set_id}
        ).first()
    return found is not None


def record_data_set(connection: Connection, data_set: CropDataSet, *, run_id: UUID, night: date) -> None:
    """Record a data set and its photos. People are recorded where they are this hospital's."""
    description = data_set.description
    inserted = connection.execute(
        _INSERT_DATA_SET,
        {
            **{name: description[name] for name in _DESCRIBED},
            "refused": json.dumps(description["refused"], sort_keys=True),
            "built_on": night,
            "run_id": run_id,
        },
    )
    if inserted.rowcount == 0:
        return
    of_hospital = description["source"] == "warehouse"
    columns = ("data_set_id", "content_sha256", "person_id", "split", "fold")
    copy_rows(connection, "fahr.training_photo_v1", columns, _photo_rows(data_set, of_hospital))


def record_model_training(
    connection: Connection,
    *,
    model_id: str,
    biomarker: Taught,
    network_sha256: str,
    data_set_id: str,
    splits: Sequence[str] = ("train", "validation"),
    folds: Sequence[int] | None = None,
    started_from: StartedFrom | None = None,
    trained_on: date,
    run_id: UUID,
) -> None:
    """Record that parts of a data set taught a network of a release.

    Args:
        connection: of `Run.publish`.
        model_id: the release.
        biomarker: which of its networks; encoder is pre-training, which counts against both biomarkers of `model_id`.
        network_sha256: of the network's weights file, as its manifest states it.
        data_set_id: a recorded data set.
        splits: names of the splits that taught it. Validation did where it chose the checkpoint.
        folds: the folds of those splits; None is all of them.
        started_from: the network whose weights it started from: what taught that one taught this one too.
        trained_on: logical date of the run.
        run_id: of the training run.

    Raises:
        ValueError: a split nobody knows, or the data set is not recorded.
    """
    if unknown := sorted(set(splits) - set(SPLIT_NAMES)):
        raise ValueError(f"there is no split {', '.join(unknown)}")
    count = connection.execute(
        text("SELECT folds FROM fahr.training_set_v1 WHERE data_set_id = :id"), {"id": data_set_id}
    ).scalar()
    if count is None:
        raise ValueError(f"the data set {data_set_id} is not recorded")
    fixed = {
        "model_id": model_id,
        "biomarker": biomarker,
        "network_sha256": network_sha256,
        "trained_on": trained_on,
        "run_id": run_id,
    }
    parts = [
        fixed | {"data_set_id": data_set_id, "split": split, "fold": fold}
        for split in splits
        for fold in (range(count) if folds is None else folds)
    ]
    connection.execute(_INSERT_TRAINING, parts)
    if started_from is not None:
        connection.execute(
            _INHERIT_TRAINING, fixed | {"from_model": started_from.model_id, "from_biomarker": started_from.biomarker}
        )


def record_out_of_fold_scores(
    connection: Connection,
    scores: Iterable[OutOfFoldScore],
    *,
    model_id: str,
    biomarker: Scored,
    network_sha256: str,
    preprocessing_id: str,
    data_set_id: str,
    run_id: UUID,
) -> int:
    """Record what networks that had not seen a photo's person say of it, in place of the release's own score.

    The warehouse refuses a score whose fold is not the photo's. Returns how many were new.
    """
    rows = [
        {
            **score._asdict(),
            "model_id": model_id,
            "biomarker": biomarker,
            "network_sha256": network_sha256,
            "preprocessing_id": preprocessing_id,
            "data_set_id": data_set_id,
            "run_id": run_id,
        }
        for score in scores
    ]
    if not rows:
        return 0
    connection.execute(text("CREATE TEMPORARY TABLE arriving (LIKE fahr.out_of_fold_score_v1) ON COMMIT DROP"))
    copy_rows(connection, "pg_temp.arriving", list(rows[0]), (tuple(row.values()) for row in rows))
    columns = ", ".join(rows[0])
    inserted = connection.execute(
        text(
            f"INSERT INTO fahr.out_of_fold_score_v1 ({columns}) SELECT {columns} FROM pg_temp.arriving"
            " ON CONFLICT DO NOTHING"
        )
    )
    connection.execute(text("DROP TABLE pg_temp.arriving"))
    return int(inserted.rowcount)


def _photo_rows(data_set: CropDataSet, of_hospital: bool) -> Iterator[tuple[Any, ...]]:
    table = data_set.table.select(["content_sha256", "subject", "split", "fold"])
    for batch in table.to_batches(max_chunksize=10_000):
        for row in batch.to_pylist():
            person = row["subject"] if of_hospital else None
            yield (data_set.data_set_id, row["content_sha256"], person, SPLIT_NAMES[row["split"]], row["fold"])


_DESCRIBED = (
    "data_set_id", "name", "source", "is_synthetic", "preprocessing_id", "photos", "people", "deaths", "split_seed",
    "validation_share", "test_share", "folds", "code_version",
)  # fmt: skip

_INSERT_DATA_SET = text(
    f"""
    INSERT INTO fahr.training_set_v1 ({", ".join(_DESCRIBED)}, refused, built_on, run_id)
    VALUES ({", ".join(":" + name for name in _DESCRIBED)}, CAST(:refused AS jsonb), :built_on, :run_id)
    ON CONFLICT DO NOTHING
    """
)

_INSERT_TRAINING = text(
    """
    INSERT INTO fahr.model_training_v1
           (model_id, biomarker, network_sha256, data_set_id, split, fold, trained_on, run_id)
    VALUES (:model_id, :biomarker, :network_sha256, :data_set_id, :split, :fold, :trained_on, :run_id)
    ON CONFLICT DO NOTHING
    """
)

_INHERIT_TRAINING = text(
    """
    INSERT INTO fahr.model_training_v1
           (model_id, biomarker, network_sha256, data_set_id, split, fold, trained_on, run_id)
    SELECT :model_id, :biomarker, :network_sha256, data_set_id, split, fold, :trained_on, :run_id
    FROM fahr.model_training_v1 WHERE model_id = :from_model AND biomarker = :from_biomarker
    ON CONFLICT DO NOTHING
    """
)
