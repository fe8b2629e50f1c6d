"""The random ViT-B/16 of the scoring bench, and how far bfloat16 takes it and the shipped network from float32."""

from __future__ import annotations

import shutil
from dataclasses import asdict, dataclass
from pathlib import Path

import numpy as np

from model.parity import Parity, measure_parity, record_parity
from model.release import find_release, random_release
from model.training.crops import cached_crops
from model.training.people import UNSEEN_SEEDS, simulate_people

PEOPLE = 1100
"""Drawn people, one photograph each, whom no network was trained on."""
SPREAD_YEARS = 15.0
SHIPPED = "fahr-demo-1"
SEED = 2026


@dataclass(frozen=True)
class Differences:
    """|bfloat16 - float32| of one FaceAge network, in years."""

    faces: int
    output_sd: float
    largest: float
    quantile_999: float
    mean: float


@dataclass(frozen=True)
class HeldParity:
    """What was measured of each network."""

    random: Differences
    scaled: Differences
    """The random network with its head scaled until its output over the faces has an SD of `SPREAD_YEARS`."""
    shipped: Differences
    shipped_model: str = SHIPPED


def measured_release(home: Path) -> tuple[Path, HeldParity]:
    """The random release with its parity stated, made where it is not kept from before, and what was measured."""
    people = simulate_people(PEOPLE, UNSEEN_SEEDS, SEED)
    faces = cached_crops(people, 1, SEED, home / "faces", caption="faces").pixels
    folder = home / "random-vit-b16-bfloat16"
    kept = folder / "parity.npz"
    if not kept.is_file():
        shutil.rmtree(folder, ignore_errors=True)
        _, measured = record_parity(random_release(folder), faces)
        np.savez(kept, **asdict(measured["age"]))
    with np.load(kept) as told:
        random = Parity(told["differences"], told["outputs"])
    # The head is linear and computed in float32: scaling it scales every difference alike.
    scale = SPREAD_YEARS / float(random.outputs.std())
    scaled = Parity(random.differences * scale, random.outputs * scale)
    shipped = measure_parity(find_release(SHIPPED).network("age"), faces)
    return folder, HeldParity(_differences(random), _differences(scaled), _differences(shipped))


def _differences(parity: Parity) -> Differences:
    return Differences(
        faces=len(parity.differences),
        output_sd=round(float(np.std(parity.outputs)), 3),
        largest=round(parity.largest, 4),
        quantile_999=round(parity.quantile(0.999), 4),
        mean=round(parity.mean, 4),
    )
