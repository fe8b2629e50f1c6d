"""The masked autoencoder learns, hides three in four, and its encoder is the one that scores."""

from __future__ import annotations

from io import BytesIO
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image
from transformers.models.vit_mae.modeling_vit_mae import build_2d_sinusoidal_position_embedding

from model.network import BiomarkerNetwork
from model.preprocessing import to_network_input
from model.training.journal import Journal
from model.training.masked import (
    MaskedAutoencoder,
    masked_loss,
    pretrain,
    published_recipe,
    reconstructions,
    sine_positions,
)
from model.training.recipe import Recipe
from model.training.sizes import SIZES
from tests.model.training.faces import SMALL, SMALL_SIZE, Faces


def drawn_pixels(count: int) -> np.ndarray:
    """Faces with large shapes in them: something that seen patches tell of hidden ones."""
    down, across = np.mgrid[0:112, 0:112] / 112
    phases = np.random.default_rng(0).uniform(0, 6, (count, 2))
    waves = [np.sin(6 * across + a) + np.cos(5 * down + b) for a, b in phases]
    return np.repeat((np.stack(waves)[..., None] * 60 + 128).astype(np.uint8), 3, axis=3)


def test_it_learns_what_hidden_patches_hold(tmp_path: Path) -> None:
    faces = Faces()
    faces.pixels = drawn_pixels(96)
    torch.manual_seed(0)
    network = MaskedAutoencoder(SMALL_SIZE)
    with torch.inference_mode():
        before = masked_loss(network, faces.pixels)
    pretrain(network, faces.source_of(faces.rows), Recipe(epochs=80, peak_rate=5e-3), tmp_path)
    with torch.inference_mode():
        assert masked_loss(network, faces.pixels) < 0.6 * before
    assert len(Journal(tmp_path).losses()) == 80 * 4


def test_every_patch_knows_its_place_as_in_the_library_s_own_positions() -> None:
    """A network built anew has zeros there in transformers 5.23: then nothing can be learned about hidden patches."""
    network = MaskedAutoencoder(SMALL_SIZE)
    by_row_then_column = build_2d_sinusoidal_position_embedding(7, 7, 32, cls_token=True)[None]
    expected = by_row_then_column.roll(16, dims=2)  # He et al.'s code has the column's half first
    torch.testing.assert_close(sine_positions(32, 7), expected)
    torch.testing.assert_close(network.mae.vit.embeddings.position_embeddings.data, expected)
    torch.testing.assert_close(network.mae.decoder.decoder_pos_embed.data, expected)
    torch.testing.assert_close(network.encoder_state()["embeddings.position_embeddings"], expected)
    with pytest.raises(ValueError, match="multiple of four"):
        sine_positions(30, 7)


def test_three_patches_in_four_are_hidden_and_the_others_stay() -> None:
    network = MaskedAutoencoder(SMALL_SIZE)
    faces = to_network_input(list(drawn_pixels(4)))
    painted, hidden = network.painted(faces, torch.rand(4, 49))
    share = hidden.flatten(1).mean(1)
    assert torch.allclose(share, torch.full((4,), 37 / 49))
    assert torch.equal(painted[hidden == 0], faces[hidden == 0])
    assert not torch.allclose(painted[hidden > 0], faces[hidden > 0], atol=0.05)


def test_its_encoder_says_in_a_scoring_network_what_it_said_in_training() -> None:
    network = MaskedAutoencoder(SMALL_SIZE).eval()
    scoring = BiomarkerNetwork(SMALL).eval()
    scoring.vit.load_state_dict(network.encoder_state())
    faces = to_network_input(list(drawn_pixels(3)))
    network.mae.vit.config.mask_ratio = 0.0
    with torch.inference_mode():
        everything = network.mae.vit(faces, noise=torch.arange(49.0).repeat(3, 1)).last_hidden_state
        torch.testing.assert_close(everything, scoring.vit(faces).last_hidden_state, atol=1e-5, rtol=0)


def test_reconstructions_are_a_picture_of_three_columns() -> None:
    picture = Image.open(BytesIO(reconstructions(MaskedAutoencoder(SMALL_SIZE), drawn_pixels(2))))
    assert picture.size == (2 * 3 * 112, 2 * 2 * 112)


def test_the_published_recipe() -> None:
    recipe = published_recipe(800, 4096)
    assert recipe.peak_rate == 1.5e-4 * 16 and recipe.betas == (0.9, 0.95) and recipe.weight_decay == 0.05
    assert recipe.warm_up_share * 800 == 40
    base, large = SIZES["base"], SIZES["large"]
    assert (base.decoder.width, base.decoder.layers, base.decoder.heads) == (512, 8, 16)
    assert (base.layer_decay, base.drop_path, large.layer_decay, large.drop_path) == (0.65, 0.1, 0.75, 0.2)
