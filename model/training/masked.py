"""FAHR-Face pre-training: a masked autoencoder (He et al., CVPR 2022) on the Hugging Face ViTMAE classes."""

from __future__ import annotations

import math
from io import BytesIO
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from PIL import Image
from torch import Tensor, nn
from transformers import ViTMAEConfig, ViTMAEForPreTraining

from model.preprocessing import to_network_input
from model.training.augment import MASKED_AUTOENCODER, augmented
from model.training.face_set import Batch, BatchSource
from model.training.loop import Choice, train
from model.training.processes import Team
from model.training.recipe import Recipe
from model.training.sizes import EncoderSize

MASK_SHARE = 0.75
PUBLISHED_RATE_OF_256 = 1.5e-4
"""Learning rate for 256 faces a step; it grows with the step's size."""


class MaskedAutoencoder(nn.Module):
    """Hides three patches in four and is taught to paint them, each patch normalised to itself."""

    def __init__(self, size: EncoderSize) -> None:
        """Random weights; positions are fixed sines and cosines."""
        super().__init__()
        encoder, decoder = size.encoder, size.decoder
        self.size = size
        self.mae = ViTMAEForPreTraining(
            ViTMAEConfig(
                hidden_size=encoder.hidden_size,
                num_hidden_layers=encoder.layers,
                num_attention_heads=encoder.heads,
                intermediate_size=encoder.mlp_size,
                image_size=encoder.image_px,
                patch_size=encoder.patch_px,
                decoder_hidden_size=decoder.width,
                decoder_num_hidden_layers=decoder.layers,
                decoder_num_attention_heads=decoder.heads,
                decoder_intermediate_size=4 * decoder.width,
                mask_ratio=MASK_SHARE,
                norm_pix_loss=True,
            )
        )
        # The library leaves them at zero when a network is built anew, and without them no patch knows its place.
        for embeddings in (self.mae.vit.embeddings.position_embeddings, self.mae.decoder.decoder_pos_embed):
            embeddings.data.copy_(sine_positions(embeddings.shape[-1], math.isqrt(self.patches)))

    @property
    def patches(self) -> int:
        """Patches of a face."""
        return (self.size.encoder.image_px // self.size.encoder.patch_px) ** 2

    def forward(self, faces: Tensor, noise: Tensor) -> Tensor:
        """Mean loss over hidden patches of (B, 3, 112, 112); the patches of largest `noise` (B, patches) are hidden."""
        loss: Tensor = self.mae(pixel_values=faces, noise=noise).loss
        return loss

    def encoder_state(self) -> dict[str, Tensor]:
        """The encoder's weights under the key names of the installed `ViTModel`."""
        return {key: value.detach().clone() for key, value in self.mae.vit.state_dict().items()}

    @torch.inference_mode()
    def painted(self, faces: Tensor, noise: Tensor) -> tuple[Tensor, Tensor]:
        """(what it paints, in network units; which pixels were hidden), each (B, 3, 112, 112)."""
        said: Any = self.mae(pixel_values=faces, noise=noise)
        patches = self.mae.patchify(faces)
        mean, spread = patches.mean(-1, keepdim=True), (patches.var(-1, keepdim=True) + 1e-6).sqrt()
        hidden = said.mask[..., None].expand_as(patches)
        painted = torch.where(hidden > 0, said.logits.float() * spread + mean, patches)
        return self.mae.unpatchify(painted), self.mae.unpatchify(hidden.contiguous())


def sine_positions(width: int, side: int) -> Tensor:
    """(1, 1 + side * side, width) fixed positions: zeros for [CLS]; else half the width tells the column, half the row.

    Each as sines and cosines of the coordinate over frequencies 1 / 10000^(2i / (width / 2)), as He et al.'s code does.
    Raises ValueError where the width is no multiple of four.
    """
    if width % 4:
        raise ValueError("positions need a width that is a multiple of four")
    frequencies = 10_000.0 ** -(torch.arange(width // 4, dtype=torch.float64) / (width // 4))
    row, column = torch.meshgrid(torch.arange(side), torch.arange(side), indexing="ij")
    told = []
    for coordinate in (column.flatten(), row.flatten()):
        angles = coordinate[:, None] * frequencies[None, :]
        told += [angles.sin(), angles.cos()]
    return torch.cat([torch.zeros(1, width, dtype=torch.float64), torch.cat(told, dim=1)])[None].float()


def published_recipe(epochs: int, faces_a_step: int, **changes: Any) -> Recipe:
    """He et al.'s: AdamW (0.9, 0.95), decay 0.05, 1.5e-4 x faces / 256, warm-up over 40 of 800 epochs, cosine."""
    rate = PUBLISHED_RATE_OF_256 * faces_a_step / 256
    return Recipe(**{"epochs": epochs, "peak_rate": rate, "warm_up_share": 0.05, **changes})


def pretrain(
    network: MaskedAutoencoder,
    source: BatchSource,
    recipe: Recipe,
    folder: Path,
    *,
    validation: NDArray[np.uint8] | None = None,
) -> None:
    """Train `network` in place on unlabelled faces, going on from a checkpoint in `folder`.

    With `validation` faces (n, 112, 112, 3) each epoch's loss over them is noted, the masks being the same every time.
    """
    team = Team.of_this_process()

    def step_loss(together: nn.Module, batch: Batch, rng: np.random.Generator) -> Tensor:
        faces = augmented(to_network_input(list(batch.pixels)), MASKED_AUTOENCODER, rng)
        noise = torch.from_numpy(rng.random((len(faces), network.patches), dtype=np.float32))
        device = next(network.parameters()).device
        loss: Tensor = together(team.share(faces).to(device), team.share(noise).to(device))
        return loss

    def validate(_: nn.Module) -> dict[str, float]:
        assert validation is not None
        return {"validation_loss": masked_loss(network, validation)}

    train(
        network,
        step_loss,
        source,
        recipe,
        folder,
        caption="pre-training",
        validate=None if validation is None else validate,
        choice=None if validation is None else Choice("validation_loss"),
    )


def masked_loss(network: MaskedAutoencoder, pixels: NDArray[np.uint8], *, batch: int = 128) -> float:
    """Mean loss over faces (n, 112, 112, 3) under masks that depend on their number alone."""
    total, device = 0.0, next(network.parameters()).device
    for start in range(0, len(pixels), batch):
        faces = to_network_input(list(pixels[start : start + batch])).to(device)
        total += float(network(faces, _fixed_noise(start, len(faces), network.patches).to(device))) * len(faces)
    return total / len(pixels)


def reconstructions(network: MaskedAutoencoder, pixels: NDArray[np.uint8]) -> bytes:
    """A PNG: for each face (n, 112, 112, 3) a row of what was seen, what was painted, and the face itself."""
    faces = to_network_input(list(pixels))
    painted, hidden = network.cpu().painted(faces, _fixed_noise(0, len(faces), network.patches))
    seen = torch.where(hidden > 0, torch.zeros(()), faces)
    rows = [torch.cat([seen[face], painted[face], faces[face]], dim=2) for face in range(len(faces))]
    picture = ((torch.cat(rows, dim=1).clamp(-1, 1) + 1) * 127.5).round().byte().permute(1, 2, 0).numpy()
    stream = BytesIO()
    enlarged = (2 * picture.shape[1], 2 * picture.shape[0])
    Image.fromarray(picture).resize(enlarged, Image.Resampling.NEAREST).save(stream, "PNG")
    return stream.getvalue()


def _fixed_noise(first: int, count: int, patches: int) -> Tensor:
    rows = [np.random.default_rng([7, face]).random(patches, dtype=np.float32) for face in range(first, first + count)]
    return torch.from_numpy(np.stack(rows))
