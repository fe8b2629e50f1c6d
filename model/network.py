"""The biomarker network: a ViT encoder and a linear head on its [CLS] token (FAHR-Face, arXiv 2506.14909).

FaceAge comes out in years, FaceSurvival as a log-risk. Each keeps an encoder of its own. The encoder is Hugging Face's
`ViTModel`; weights are stored under the key names that published checkpoints use (`vit.encoder.layer.N. ...`), which do
not change with the version of the library.
"""

from __future__ import annotations

import re
from dataclasses import asdict, dataclass
from typing import Any, Literal

import torch
from torch import Tensor, nn
from torch.nn.functional import scaled_dot_product_attention
from transformers import ViTConfig, ViTModel

Biomarker = Literal["age", "survival"]


@dataclass(frozen=True)
class NetworkConfig:
    """Shape of one network and the scale of its output."""

    hidden_size: int = 768
    layers: int = 12
    heads: int = 12
    mlp_size: int = 3072
    patch_px: int = 16
    image_px: int = 112
    layer_norm_eps: float = 1e-12
    """Added to the variance in every layer norm: 1e-12 in Hugging Face's ViT, 1e-6 in timm's and in the MAE release."""
    output_mean: float = 0.0
    """Added to the head's scaled output: the mean training age in years, or 0 for a log-risk."""
    output_sd: float = 1.0
    """Multiplies the head's output: the standard deviation of the training ages in years, or 1 for a log-risk."""

    def to_dict(self) -> dict[str, Any]:
        """As stored in a release's manifest."""
        return asdict(self)


VIT_B16 = NetworkConfig()
"""ViT-B/16 at 112 px (Dosovitskiy et al., 2021), our working size: the paper does not publish its width."""


class BiomarkerNetwork(nn.Module):
    """One biomarker from one aligned face."""

    def __init__(self, config: NetworkConfig, *, dropout: float = 0.0, attention: str = "sdpa") -> None:
        """`dropout` acts in training only. `attention` is "sdpa", or "eager" where attention maps are wanted."""
        super().__init__()
        self.config = config
        self.vit = ViTModel(
            ViTConfig(
                hidden_size=config.hidden_size,
                num_hidden_layers=config.layers,
                num_attention_heads=config.heads,
                intermediate_size=config.mlp_size,
                patch_size=config.patch_px,
                image_size=config.image_px,
                layer_norm_eps=config.layer_norm_eps,
                hidden_dropout_prob=dropout,
                attn_implementation=attention,  # type: ignore[call-arg]
            ),
            add_pooling_layer=False,
        )
        self.head = nn.Linear(config.hidden_size, 1)

    def forward(self, faces: Tensor) -> Tensor:
        """Take normalised faces (B, 3, 112, 112); give (B,) years for an age network, log-risk for a survival one."""
        cls_token = self._class_token(faces)
        # The head and the scale are computed in float32: years near 90 have steps of 0.5 in bfloat16.
        with torch.autocast(faces.device.type, enabled=False):
            output = self.head(cls_token.to(self.head.weight.dtype)).squeeze(-1).float()
        return output * self.config.output_sd + self.config.output_mean

    def _class_token(self, faces: Tensor) -> Tensor:
        """What `self.vit(faces).last_hidden_state[:, 0]` is, (B, hidden), without the work nobody looks at.

        After the last layer only the [CLS] token is read, so only it is computed there: a fourteenth of all work less.
        """
        hidden = self.vit.embeddings(faces.to(self.vit.embeddings.patch_embeddings.projection.weight.dtype))
        layers: list[Any] = list(self.vit.layers)
        *before, last = layers
        for layer in before:
            hidden = layer(hidden)
        seen, token = last.layernorm_before(hidden), hidden[:, :1]
        attention = last.attention
        query = by_head(attention.q_proj(seen[:, :1]), self.config.heads)
        key = by_head(attention.k_proj(seen), self.config.heads)
        value = by_head(attention.v_proj(seen), self.config.heads)
        looked = scaled_dot_product_attention(query, key, value).transpose(1, 2).flatten(2)
        token = token + last.dropout(attention.o_proj(looked))
        token = token + last.dropout(last.mlp(last.layernorm_after(token)))
        return self.vit.layernorm(token)[:, 0]


def by_head(tokens: Tensor, heads: int) -> Tensor:
    """(B, T, hidden) -> (B, heads, T, hidden / heads)."""
    return tokens.unflatten(-1, (heads, -1)).transpose(1, 2)


_TO_PUBLISHED = (
    (r"^vit\.layers\.", "vit.encoder.layer."),
    (r"\.attention\.q_proj\.", ".attention.attention.query."),
    (r"\.attention\.k_proj\.", ".attention.attention.key."),
    (r"\.attention\.v_proj\.", ".attention.attention.value."),
    (r"\.attention\.o_proj\.", ".attention.output.dense."),
    (r"\.mlp\.fc1\.", ".intermediate.dense."),
    (r"\.mlp\.fc2\.", ".output.dense."),
)
_FROM_PUBLISHED = (
    (r"^vit\.encoder\.layer\.", "vit.layers."),
    (r"\.attention\.attention\.query\.", ".attention.q_proj."),
    (r"\.attention\.attention\.key\.", ".attention.k_proj."),
    (r"\.attention\.attention\.value\.", ".attention.v_proj."),
    (r"\.attention\.output\.dense\.", ".attention.o_proj."),
    (r"\.intermediate\.dense\.", ".mlp.fc1."),
    (r"(?<!attention)\.output\.dense\.", ".mlp.fc2."),
)


def published_state(network: BiomarkerNetwork) -> dict[str, Tensor]:
    """The network's weights under the key names of published ViT checkpoints."""
    return {_renamed(key, _TO_PUBLISHED): value for key, value in network.state_dict().items()}


def published_name(key: str) -> str:
    """The name that published checkpoints give a weight, from the installed library's; a published name stays."""
    return _renamed(key, _TO_PUBLISHED)


def load_published_state(network: BiomarkerNetwork, state: dict[str, Tensor]) -> None:
    """Load weights stored by `published_state`. Raises RuntimeError where a key or a shape does not fit."""
    network.load_state_dict({_renamed(key, _FROM_PUBLISHED): value for key, value in state.items()})


def network_of(config: NetworkConfig, state: dict[str, Tensor]) -> BiomarkerNetwork:
    """A network that takes `state`'s tensors as its weights, without first drawing 86 million random ones.

    Raises RuntimeError where a key or a shape does not fit.
    """
    with torch.device("meta"):
        network = BiomarkerNetwork(config)
    renamed = {_renamed(key, _FROM_PUBLISHED): value for key, value in state.items()}
    network.load_state_dict(renamed, assign=True)
    return network


def _renamed(key: str, rules: tuple[tuple[str, str], ...]) -> str:
    for pattern, replacement in rules:
        key = re.sub(pattern, replacement, key)
    return key
