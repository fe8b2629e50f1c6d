"""A first lesson for the encoder, possible only because the faces are drawn: to read the signs that were drawn.

It stands where FAHR-Face has masked-autoencoder pre-training: nine thousand faces and one core are too few for that.
No survival time and no risk is among the targets.
"""

from __future__ import annotations

from dataclasses import astuple

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from model.drawing import FaceLatents, age_signs, frailty_signs
from model.network import BiomarkerNetwork, NetworkConfig


class SignReader(nn.Module):
    """An encoder with one linear output for each drawn sign, the first of them biological age."""

    def __init__(self, config: NetworkConfig, signs: int) -> None:
        """Random weights; `signs` is the number of columns of `drawn_signs`."""
        super().__init__()
        self.encoder = BiomarkerNetwork(config)
        self.encoder.head = nn.Linear(config.hidden_size, signs)

    def forward(self, faces: Tensor) -> Tensor:
        """(B, 3, 112, 112) normalised faces -> (B, signs), standardised."""
        signs: Tensor = self.encoder.head(self.encoder.vit(faces).last_hidden_state[:, 0])
        return signs

    def age_network(self) -> BiomarkerNetwork:
        """A FaceAge network that starts from this encoder and its age output."""
        network = BiomarkerNetwork(self.encoder.config)
        network.vit.load_state_dict(self.encoder.vit.state_dict())
        with torch.no_grad():
            network.head.weight.copy_(self.encoder.head.weight[:1])
            network.head.bias.copy_(self.encoder.head.bias[:1])
        return network


def drawn_signs(latents: tuple[FaceLatents, ...]) -> NDArray[np.float32]:
    """(n, 21) biological age, sex, fourteen signs of age, five of frailty; each column standardised over the people."""
    rows = [
        (person.biological_age, float(person.sex == "M"), *astuple(age_signs(person)), *astuple(frailty_signs(person)))
        for person in latents
    ]
    signs = np.array(rows, dtype=np.float32)
    return (signs - signs.mean(axis=0)) / signs.std(axis=0)
