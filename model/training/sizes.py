"""Encoder sizes by name. The paper does not publish its width; "base" is our working size."""

from __future__ import annotations

from dataclasses import dataclass, replace

from model.network import VIT_B16, NetworkConfig


@dataclass(frozen=True, slots=True)
class DecoderShape:
    """The decoder that a masked autoencoder trains with and then loses."""

    width: int = 512
    layers: int = 8
    heads: int = 16


@dataclass(frozen=True, slots=True)
class EncoderSize:
    """An encoder, the decoder it is pre-trained with, and how fine-tuning treats it."""

    encoder: NetworkConfig
    decoder: DecoderShape
    layer_decay: float
    drop_path: float


VIT_L16 = replace(VIT_B16, hidden_size=1024, layers=24, heads=16, mlp_size=4096)

SIZES = {
    "nano": EncoderSize(NetworkConfig(64, 4, 4, 256), DecoderShape(32, 1, 4), 0.85, 0.0),
    "tiny": EncoderSize(NetworkConfig(128, 12, 4, 512), DecoderShape(96, 2, 4), 0.85, 0.05),
    "base": EncoderSize(VIT_B16, DecoderShape(), 0.65, 0.1),
    "large": EncoderSize(VIT_L16, DecoderShape(), 0.75, 0.2),
}
"""Base and large as published (He et al., 2022: decoder 512 x 8 x 16, layer-wise decay 0.65 and 0.75, drop path 0.1 and
0.2). "tiny" is the demo's and "nano" is for trying a command in a minute: both ours."""
