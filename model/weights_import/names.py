"""The weights of a checkpoint under the names of published ViT checkpoints, whatever names they came with.

Three families of names are known: Hugging Face's (of any version; the published FAHR-Face files have them), those of
the MAE release (facebookresearch/mae) and timm's, which differ from MAE's in the head and the last norm only.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any, Literal

import torch
from torch import Tensor

from model.errors import WeightsRefused
from model.network import published_name

Layout = Literal["hugging-face", "mae"]

CONTAINERS = ("model_state_dict", "state_dict", "model")
"""Entries of a checkpoint under which programs keep the weights, beside optimizer, epoch and so on."""

_WRAPPERS = re.compile(r"^(?:module\.|_orig_mod\.)+")
"""What torch's parallel and compiled modules put before every name."""

_CLASS_TOKEN: dict[Layout, str] = {"hugging-face": "embeddings.cls_token", "mae": "cls_token"}

_IGNORED: dict[Layout, str] = {
    "hugging-face": r"(?:.*\.)?decoder\..*|(?:.*\.)?embeddings\.mask_token|(?:.*\.)?pooler\.dense\.(?:weight|bias)",
    "mae": r"mask_token|decoder_.*",
}
"""The masked autoencoder's decoder, the token that hides patches, and a pooling layer: none is read by our networks."""

_FROM_MAE = (
    (r"cls_token", "embeddings.cls_token"),
    (r"pos_embed", "embeddings.position_embeddings"),
    (r"patch_embed\.proj\.(weight|bias)", r"embeddings.patch_embeddings.projection.\1"),
    (r"(?:norm|fc_norm)\.(weight|bias)", r"layernorm.\1"),
    (r"blocks\.(\d+)\.norm1\.(weight|bias)", r"encoder.layer.\1.layernorm_before.\2"),
    (r"blocks\.(\d+)\.norm2\.(weight|bias)", r"encoder.layer.\1.layernorm_after.\2"),
    (r"blocks\.(\d+)\.attn\.proj\.(weight|bias)", r"encoder.layer.\1.attention.output.dense.\2"),
    (r"blocks\.(\d+)\.mlp\.fc1\.(weight|bias)", r"encoder.layer.\1.intermediate.dense.\2"),
    (r"blocks\.(\d+)\.mlp\.fc2\.(weight|bias)", r"encoder.layer.\1.output.dense.\2"),
)
_QKV = re.compile(r"blocks\.(\d+)\.attn\.qkv\.(weight|bias)")
_ENCODER = re.compile(r"vit\.(embeddings|encoder|layernorm)\..*")


@dataclass
class NamedWeights:
    """A checkpoint's weights by what they are."""

    layout: Layout
    encoder: dict[str, Tensor] = field(default_factory=dict)
    """By published name, `vit.…`."""
    others: dict[str, Tensor] = field(default_factory=dict)
    """What is neither encoder nor known to be ignored: the head, or something unknown."""
    ignored: list[str] = field(default_factory=list)
    reads_mean_of_patches: bool = False
    """Its last norm is timm's and MAE's `fc_norm`, which stands before a head that reads the mean of the patches."""


def weights_of(checkpoint: object) -> dict[str, Tensor]:
    """The weights in what a file holds: the file itself, or one entry of `CONTAINERS`.

    Raises WeightsRefused where there are none, or several sets of them.
    """
    if not isinstance(checkpoint, dict):
        raise WeightsRefused("the file holds no dictionary of weights")
    if _are_weights(checkpoint):
        return dict(checkpoint)
    found = [name for name in CONTAINERS if _are_weights(checkpoint.get(name))]
    if len(found) != 1:
        kept = "several sets of weights: " + ", ".join(found) if found else f"no weights under {', '.join(CONTAINERS)}"
        raise WeightsRefused(f"the file holds {kept}")
    return dict(checkpoint[found[0]])


def name_weights(weights: Mapping[str, Tensor]) -> NamedWeights:
    """Tell encoder, head and rest apart. Raises WeightsRefused where no ViT encoder, or more than one, is found."""
    bare = {_WRAPPERS.sub("", key): value for key, value in weights.items()}
    layout, prefix = _layout_and_prefix(bare)
    named = NamedWeights(layout)
    for key, value in bare.items():
        inside = key.removeprefix(prefix)
        if re.fullmatch(_IGNORED[layout], inside if layout == "mae" else key):
            named.ignored.append(key)
        elif not key.startswith(prefix):
            named.others[key] = value
        elif layout == "mae":
            _take_mae(named, inside, value)
        elif _ENCODER.fullmatch(published := published_name(f"vit.{inside}")):
            named.encoder[published] = value
        else:
            named.others[inside] = value
    return named


def told(names: Iterable[str], most: int = 4) -> str:
    """Names out of a file as a message shows them: a few, each cut short, printable characters only."""
    known = sorted(names)
    shown = ", ".join("".join(c if c.isprintable() else "?" for c in name[:60]) for name in known[:most])
    return shown + (f" and {len(known) - most} more" if len(known) > most else "")


def _are_weights(candidate: Any) -> bool:
    return (
        isinstance(candidate, dict)
        and bool(candidate)
        and all(isinstance(key, str) and isinstance(value, Tensor) for key, value in candidate.items())
    )


def _layout_and_prefix(weights: Mapping[str, Tensor]) -> tuple[Layout, str]:
    """Which family the names are of, and what stands before the encoder's: found by its one [CLS] token."""
    layout: Layout = "hugging-face" if any(key.endswith("embeddings.cls_token") for key in weights) else "mae"
    token = _CLASS_TOKEN[layout]
    prefixes = [key.removesuffix(token) for key in weights if key == token or key.endswith(f".{token}")]
    if len(prefixes) != 1:
        found = "no [CLS] token" if not prefixes else f"{len(prefixes)} [CLS] tokens"
        raise WeightsRefused(
            f"the file is not one ViT encoder with names of Hugging Face, MAE or timm: it holds {found}"
            f" (its first names: {told(weights)})"
        )
    return layout, prefixes[0]


def _take_mae(named: NamedWeights, key: str, value: Tensor) -> None:
    """File a weight with a name of MAE's or timm's; query, key and value come as one matrix."""
    if joint := _QKV.fullmatch(key):
        if value.ndim == 0 or len(value) % 3:
            raise WeightsRefused(f"{told([key])} cannot be split into query, key and value")
        for name, part in zip(("query", "key", "value"), torch.chunk(value, 3), strict=True):
            named.encoder[f"vit.encoder.layer.{joint[1]}.attention.attention.{name}.{joint[2]}"] = part
        return
    named.reads_mean_of_patches |= key.startswith("fc_norm.")
    for pattern, published in _FROM_MAE:
        if match := re.fullmatch(pattern, key):
            name = f"vit.{match.expand(published)}"
            if name in named.encoder:
                raise WeightsRefused(f"the file holds two weights that could be {name}")
            named.encoder[name] = value
            return
    named.others[key] = value
