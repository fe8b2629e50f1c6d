"""Where a fine-tuning starts: a pre-trained encoder, or a random one, and a new head."""

from __future__ import annotations

from dataclasses import replace

import torch
from torch import Tensor

from model.network import BiomarkerNetwork, NetworkConfig
from model.training.errors import TrainingRefused


def starting_network(
    config: NetworkConfig, encoder: dict[str, Tensor] | None, *, mean: float, sd: float, seed: int
) -> BiomarkerNetwork:
    """A network with a given (or random) encoder and a random head whose output is scaled by `mean` and `sd`.

    Raises:
        TrainingRefused: the encoder's weights are of another shape.
    """
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        network = BiomarkerNetwork(replace(config, output_mean=mean, output_sd=sd))
    if encoder is not None:
        try:
            network.vit.load_state_dict(encoder)
        except RuntimeError as error:
            raise TrainingRefused("the encoder to start from is of another shape than the network asked for") from error
    return network
