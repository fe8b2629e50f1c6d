"""Drop path (Huang et al., 2016): while training, layers of the encoder are skipped at random, face by face."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import torch
from torch import Tensor, nn

from model.network import BiomarkerNetwork


@contextmanager
def stochastic_depth(network: BiomarkerNetwork, rate: float) -> Iterator[None]:
    """Within this context and in training mode, layer n of L is skipped with chance `rate` * n / (L - 1).

    A whole layer is skipped, attention and MLP together, and the last one never: only its [CLS] row is computed (ours).
    """
    layers: list[Any] = list(network.vit.layers)
    handles = [
        layer.register_forward_hook(_skip(rate * number / max(len(layers) - 1, 1)))
        for number, layer in enumerate(layers[:-1])
        if rate > 0
    ]
    try:
        yield
    finally:
        for handle in handles:
            handle.remove()


def _skip(rate: float) -> Any:
    def hook(layer: nn.Module, inputs: tuple[Tensor, ...], output: Tensor) -> Tensor:
        if not layer.training or rate == 0:
            return output
        kept = (torch.rand(len(output), 1, 1, device=output.device) >= rate).to(output.dtype) / (1 - rate)
        return inputs[0] + kept * (output - inputs[0])

    return hook
