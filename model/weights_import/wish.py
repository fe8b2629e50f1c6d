"""What the caller knows of a checkpoint that its weights do not tell."""

from __future__ import annotations

from dataclasses import dataclass

from model.manifest import Kind

Channels = tuple[float, float, float]


@dataclass(frozen=True)
class Wish:
    """What is wanted of a checkpoint file, and what its shapes do not say."""

    kind: Kind
    """What its network is: age and survival need a head, face is the encoder alone."""
    heads: int | None = None
    """Attention heads; None: a head for each 64 of its width, as in every published ViT."""
    layer_norm_eps: float | None = None
    """None: 1e-12 for Hugging Face's names, 1e-6 for MAE's and timm's, which are the defaults of that code."""
    output_mean: float = 0.0
    """Mean of the ages the head was trained on, years, where it was trained on standardised ages."""
    output_sd: float = 1.0
    """Their standard deviation, years."""
    pixel_mean: Channels = (0.5, 0.5, 0.5)
    """Red, green and blue that were subtracted from pixels of 0 to 1 in its training."""
    pixel_sd: Channels = (0.5, 0.5, 0.5)
    """What they were then divided by."""
    resize_positions: bool = False
    """Whether position embeddings of another image size may be interpolated to 112 px."""
