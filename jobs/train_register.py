"""From a finished network to a release that the warehouse knows: saved, recorded with what taught it, not promoted."""

from __future__ import annotations

import shutil
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import date
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from sqlalchemy import Engine

from jobs.errors import DatasetRejected, ModelRefused, SettingsError
from jobs.runs import Run, recorded_run
from jobs.settings import Settings
from jobs.training.crop_files import CropDataSet
from jobs.training.ledger import (
    OutOfFoldScore,
    StartedFrom,
    Taught,
    record_data_set,
    record_model_training,
    record_out_of_fold_scores,
)
from model.manifest import Kind
from model.network import BiomarkerNetwork
from model.parity import FACES_NEEDED, record_parity
from model.release import ModelRelease, save_release
from model.training.errors import CheckpointNotWritten, TrainingRefused

INTENDED_USE = "research; evaluate it on patients it never saw before anything else"


@dataclass(frozen=True, slots=True)
class Training:
    """A training in progress."""

    run: Run
    name: str
    kind: Kind
    night: date
    work: Path
    """Checkpoints and journals."""
    models: Path


@dataclass(frozen=True, slots=True)
class Trained:
    """What a training left."""

    release: ModelRelease
    counts: dict[str, int]


@contextmanager
def training_of(settings: Settings, engine: Engine, night: date, name: str, kind: Kind) -> Iterator[Training]:
    """One training at a time, with a row in the ledger; what the science refuses becomes an error with an exit code.

    Its work folder goes once the release stands. Until then a training of the same name and kind goes on from it.
    """
    if not name or Path(name).name != name or name.startswith((".", "_")):
        raise ModelRefused("A model's name is one word, without slashes.", next_step="Choose another --name.")
    work = settings.home / "training-work" / f"{name}-{kind}"
    work.mkdir(mode=0o700, parents=True, exist_ok=True)
    with recorded_run(engine, stage="train", logical_date=night, lock="train", model_id=name) as run:
        try:
            yield Training(run, name, kind, night, work, settings.home / "models")
        except TrainingRefused as error:
            raise DatasetRejected(
                f"Training refused: {error}.", next_step="See docs/training.md, What is refused."
            ) from error
        except CheckpointNotWritten as error:
            raise SettingsError(
                f"{error}.", next_step="Free some disk and run the same command: it goes on."
            ) from error
    shutil.rmtree(work)


def register(
    training: Training,
    network: BiomarkerNetwork,
    data_set: CropDataSet,
    metrics: dict[str, float],
    *,
    start_from: ModelRelease | None = None,
    out_of_fold: tuple[NDArray[np.int64], NDArray[np.float64]] | None = None,
    pictures: Mapping[str, bytes] | None = None,
    never_read: NDArray[np.int64] | None = None,
) -> Trained:
    """Save the network as a release of its own, with the other networks of `start_from`, and record what taught it.

    Args:
        training: of `training_of`; its run ends here.
        network: in evaluation mode.
        data_set: its training split taught it, its validation split chose the epoch.
        metrics: of people it never saw; they go into the manifest.
        start_from: the release it started from.
        out_of_fold: (rows, scores) of cross-fitting.
        pictures: by file name; kept in the release's folder.
        never_read: rows of people it never saw; where they are enough, the manifest states how far bfloat16 is from
            float32 on them, without which no CPU scores in bfloat16.

    Raises:
        ModelRefused: a release of this name stands with other weights.
    """
    release = _saved(training, network, data_set, metrics, start_from, never_read)
    for file, content in (pictures or {}).items():
        (release.folder / file).write_bytes(content)
    taught: Taught = "encoder" if training.kind == "face" else training.kind
    sha256 = release.networks[training.kind].sha256
    training.run.counts = {"photos": len(data_set), "out_of_fold": 0 if out_of_fold is None else len(out_of_fold[0])}
    with training.run.publish() as connection:
        record_data_set(connection, data_set, run_id=training.run.run_id, night=training.night)
        record_model_training(
            connection,
            model_id=training.name,
            biomarker=taught,
            network_sha256=sha256,
            data_set_id=data_set.data_set_id,
            started_from=_origin(start_from),
            trained_on=training.night,
            run_id=training.run.run_id,
        )
        if out_of_fold is not None and taught != "encoder":
            record_out_of_fold_scores(
                connection,
                _scores(data_set, *out_of_fold),
                model_id=training.name,
                biomarker=taught,
                network_sha256=sha256,
                preprocessing_id=str(data_set.description["preprocessing_id"]),
                data_set_id=data_set.data_set_id,
                run_id=training.run.run_id,
            )
    return Trained(release, training.run.counts)


def _saved(
    training: Training,
    network: BiomarkerNetwork,
    data_set: CropDataSet,
    metrics: dict[str, float],
    start_from: ModelRelease | None,
    never_read: NDArray[np.int64] | None,
) -> ModelRelease:
    """Write beside its place and rename: a release is whole or absent. One that stands must have the same weights."""
    final = training.models / training.name
    unfinished = training.models / f".unfinished-{training.name}"
    synthetic = bool(data_set.description["is_synthetic"])
    made = save_release(
        unfinished,
        {training.kind: network.cpu()},
        model_id=training.name,
        trained_on_synthetic=synthetic or (start_from is not None and start_from.trained_on_synthetic),
        training_data=f"data set {data_set.data_set_id} ({data_set.description['people']} people)"
        + (f", starting from {start_from.model_id}" if start_from else ""),
        intended_use=INTENDED_USE,
        licence="not licensed to others: trained on this hospital's data",
        metrics={**(start_from.metrics if start_from else {}), **metrics},
        base=start_from,
    )
    if never_read is not None and len(never_read) >= FACES_NEEDED:
        made, _ = record_parity(made, data_set.pixels(never_read[:FACES_NEEDED]))
    if not final.exists():
        unfinished.rename(final)
        return ModelRelease.load(final)
    standing = ModelRelease.load(final)
    shutil.rmtree(unfinished)
    if standing.weights_sha256 != made.weights_sha256:
        raise ModelRefused(f"A release {training.name} stands with other weights.", next_step="Choose another --name.")
    return standing


def _origin(start_from: ModelRelease | None) -> StartedFrom | None:
    if start_from is None:
        return None
    return StartedFrom(start_from.model_id, "age" if "age" in start_from.networks else "encoder")


def _scores(data_set: CropDataSet, rows: NDArray[np.int64], values: NDArray[np.float64]) -> Iterator[OutOfFoldScore]:
    contents, folds = data_set.table["content_sha256"], data_set.labels.fold
    for row, value in zip(rows.tolist(), values.tolist(), strict=True):
        yield OutOfFoldScore(contents[row].as_py(), int(folds[row]), value)
