"""Checkpoints as other programs write them, built with those programs' own classes: transformers and timm."""

from __future__ import annotations

from dataclasses import dataclass
from functools import partial
from typing import Any

import torch
from timm.layers import PatchEmbed
from timm.models.vision_transformer import Block, VisionTransformer
from torch import Tensor, nn
from transformers import ViTConfig, ViTMAEConfig, ViTMAEForPreTraining, ViTModel


@dataclass(frozen=True)
class Size:
    """Shape of a ViT."""

    width: int = 48
    layers: int = 3
    heads: int = 3
    mlp: int = 96
    patch: int = 16
    image: int = 112


SMALL = Size()
VIT_B = Size(width=768, layers=12, heads=12, mlp=3072)

OLD_NAMES = (
    ("vit.layers.", "vit.encoder.layer."),
    (".attention.q_proj.", ".attention.attention.query."),
    (".attention.k_proj.", ".attention.attention.key."),
    (".attention.v_proj.", ".attention.attention.value."),
    (".attention.o_proj.", ".attention.output.dense."),
    (".mlp.fc1.", ".intermediate.dense."),
    (".mlp.fc2.", ".output.dense."),
)


def old_names(state: dict[str, Tensor]) -> dict[str, Tensor]:
    """A state dict as transformers 4 named it, which is how FAHR-Face was published."""
    renamed = {}
    for key, value in state.items():
        for new, old in OLD_NAMES:
            key = key.replace(new, old)
        renamed[key] = value
    return renamed


def with_a_life(network: nn.Module, seed: int = 0) -> nn.Module:
    """Every weight random, biases and norms too, and a faint [CLS] token, whose norm the epsilon then decides."""
    generator = torch.Generator().manual_seed(seed)
    with torch.no_grad():
        for name, weight in network.named_parameters():
            spread = 1e-3 if name.endswith(("cls_token", "position_embeddings", "pos_embed")) else 0.1
            weight.copy_(torch.randn(weight.shape, generator=generator) * spread + (name.endswith("norm.weight")))
    return network.eval()


def hugging_face_mae(size: Size = SMALL) -> ViTMAEForPreTraining:
    """FAHR-Face as pre-trained: `fahr_face.pth` holds its weights."""
    return with_a_life(ViTMAEForPreTraining(ViTMAEConfig(
        hidden_size=size.width, num_hidden_layers=size.layers, num_attention_heads=size.heads,
        intermediate_size=size.mlp, patch_size=size.patch, image_size=size.image, mask_ratio=0.0,
        decoder_hidden_size=32, decoder_num_hidden_layers=1, decoder_num_attention_heads=2,
        decoder_intermediate_size=64,
    )))  # fmt: skip


class FaceAgeNetwork(nn.Module):
    """A ViT and a linear head on its [CLS] token: `fahr_faceage.pth` holds its weights."""

    def __init__(self, size: Size = SMALL, *, pooling_layer: bool = False) -> None:
        super().__init__()
        config = ViTConfig(
            hidden_size=size.width, num_hidden_layers=size.layers, num_attention_heads=size.heads,
            intermediate_size=size.mlp, patch_size=size.patch, image_size=size.image,
        )  # fmt: skip
        self.vit = ViTModel(config, add_pooling_layer=pooling_layer)
        self.age_head = nn.Linear(size.width, 1)

    def forward(self, faces: Tensor) -> Tensor:
        return self.age_head(self.vit(faces).last_hidden_state[:, 0]).squeeze(-1)


class MaskedAutoencoder(nn.Module):
    """The modules of facebookresearch/mae under its names, from timm's blocks, and its encoder's forward pass."""

    def __init__(self, size: Size = SMALL) -> None:
        super().__init__()
        self.patch_embed = PatchEmbed(size.image, size.patch, 3, size.width)
        patches = self.patch_embed.num_patches
        self.cls_token = nn.Parameter(torch.zeros(1, 1, size.width))
        self.pos_embed = nn.Parameter(torch.zeros(1, patches + 1, size.width), requires_grad=False)
        norm = partial(nn.LayerNorm, eps=1e-6)
        ratio = size.mlp / size.width
        self.blocks = nn.ModuleList(
            [Block(size.width, size.heads, ratio, qkv_bias=True, norm_layer=norm) for _ in range(size.layers)]
        )
        self.norm = norm(size.width)
        self.decoder_embed = nn.Linear(size.width, 32)
        self.mask_token = nn.Parameter(torch.zeros(1, 1, 32))
        self.decoder_pos_embed = nn.Parameter(torch.zeros(1, patches + 1, 32), requires_grad=False)
        self.decoder_blocks = nn.ModuleList([Block(32, 2, 2, qkv_bias=True, norm_layer=norm)])
        self.decoder_norm = norm(32)
        self.decoder_pred = nn.Linear(32, size.patch**2 * 3)

    def forward(self, faces: Tensor) -> Tensor:
        patches = self.patch_embed(faces) + self.pos_embed[:, 1:]
        token = (self.cls_token + self.pos_embed[:, :1]).expand(len(faces), -1, -1)
        tokens = torch.cat([token, patches], dim=1)
        for block in self.blocks:
            tokens = block(tokens)
        return self.norm(tokens)


def timm_vit(size: Size = SMALL, **options: Any) -> VisionTransformer:
    """A timm ViT with one output."""
    return with_a_life(VisionTransformer(
        img_size=size.image, patch_size=size.patch, embed_dim=size.width, depth=size.layers, num_heads=size.heads,
        mlp_ratio=size.mlp / size.width, **{"num_classes": 1, "global_pool": "token", **options},
    ))  # fmt: skip
