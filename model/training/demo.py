"""Train, measure and save the demo networks: `python -m model.training.demo --out model/weights/fahr-demo-1`."""

from __future__ import annotations

import argparse
import logging
import os
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from model.network import BiomarkerNetwork, NetworkConfig
from model.release import ModelRelease, save_release
from model.training.crops import Crops, cached_crops
from model.training.fit import Recipe, fit
from model.training.losses import cox_loss
from model.training.measure import measured
from model.training.people import HELD_OUT_SEEDS, TRAINING_SEEDS, People, simulate_people
from model.training.signs import SignReader, drawn_signs

log = logging.getLogger(__name__)

INTENDED_USE = "demonstration on drawn faces only; not for any real face or clinical use"
HELD_OUT_PEOPLE = 400
SEED = 20261123


def main(arguments: list[str] | None = None) -> None:
    """Parse, train unless only an evaluation is asked for, measure what was written, and write it with its metrics."""
    asked = _parser().parse_args(arguments)
    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(message)s")
    torch.set_num_threads(asked.threads)
    if not asked.evaluate_only:
        people = simulate_people(asked.people, TRAINING_SEEDS, asked.seed)
        crops = cached_crops(people, 1, asked.seed, asked.cache, caption="training people")
        log.info("%d of %d training faces found", len(crops.person), asked.people)
        reader = train_sign_reader(people, crops, Recipe(asked.sign_epochs, 32, 8e-4), asked.seed)
        age = train_age(people, crops, reader, Recipe(asked.age_epochs, 64, 2e-4), asked.seed)
        survival = train_survival(people, crops, reader, Recipe(asked.survival_epochs, 128, 3e-4), asked.seed)
        save(asked.out, age, survival, f"{asked.people} drawn people, one photo each, seed {asked.seed}", {})
    release = evaluate_and_save(asked.out, asked.held_out_people, asked.seed, asked.cache)
    for name, value in release.metrics.items():
        print(f"{name:45s} {value:g}")


def network_config(people: People) -> NetworkConfig:
    """The demo networks' shape: 12 layers of width 96, 1.4 million weights each (ours)."""
    ages = people.biological_ages
    return NetworkConfig(
        hidden_size=96, layers=12, heads=4, mlp_size=384, output_mean=float(ages.mean()), output_sd=float(ages.std())
    )


def train_sign_reader(
    people: People, crops: Crops, recipe: Recipe, seed: int, config: NetworkConfig | None = None
) -> SignReader:
    """An encoder from random weights that reads the drawn signs; age weighs as much as ten of the others."""
    signs = torch.from_numpy(drawn_signs(people.latents)[crops.person])
    weights = torch.ones(signs.shape[1])
    weights[0] = 10.0
    torch.manual_seed(seed)
    reader = SignReader(config or network_config(people), signs.shape[1])

    def loss(outputs: Tensor, chosen: NDArray[np.int64]) -> Tensor:
        misses = nn.functional.smooth_l1_loss(outputs, signs[chosen], beta=0.25, reduction="none")
        return (misses * weights).sum() / (len(chosen) * weights.sum())

    fit(reader, crops.pixels, loss, recipe, seed, caption="signs")
    return reader


def train_age(people: People, crops: Crops, reader: SignReader, recipe: Recipe, seed: int) -> BiomarkerNetwork:
    """A FaceAge network from the sign reader's encoder, by regression on biological age alone."""
    network = reader.age_network()
    years = torch.from_numpy(people.biological_ages[crops.person])
    scale = network.config.output_sd
    torch.manual_seed(seed + 1)

    def loss(outputs: Tensor, chosen: NDArray[np.int64]) -> Tensor:
        return nn.functional.smooth_l1_loss(outputs / scale, years[chosen] / scale, beta=0.25)

    fit(network, crops.pixels, loss, recipe, seed + 1, caption="age")
    return network


def train_survival(people: People, crops: Crops, reader: SignReader, recipe: Recipe, seed: int) -> BiomarkerNetwork:
    """A FaceSurvival network from the sign reader's encoder, by Cox partial likelihood over each batch."""
    shape = {**reader.encoder.config.to_dict(), "output_mean": 0.0, "output_sd": 1.0}
    torch.manual_seed(seed + 2)
    network = BiomarkerNetwork(NetworkConfig(**shape))
    network.vit.load_state_dict(reader.encoder.vit.state_dict())
    days = torch.from_numpy(people.follow_up_days[crops.person])
    died = torch.from_numpy(people.died[crops.person])

    def loss(outputs: Tensor, chosen: NDArray[np.int64]) -> Tensor:
        return cox_loss(outputs, days[chosen], died[chosen])

    fit(network, crops.pixels, loss, recipe, seed + 2, caption="survival")
    return network


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


def evaluate_and_save(out: Path, held_out_people: int, seed: int, cache: Path) -> ModelRelease:
    """Measure the networks as written (rounded to bfloat16) on held-out people; write that into the manifest."""
    release = ModelRelease.load(out)
    age, survival = release.network("age"), release.network("survival")
    people = simulate_people(held_out_people, HELD_OUT_SEEDS, seed)
    crops = cached_crops(people, 2, seed, cache, caption="held-out people")
    return save(out, age, survival, release.training_data, measured(age, survival, people, crops))


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m model.training.demo", description=__doc__)
    parser.add_argument("--out", type=Path, required=True, help="folder of the release; its name is the model id")
    cache = Path(os.environ.get("FAHR_HOME", ".fahr")) / "training"
    parser.add_argument("--cache", type=Path, default=cache, help="where aligned crops are kept (default: %(default)s)")
    parser.add_argument("--people", type=int, default=6000)
    parser.add_argument("--held-out-people", type=int, default=HELD_OUT_PEOPLE)
    parser.add_argument("--sign-epochs", type=int, default=24)
    parser.add_argument("--age-epochs", type=int, default=1)
    parser.add_argument("--survival-epochs", type=int, default=3)
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--seed", type=int, default=SEED)
    parser.add_argument("--evaluate-only", action="store_true", help="measure and re-write the manifest; train nothing")
    return parser


if __name__ == "__main__":
    main()
