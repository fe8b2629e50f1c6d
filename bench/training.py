"""Training steps a second fed by petastorm, against the same training fed from memory, in turn within one run."""

from __future__ import annotations

import csv
import json
import shutil
import sys
from collections.abc import Callable
from dataclasses import asdict, dataclass
from pathlib import Path
from statistics import median
from typing import Any, Literal

import numpy as np
import torch

from bench.reader import kept_crops
from bench.scoring import RESULTS, machine
from jobs.train_recipes import TrainingChoices
from jobs.training.crop_reader import PetastormSource
from model.scorer import processor_has_bfloat16
from model.training.face_set import VALIDATION, ArraySource, BatchSource, FaceLabels
from model.training.masked import MaskedAutoencoder, pretrain
from model.training.regression import fine_tune_age
from model.training.sizes import SIZES
from model.training.start import starting_network
from model.training.validation import Validation

Work = Literal["pre-training", "fine-tuning"]
WORKS: tuple[Work, ...] = ("pre-training", "fine-tuning")
SHAPES = {"tiny": (128, 32), "base": (32, 8)}
"""Faces in a batch and steps of an epoch, by size of the encoder."""
EPOCHS = 2
"""The second is timed, from asking for its first batch on; the first warms up."""
VALIDATION_FACES = 8
SEED = 1


@dataclass(frozen=True)
class TrainingSpeed:
    """One size of one training; steps a second are medians over the rounds."""

    work: Work
    size: str
    batch: int
    steps: int
    """Timed steps of a round."""
    from_memory: float
    petastorm: float
    petastorm_of_memory: float
    """Median of the rounds' ratios."""
    ratios: list[float]


@dataclass(frozen=True)
class TrainingResult:
    """One run of the bench."""

    machine: dict[str, Any]
    precision: str
    rounds: int
    speeds: list[TrainingSpeed]


def run(*, home: Path, cores: int, rounds: int) -> TrainingResult:
    """Both trainings of both sizes, each fed by both sources in turn, `rounds` times; crops are noise."""
    torch.set_num_threads(cores)
    precision: Literal["float32", "bfloat16"] = "bfloat16" if processor_has_bfloat16() else "float32"
    speeds = [_speed(home, work, size, precision, rounds) for size in SHAPES for work in WORKS]
    return TrainingResult(machine(), precision, rounds, speeds)


def _speed(home: Path, work: Work, size: str, precision: Literal["float32", "bfloat16"], rounds: int) -> TrainingSpeed:
    batch, steps = SHAPES[size]
    rows = np.arange(batch * steps)
    data_set, pixels = kept_crops(home / f"crops-{len(rows)}", len(rows))
    in_memory = np.array(pixels)
    sources: dict[str, BatchSource] = {
        "memory": ArraySource(in_memory, rows, batch, SEED),
        "petastorm": PetastormSource(data_set, rows, batch, SEED),
    }
    choices = TrainingChoices(
        size=size, epochs=EPOCHS, batch=batch, precision=precision, balanced_epochs=0, keep="last", seed=SEED
    )
    train: Callable[[BatchSource, Path], Path] = {
        "pre-training": lambda source, folder: _pretrained(source, choices, folder),
        "fine-tuning": lambda source, folder: _fine_tuned(source, choices, folder),
    }[work]
    speeds: dict[str, list[float]] = {name: [] for name in sources}
    for number in range(rounds):
        # Each goes first as often as the other: what the machine does besides falls on both.
        for name in sorted(sources, reverse=number % 2 == 1):
            folder = home / "training"
            shutil.rmtree(folder, ignore_errors=True)
            speeds[name].append(steps / _seconds_of_last_epoch(train(sources[name], folder)))
            shutil.rmtree(folder)
    ratios = [fed / full for fed, full in zip(speeds["petastorm"], speeds["memory"], strict=True)]
    print(f"{work}, {size}: {speeds}", file=sys.stderr, flush=True)
    return TrainingSpeed(
        work=work,
        size=size,
        batch=batch,
        steps=steps,
        from_memory=round(median(speeds["memory"]), 3),
        petastorm=round(median(speeds["petastorm"]), 3),
        petastorm_of_memory=round(median(ratios), 3),
        ratios=[round(ratio, 3) for ratio in ratios],
    )


def _pretrained(source: BatchSource, choices: TrainingChoices, folder: Path) -> Path:
    torch.manual_seed(SEED)
    pretrain(MaskedAutoencoder(choices.encoder), source, choices.pretraining(), folder)
    return folder / "log.csv"


def _fine_tuned(source: BatchSource, choices: TrainingChoices, folder: Path) -> Path:
    count = len(source.rows)
    rng = np.random.default_rng(SEED)
    labels = FaceLabels(
        subject=np.arange(count + VALIDATION_FACES),
        age_years=rng.uniform(20, 95, count + VALIDATION_FACES).astype(np.float32),
        followup_days=np.full(count + VALIDATION_FACES, np.nan),
        died=np.zeros(count + VALIDATION_FACES, dtype=np.bool_),
        split=np.repeat(np.array([0, VALIDATION], dtype=np.uint8), [count, VALIDATION_FACES]),
        fold=np.zeros(count + VALIDATION_FACES, dtype=np.int8),
    )
    few = Validation(
        np.zeros((VALIDATION_FACES, 112, 112, 3), dtype=np.uint8), np.arange(count, count + VALIDATION_FACES)
    )
    network = starting_network(SIZES[choices.size].encoder, None, mean=57.0, sd=21.0, seed=SEED)
    fine_tune_age(network, labels, source.rows, lambda _: source, few, choices.age(), folder)
    return folder / "stage-1" / "log.csv"


def _seconds_of_last_epoch(log: Path) -> float:
    with log.open(newline="") as stream:
        return sum(float(row["seconds"]) for row in csv.DictReader(stream) if int(row["epoch"]) == EPOCHS)


def as_markdown(result: TrainingResult) -> str:
    """The result as a page."""
    told = result.machine
    versions = ", ".join(f"{name} {number}" for name, number in told["versions"].items())
    table = "\n".join(
        f"| {one.work} | {one.size} | {one.batch} | {one.from_memory:.2f} | {one.petastorm:.2f} | "
        f"{one.petastorm_of_memory:.2f} | {', '.join(f'{ratio:.2f}' for ratio in one.ratios)} |"
        for one in result.speeds
    )
    return f"""# Training in {result.precision}, {told["measured_at"]}

Steps of `model.training` a second, fed from memory and from Parquet through petastorm, in turn, {result.rounds} \
rounds; whole second epochs, crops of noise; {told["cores"]} cores of {told["processor"]}.

| training | size | faces a step | from memory | petastorm | petastorm is of it | rounds |
|---|---|---|---|---|---|---|
{table}

{versions}
"""


def write(result: TrainingResult, folder: Path = RESULTS) -> Path:
    """Write the result as JSON and as a page; returns the page."""
    folder.mkdir(exist_ok=True)
    told = result.machine
    name = f"training-{told['measured_at'][:10]}-cpu{told['cores']}-{result.precision}-torch{told['versions']['torch']}"
    (folder / f"{name}.json").write_text(json.dumps(asdict(result), indent=2) + "\n")
    page = folder / f"{name}.md"
    page.write_text(as_markdown(result))
    return page
