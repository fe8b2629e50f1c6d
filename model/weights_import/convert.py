"""A checkpoint's content into the weights and the shape of one of our networks."""

from __future__ import annotations

from dataclasses import dataclass

from torch import Tensor

from model.errors import WeightsRefused
from model.network import NetworkConfig
from model.weights_import.heads import head_of, refuse_unless_one_layer
from model.weights_import.names import Layout, name_weights, weights_of
from model.weights_import.pixels import fed_as_ours, resized_positions
from model.weights_import.shapes import POSITIONS, as_finite_float32, complete, infer_config
from model.weights_import.wish import Wish


@dataclass(frozen=True)
class Converted:
    """One network: its shape, its weights (float32, published names), where they come from."""

    config: NetworkConfig
    state: dict[str, Tensor]
    layout: Layout
    notes: tuple[str, ...]


def convert(checkpoint: object, wish: Wish) -> Converted:
    """Find the network in what a file holds. Raises WeightsRefused, saying what does not fit."""
    named = name_weights(weights_of(checkpoint))
    config = infer_config(named, wish)
    notes = []
    if named.ignored:
        notes.append(f"{len(named.ignored)} weights left out (decoder, mask token, pooling layer)")
    if any("pooler." in key for key in named.ignored) and wish.kind != "face":
        notes.append("its pooling layer was left out: the head is taken to read [CLS] itself")
    encoder = named.encoder
    patches = (config.image_px // config.patch_px) ** 2
    if encoder[POSITIONS].shape[1] != patches + 1:
        encoder = resized_positions(encoder, patches)
        notes.append(f"position embeddings interpolated to {config.image_px} px")
    state = as_finite_float32(complete(encoder, config))
    if (wish.pixel_mean, wish.pixel_sd) != (Wish.pixel_mean, Wish.pixel_sd):
        state = as_finite_float32(fed_as_ours(state, wish))
        notes.append(f"patch projection adapted from pixels normalised by {wish.pixel_mean} and {wish.pixel_sd}")
    if wish.kind == "face":
        refuse_unless_one_layer(named.others, config.hidden_size)
        if named.others:
            notes.append("its head was left out")
        return Converted(config, state, named.layout, tuple(notes))
    if named.reads_mean_of_patches:
        raise WeightsRefused(
            "its head reads the mean of the patches (fc_norm), ours reads [CLS]; the encoder alone can be imported"
            " (as `face`) and fine-tuned"
        )
    state |= as_finite_float32(head_of(named.others, config.hidden_size))
    return Converted(config, state, named.layout, tuple(notes))
