"""The head of a checkpoint: the one linear layer that is left over when the encoder is taken."""

from __future__ import annotations

from collections.abc import Mapping

import torch
from torch import Tensor

from model.errors import WeightsRefused
from model.weights_import.names import told


def head_of(others: Mapping[str, Tensor], width: int) -> dict[str, Tensor]:
    """The head as `head.weight` (1, width) and `head.bias` (1,), which is 0 where the file has none.

    Raises WeightsRefused where there is none, or where what is left over is not one linear layer with one output.
    """
    if not others:
        raise WeightsRefused("the file has no head: it is an encoder alone (import it as `face`)")
    weights = [key for key, value in others.items() if not key.endswith("bias") and _is_row(value, width)]
    biases = [key for key, value in others.items() if key not in weights and tuple(value.shape) in ((), (1,))]
    if len(weights) != 1 or len(biases) > 1 or len(weights) + len(biases) != len(others):
        raise WeightsRefused(
            f"what is left beside the encoder is not one linear layer with one output over {width}: "
            + ", ".join(f"{told([key])} {tuple(others[key].shape)}" for key in sorted(others)[:4])
        )
    bias = others[biases[0]].reshape(1) if biases else torch.zeros(1)
    return {"head.weight": others[weights[0]].reshape(1, width), "head.bias": bias}


def refuse_unless_one_layer(others: Mapping[str, Tensor], width: int) -> None:
    """Let an encoder leave its head behind, if that is one linear layer. Raises WeightsRefused where it is more."""
    matrices = [key for key, value in others.items() if value.shape[-1:] == (width,) and not key.endswith("bias")]
    vectors = [key for key, value in others.items() if key not in matrices and value.ndim <= 1]
    if len(matrices) > 1 or len(vectors) > 1 or len(matrices) + len(vectors) != len(others):
        raise WeightsRefused(f"weights that are neither the encoder's nor one linear head's: {told(others)}")


def _is_row(value: Tensor, width: int) -> bool:
    return tuple(value.shape) in ((1, width), (width,))
