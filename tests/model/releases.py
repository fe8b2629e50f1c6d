"""Small releases with random weights, for tests of what surrounds the networks."""

from __future__ import annotations

from pathlib import Path

import torch

from model.network import BiomarkerNetwork, NetworkConfig
from model.release import ModelRelease, save_release


def small_release(folder: Path, *, seed: int = 0) -> ModelRelease:
    """A pair of two-layer networks with random weights; its scores mean nothing."""
    shape = {"hidden_size": 32, "layers": 2, "heads": 2, "mlp_size": 64}
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        age = BiomarkerNetwork(NetworkConfig(**shape, output_mean=60.0, output_sd=15.0))
        survival = BiomarkerNetwork(NetworkConfig(**shape))
    return save_release(
        folder,
        {"age": age, "survival": survival},
        model_id=f"random-small-{seed}",
        trained_on_synthetic=True,
        training_data="none: random weights",
        intended_use="tests",
    )
