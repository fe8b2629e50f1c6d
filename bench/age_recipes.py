"""Which loss and which balance FaceAge is best trained with: the same faces and seed, one choice changed at a time.

Small networks on drawn faces: the table tells choices apart, and says nothing about what a large one reaches.
"""

from __future__ import annotations

import json
import shutil
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import get_args

import numpy as np

from bench.scoring import RESULTS, machine
from model.network import BiomarkerNetwork
from model.training.balance import Balance
from model.training.crops import Crops, cached_crops
from model.training.demo import DEMO, SEED, DemoRecipe, TrainingFaces, train_age, training_faces
from model.training.losses import AgeLoss
from model.training.people import HELD_OUT_SEEDS, TRAINING_SEEDS, People, simulate_people
from model.training.predict import concordance, predict
from model.training.recipe import Recipe
from model.training.regression import AgeRecipe
from model.training.sizes import SIZES

PEOPLE, VALIDATION_PEOPLE, HELD_OUT_PEOPLE = 6000, 600, 600
BROAD, BALANCED = Recipe(6, 2e-3, precision="bfloat16"), Recipe(3, 1e-3, precision="bfloat16", seed=1)
OLD_YEARS = 80.0


@dataclass(frozen=True)
class RecipeResult:
    """One training, judged on held-out people whose ages are uniform over 20 to 95 years."""

    loss: str
    balance: str
    mae_years: float
    bias_years: float
    bias_of_the_old_years: float
    """Mean error of those above 80."""
    c_index: float
    """Of FaceAge: prognosis, which the error does not tell."""


def run(*, home: Path) -> list[RecipeResult]:
    """Train nine small networks, one after the other; crops and checkpoints go to a folder of `home`."""
    work = home / "age-recipes"
    work.mkdir(exist_ok=True)
    recipe = replace(DEMO, people=PEOPLE, validation_people=VALIDATION_PEOPLE, batch=64, size=SIZES["nano"])
    people = simulate_people(PEOPLE, TRAINING_SEEDS, SEED, ages="clinic")
    faces = training_faces(people, cached_crops(people, 1, SEED, work, caption="training people"), recipe)
    others = simulate_people(HELD_OUT_PEOPLE, HELD_OUT_SEEDS, SEED)
    crops = cached_crops(others, 1, SEED, work, caption="held-out people")
    results = []
    for loss in get_args(AgeLoss):
        for balance in get_args(Balance):
            age = AgeRecipe(broad=BROAD, balanced=BALANCED, loss=loss, balance=balance)
            network = _trained(faces, replace(recipe, age=age), work / f"{loss}-{balance}")
            results.append(_judged(network, others, crops, loss, balance))
    return results


def _trained(faces: TrainingFaces, recipe: DemoRecipe, folder: Path) -> BiomarkerNetwork:
    shutil.rmtree(folder, ignore_errors=True)
    return train_age(faces, None, recipe, folder)


def _judged(network: BiomarkerNetwork, people: People, crops: Crops, loss: str, balance: str) -> RecipeResult:
    said, true = predict(network, crops.pixels), people.biological_ages[crops.person]
    errors = said - true
    c_index = concordance(said, people.follow_up_days[crops.person], people.died[crops.person])
    return RecipeResult(
        loss=loss,
        balance=balance,
        mae_years=round(float(np.abs(errors).mean()), 2),
        bias_years=round(float(errors.mean()), 2),
        bias_of_the_old_years=round(float(errors[true > OLD_YEARS].mean()), 2),
        c_index=round(c_index or 0.0, 4),
    )


def as_markdown(results: list[RecipeResult]) -> str:
    """The results as a page."""
    about = machine()
    rows = "\n".join(
        f"| {one.loss} | {one.balance} | {one.mae_years} | {one.bias_years} | {one.bias_of_the_old_years}"
        f" | {one.c_index} |"
        for one in results
    )
    versions = ", ".join(f"{name} {number}" for name, number in dict(about["versions"]).items())  # type: ignore[call-overload]
    return f"""# Loss and balance of FaceAge, {about["measured_at"]}

{PEOPLE - VALIDATION_PEOPLE} drawn training people with the ages of a clinic, one photo each; size nano, {BROAD.epochs}
epochs on everything and {BALANCED.epochs} balanced, from random weights, one seed. Judged on {HELD_OUT_PEOPLE} held-out
drawn people whose ages are uniform. Differences between rows are what it tells, not the numbers; one seed moves a row's
error by a few tenths of a year.

| loss | stage 2 | MAE, years | bias, years | bias above {OLD_YEARS:g} years | C-index of FaceAge |
|---|---|---|---|---|---|
{rows}

{about["processor"]}; {versions}
"""


def write(results: list[RecipeResult], folder: Path = RESULTS) -> Path:
    """Write the results as JSON and as a page; returns the page."""
    about = machine()
    path = folder / f"age-recipes-{str(about['measured_at'])[:10]}-nano-bfloat16.md"
    told = {**about, "results": [asdict(one) for one in results]}
    path.with_suffix(".json").write_text(json.dumps(told, indent=2) + "\n")
    path.write_text(as_markdown(results))
    return path
