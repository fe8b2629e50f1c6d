"""Train, measure and save the demo networks: `python -m model.training.demo --out model/weights/fahr-demo-1`.

The whole recipe on drawn faces: pre-train a masked autoencoder, fine-tune FaceAge in two stages, fine-tune FaceSurvival
with cross-fitting, measure on people nobody trained on. A run that was killed goes on where it stood.
"""

from __future__ import annotations

import argparse
import logging
import os
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from model.network import BiomarkerNetwork
from model.parity import FACES_NEEDED, record_parity
from model.release import ModelRelease, save_release
from model.training.augment import Augmentation
from model.training.crops import Crops, cached_crops
from model.training.face_set import TRAIN, VALIDATION, ArraySource, FaceLabels
from model.training.masked import MaskedAutoencoder, pretrain, reconstructions
from model.training.measure import measured
from model.training.people import HELD_OUT_SEEDS, TRAINING_SEEDS, People, simulate_people
from model.training.predict import concordance
from model.training.recipe import Recipe
from model.training.regression import AgeRecipe, fine_tune_age
from model.training.sizes import SIZES, EncoderSize
from model.training.start import starting_network
from model.training.survival import SurvivalRecipe, fine_tune_survival, out_of_fold
from model.training.validation import Validation

log = logging.getLogger(__name__)

INTENDED_USE = "demonstration on drawn faces only; not for any real face or clinical use"
SEED = 20261124
FOLDS = 3


@dataclass(frozen=True, slots=True)
class DemoRecipe:
    """All of it. Numbers are ours: few epochs at high rates, for a small network and a CPU."""

    people: int
    validation_people: int
    """Of `people`: kept apart from training, to choose epochs by."""
    held_out_people: int
    held_out_photos_each: int
    batch: int
    size: EncoderSize
    face: Recipe
    age: AgeRecipe
    survival: SurvivalRecipe
    age_again: tuple[AgeRecipe, ...]
    """Further cycles of FaceAge, each from a high rate down to none (Loshchilov and Hutter, 2017): its error was still
    falling."""


def _recipe(epochs: int, peak_rate: float, seed: int, layer_decay: float = 0.9) -> Recipe:
    return Recipe(epochs, peak_rate, layer_decay=layer_decay, precision="bfloat16", seed=seed)


DEMO_AUGMENTATION = Augmentation(brightness=0.05, contrast=0.05, colour=0.02, noise_sd=0.0, hidden_share=0.0)
"""Little, for each training photo is of another person and drawn under conditions of its own."""


def _again(epochs: int, seed: int) -> AgeRecipe:
    """A cycle of balanced epochs on the absolute error, which is what the held-out people are judged by."""
    return AgeRecipe(
        broad=_recipe(0, 0.0, 0),
        balanced=_recipe(epochs, 5e-4, seed, layer_decay=1.0),
        loss="l1",
        augmentation=DEMO_AUGMENTATION,
    )


DEMO = DemoRecipe(
    people=24_000,
    validation_people=1_000,
    held_out_people=1_200,
    held_out_photos_each=3,
    batch=64,
    size=SIZES["tiny"],
    face=Recipe(epochs=3, peak_rate=8e-4, warm_up_share=0.05, precision="bfloat16", checkpoint_steps=500),
    age=AgeRecipe(
        broad=_recipe(8, 8e-4, 0), balanced=_recipe(12, 8e-4, 1, layer_decay=1.0), augmentation=DEMO_AUGMENTATION
    ),
    survival=SurvivalRecipe(_recipe(12, 8e-4, 2, layer_decay=1.0), augmentation=DEMO_AUGMENTATION),
    age_again=(_again(8, 3), _again(20, 4)),
)


@dataclass(frozen=True, slots=True)
class TrainingFaces:
    """Drawn training people as training takes them: one photo each, so that a row is a person."""

    pixels: NDArray[np.uint8]
    labels: FaceLabels
    batch: int

    def rows(self, split: int) -> NDArray[np.int64]:
        """The rows of a split."""
        return np.flatnonzero(self.labels.split == split).astype(np.int64)

    def source_of(self, rows: NDArray[np.int64]) -> ArraySource:
        """Batches of rows, from memory."""
        return ArraySource(self.pixels, rows, self.batch, seed=1)

    @property
    def validation(self) -> Validation:
        """The people by whom epochs are chosen."""
        rows = self.rows(VALIDATION)
        return Validation(self.pixels[rows], rows)


def main(arguments: list[str] | None = None) -> None:
    """Parse, train unless only an evaluation is asked for, measure what was written, and write it with its metrics."""
    asked = _parser().parse_args(arguments)
    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(message)s")
    torch.set_num_threads(asked.threads)
    if not asked.evaluate_only:
        train_demo(asked.out, asked.work, DEMO, processes=asked.processes)
    release = evaluate_and_save(asked.out, asked.work, DEMO, processes=asked.processes)
    for name, value in release.metrics.items():
        print(f"{name:45s} {value:g}")


def train_demo(out: Path, work: Path, recipe: DemoRecipe, *, processes: int = 1) -> ModelRelease:
    """Train everything and save the pair; checkpoints, journals and crops stay under `work`."""
    people = simulate_people(recipe.people, TRAINING_SEEDS, SEED, ages="clinic")
    crops = cached_crops(people, 1, SEED, work, caption="training people", processes=processes)
    faces = training_faces(people, crops, recipe)
    log.info("%d of %d training faces found", len(faces.labels), recipe.people)
    face = train_face(faces, recipe, work / "face")
    encoder = face.encoder_state()
    age = train_age(faces, encoder, recipe, work / "age")
    for cycle, again in enumerate(recipe.age_again, start=1):
        train_age_again(age, faces, again, work / f"age-again-{cycle}")
    survival = train_survival(faces, encoder, recipe, work / "survival" / "whole")
    told = f"{recipe.people} drawn people, one photo each, seed {SEED}; pre-trained, then fine-tuned on the same"
    save(out, age, survival, told, {})
    c_index = out_of_fold_c_index(faces, encoder, recipe, work / "survival")
    return save(out, age, survival, told, {"out_of_fold_c_index": round(c_index, 4)})


def training_faces(people: People, crops: Crops, recipe: DemoRecipe) -> TrainingFaces:
    """Crops with their labels; the last people are kept apart for validation."""
    person = crops.person
    kept_apart = np.arange(len(person)) >= len(person) - recipe.validation_people
    labels = FaceLabels(
        subject=person,
        age_years=people.biological_ages[person],
        followup_days=people.follow_up_days[person],
        died=people.died[person],
        split=np.where(kept_apart, VALIDATION, TRAIN).astype(np.uint8),
        fold=(person % FOLDS).astype(np.int8),
    )
    return TrainingFaces(crops.pixels, labels, recipe.batch)


def train_face(faces: TrainingFaces, recipe: DemoRecipe, folder: Path) -> MaskedAutoencoder:
    """Pre-train on faces without labels; a picture of what it paints stays in `folder`."""
    torch.manual_seed(SEED)
    network = MaskedAutoencoder(recipe.size)
    validation = faces.validation.pixels
    pretrain(network, faces.source_of(faces.rows(TRAIN)), recipe.face, folder, validation=validation)
    (folder / "reconstructions.png").write_bytes(reconstructions(network, validation[:6]))
    return network


def train_age(
    faces: TrainingFaces, encoder: dict[str, Tensor] | None, recipe: DemoRecipe, folder: Path
) -> BiomarkerNetwork:
    """FaceAge: biological age, which is what a drawn face shows, in two stages."""
    rows = faces.rows(TRAIN)
    ages = faces.labels.age_years[rows]
    network = starting_network(recipe.size.encoder, encoder, mean=float(ages.mean()), sd=float(ages.std()), seed=SEED)
    fine_tune_age(network, faces.labels, rows, faces.source_of, faces.validation, recipe.age, folder)
    return network


def train_age_again(age: BiomarkerNetwork, faces: TrainingFaces, again: AgeRecipe, folder: Path) -> None:
    """Fine-tune FaceAge further, in place."""
    fine_tune_age(age, faces.labels, faces.rows(TRAIN), faces.source_of, faces.validation, again, folder)


def train_survival(
    faces: TrainingFaces, encoder: dict[str, Tensor], recipe: DemoRecipe, folder: Path
) -> BiomarkerNetwork:
    """FaceSurvival, from the same encoder as FaceAge: it learns from deaths alone, and what age is, it finds itself."""
    network = _survival_start(encoder, recipe)
    rows = faces.rows(TRAIN)
    fine_tune_survival(network, faces.labels, rows, faces.source_of, faces.validation, recipe.survival, folder)
    return network


def out_of_fold_c_index(faces: TrainingFaces, encoder: dict[str, Tensor], recipe: DemoRecipe, folder: Path) -> float:
    """C-index of the training people's log-risks, each from a network that the others taught."""
    rows = faces.rows(TRAIN)
    honest = out_of_fold(
        lambda: _survival_start(encoder, recipe),
        faces.labels,
        rows,
        faces.source_of,
        lambda chosen: Validation(faces.pixels[chosen[: recipe.validation_people]], chosen[: recipe.validation_people]),
        lambda chosen: faces.pixels[chosen],
        recipe.survival,
        folder,
    )
    c_index = concordance(honest, faces.labels.followup_days[rows], faces.labels.died[rows])
    return c_index if c_index is not None else float("nan")


def _survival_start(encoder: dict[str, Tensor], recipe: DemoRecipe) -> BiomarkerNetwork:
    return starting_network(recipe.size.encoder, encoder, mean=0.0, sd=1.0, seed=SEED + 1)


def save(
    out: Path, age: BiomarkerNetwork, survival: BiomarkerNetwork, training_data: str, metrics: dict[str, float]
) -> ModelRelease:
    """Write both networks in bfloat16 with their manifest."""
    return save_release(
        out,
        {"age": age, "survival": survival},
        model_id=out.name,
        trained_on_synthetic=True,
        training_data=training_data,
        intended_use=INTENDED_USE,
        metrics=metrics,
        dtype=torch.bfloat16,
    )


def evaluate_and_save(out: Path, work: Path, recipe: DemoRecipe, *, processes: int = 1) -> ModelRelease:
    """Measure the networks as written (rounded to bfloat16) on held-out people; write that into the manifest.

    So goes how far scoring in bfloat16 takes them from float32.
    """
    release = ModelRelease.load(out)
    age, survival = release.network("age"), release.network("survival")
    people = simulate_people(recipe.held_out_people, HELD_OUT_SEEDS, SEED)
    crops = cached_crops(
        people, recipe.held_out_photos_each, SEED, work, caption="held-out people", processes=processes
    )
    from_training = {name: value for name, value in release.metrics.items() if name.startswith("out_of_fold")}
    release = save(out, age, survival, release.training_data, from_training | measured(age, survival, people, crops))
    return record_parity(release, crops.pixels[:FACES_NEEDED])[0]


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m model.training.demo", description=__doc__)
    parser.add_argument("--out", type=Path, required=True, help="folder of the release; its name is the model id")
    work = Path(os.environ.get("FAHR_HOME", ".fahr")) / "training" / "demo"
    parser.add_argument("--work", type=Path, default=work, help="crops, checkpoints, journals (default: %(default)s)")
    parser.add_argument("--processes", type=int, default=os.cpu_count(), help="processes that draw")
    parser.add_argument("--threads", type=int, default=os.cpu_count(), help="threads that train")
    parser.add_argument("--evaluate-only", action="store_true", help="measure and re-write the manifest; train nothing")
    return parser


if __name__ == "__main__":
    main()
