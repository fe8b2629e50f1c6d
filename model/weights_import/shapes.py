"""A network's shape, inferred from its weights; what does not fit is refused, by name."""

from __future__ import annotations

import math
import re
from collections.abc import Callable, Mapping

import torch
from torch import Tensor

from model.align import FACE_PX
from model.errors import WeightsRefused
from model.network import BiomarkerNetwork, NetworkConfig, published_state
from model.weights_import.names import NamedWeights, told
from model.weights_import.wish import Wish

WIDTH_OF_A_HEAD = 64
"""Width of an attention head in every published ViT (Dosovitskiy et al., 2021, table 1)."""

LARGEST = {"hidden_size": 4096, "layers": 64, "mlp_size": 16384}
"""Larger networks than any published ViT are refused before memory is taken for them (ours)."""

DEFAULT_EPS = {"hugging-face": 1e-12, "mae": 1e-6}

CLASS_TOKEN = "vit.embeddings.cls_token"
POSITIONS = "vit.embeddings.position_embeddings"
PATCHES = "vit.embeddings.patch_embeddings.projection.weight"
FIRST_MLP = "vit.encoder.layer.0.intermediate.dense.weight"
_LAYER = re.compile(r"vit\.encoder\.layer\.(\d+)\.")
_QKV_BIAS = re.compile(r"vit\.encoder\.layer\.\d+\.attention\.attention\.(query|key|value)\.bias")


def infer_config(named: NamedWeights, wish: Wish) -> NetworkConfig:
    """Width, depth, MLP, patch and image size from shapes; heads, epsilon and output scale from `wish`.

    Raises WeightsRefused where a shape is not a ViT's, or the position embeddings are not those of 112 px.
    """
    encoder = named.encoder
    width = _shape(encoder, CLASS_TOKEN, "(1, 1, width)", lambda shape: len(shape) == 3 and shape[:2] == (1, 1))[2]
    patches = _shape(
        encoder, PATCHES, "(width, 3, patch, patch)", lambda s: len(s) == 4 and s[1] == 3 and s[2] == s[3] > 0
    )
    mlp = _shape(encoder, FIRST_MLP, "(MLP, width)", lambda shape: len(shape) == 2)[0]
    layers = 1 + max((int(match[1]) for key in encoder if (match := _LAYER.match(key))), default=-1)
    for name, size in (("hidden_size", width), ("layers", layers), ("mlp_size", mlp)):
        if not 0 < size <= LARGEST[name]:
            raise WeightsRefused(f"its {name} is {size}; networks of 1 to {LARGEST[name]} are taken")
    return NetworkConfig(
        hidden_size=width,
        layers=layers,
        heads=_heads(width, wish),
        mlp_size=mlp,
        patch_px=patches[2],
        image_px=_image_px(encoder, patches[2], wish),
        layer_norm_eps=wish.layer_norm_eps if wish.layer_norm_eps is not None else DEFAULT_EPS[named.layout],
        output_mean=wish.output_mean,
        output_sd=wish.output_sd,
    )


def complete(encoder: Mapping[str, Tensor], config: NetworkConfig) -> dict[str, Tensor]:
    """The encoder's weights, none missing, unknown, or of another shape.

    No bias on query, key and value, which some ViTs lack, is a bias of 0.
    Raises WeightsRefused, naming the weights that do not fit.
    """
    state = dict(encoder)
    expected = _expected_shapes(config)
    without_bias = [key for key in expected if _QKV_BIAS.fullmatch(key)]
    if not any(key in state for key in without_bias):
        state |= {key: torch.zeros(config.hidden_size) for key in without_bias}
    if missing := set(expected) - set(state):
        raise WeightsRefused(f"weights are missing: {told(missing)}")
    if unknown := set(state) - set(expected):
        raise WeightsRefused(f"weights that a plain ViT of {config.layers} layers does not have: {told(unknown)}")
    for key, shape in expected.items():
        if tuple(state[key].shape) != shape:
            raise WeightsRefused(f"{key} has the shape {tuple(state[key].shape)}, not {shape}")
    return state


def as_finite_float32(state: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """Weights in float32. Raises WeightsRefused where one is not of a floating type, or holds NaN or infinity."""
    converted = {}
    for key, value in state.items():
        if not value.is_floating_point():
            raise WeightsRefused(f"{told([key])} does not hold floating-point numbers")
        converted[key] = value.to(torch.float32).contiguous()
        if not bool(torch.isfinite(converted[key]).all()):
            raise WeightsRefused(f"{told([key])} holds NaN or infinity")
    return converted


def _shape(
    encoder: Mapping[str, Tensor], key: str, wanted: str, fits: Callable[[tuple[int, ...]], bool]
) -> tuple[int, ...]:
    if key not in encoder:
        raise WeightsRefused(f"weights are missing: {key}")
    shape = tuple(encoder[key].shape)
    if not fits(shape):
        raise WeightsRefused(f"{key} has the shape {shape}, not {wanted}")
    return shape


def _heads(width: int, wish: Wish) -> int:
    if wish.heads is None and width % WIDTH_OF_A_HEAD:
        raise WeightsRefused(f"a width of {width} is no multiple of {WIDTH_OF_A_HEAD}: say how many heads it has")
    heads = wish.heads if wish.heads is not None else width // WIDTH_OF_A_HEAD
    if heads < 1 or width % heads:
        raise WeightsRefused(f"a width of {width} cannot be divided among {heads} heads")
    return heads


def _image_px(encoder: Mapping[str, Tensor], patch_px: int, wish: Wish) -> int:
    """112, if the position embeddings are those of 112 px or may be made so."""
    shape = _shape(encoder, POSITIONS, "(1, patches + 1, width)", lambda s: len(s) == 3 and s[0] == 1 and s[1] > 1)
    side = math.isqrt(shape[1] - 1)
    if side * side != shape[1] - 1:
        raise WeightsRefused(f"{POSITIONS} has {shape[1]} positions, which are not one for [CLS] and a square")
    if FACE_PX % patch_px:
        raise WeightsRefused(f"patches of {patch_px} px do not divide the {FACE_PX} px of an aligned face")
    if side * patch_px != FACE_PX and not wish.resize_positions:
        raise WeightsRefused(
            f"its position embeddings are those of {side * patch_px} px, not {FACE_PX}; they can be interpolated"
            " (--resize-positions) for an encoder that will then be fine-tuned"
        )
    return FACE_PX


def _expected_shapes(config: NetworkConfig) -> dict[str, tuple[int, ...]]:
    with torch.device("meta"):
        network = BiomarkerNetwork(config)
    return {key: tuple(value.shape) for key, value in published_state(network).items() if not key.startswith("head.")}
