"""Imported encoders compute what the programs they come from compute, to 1e-5."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch
from safetensors.torch import save_file
from timm.layers import resample_abs_pos_embed
from torch import Tensor

from model.network import BiomarkerNetwork, network_of
from model.weights_import.convert import Converted, convert
from model.weights_import.process import import_file
from model.weights_import.reading import sha256_of
from model.weights_import.wish import Wish
from tests.model.weights_import.checkpoints import (
    SMALL,
    VIT_B,
    FaceAgeNetwork,
    MaskedAutoencoder,
    Size,
    hugging_face_mae,
    old_names,
    timm_vit,
    with_a_life,
)

FACES = torch.randn(2, 3, 112, 112, generator=torch.Generator().manual_seed(1))


def network(converted: Converted) -> BiomarkerNetwork:
    state = dict(converted.state)
    if "head.weight" not in state:
        state |= {"head.weight": torch.zeros(1, converted.config.hidden_size), "head.bias": torch.zeros(1)}
    return network_of(converted.config, state).eval()


def face(size: Size = SMALL, **options: object) -> Wish:
    return Wish("face", heads=None if size is VIT_B else size.heads, **options)


def encoded(converted: Converted, faces: Tensor = FACES) -> Tensor:
    with torch.no_grad():
        return network(converted).vit(faces).last_hidden_state


def assert_agrees(ours: Tensor, theirs: Tensor) -> None:
    assert theirs.abs().max() > 0.5
    torch.testing.assert_close(ours, theirs, rtol=0, atol=1e-5)


def unmasked(mae: object, faces: Tensor = FACES) -> Tensor:
    """What ViTMAE encodes with nothing masked and its patches left in order."""
    patches = mae.config.image_size**2 // mae.config.patch_size**2
    with torch.no_grad():
        noise = torch.arange(patches, dtype=torch.float).expand(len(faces), patches)
        return mae.vit(faces, noise=noise).last_hidden_state


@pytest.mark.parametrize("size", [SMALL, Size(patch=8, layers=2), VIT_B])
def test_the_mae_release(size: Size) -> None:
    theirs = with_a_life(MaskedAutoencoder(size))
    converted = convert({"model": theirs.state_dict(), "epoch": 799}, face(size))
    assert (converted.config.hidden_size, converted.config.layers, converted.config.patch_px) == (
        size.width,
        size.layers,
        size.patch,
    )
    with torch.no_grad():
        assert_agrees(encoded(converted), theirs(FACES))


@pytest.mark.parametrize("size", [SMALL, VIT_B])
def test_timm(size: Size) -> None:
    theirs = timm_vit(size)
    converted = convert(theirs.state_dict(), face(size))
    with torch.no_grad():
        assert_agrees(encoded(converted), theirs.forward_features(FACES))


def test_hugging_face_mae_under_old_and_new_names() -> None:
    theirs = hugging_face_mae()
    for state in (theirs.state_dict(), old_names(theirs.state_dict())):
        assert_agrees(encoded(convert({"model_state_dict": state}, face())), unmasked(theirs))


def test_a_whole_face_age_network_gives_the_same_years() -> None:
    theirs = with_a_life(FaceAgeNetwork())
    wish = Wish("age", heads=3, output_mean=61.5, output_sd=14.0)
    ours = network(convert({"model_state_dict": theirs.state_dict()}, wish))
    with torch.no_grad():
        torch.testing.assert_close(ours(FACES), theirs(FACES) * 14.0 + 61.5, rtol=0, atol=1e-4)


def test_a_whole_timm_network_gives_the_same_number() -> None:
    theirs = timm_vit()
    ours = network(convert(theirs.state_dict(), Wish("survival", heads=3)))
    with torch.no_grad():
        torch.testing.assert_close(ours(FACES), theirs(FACES)[:, 0], rtol=0, atol=1e-5)


@pytest.mark.parametrize("prefix", ["module.", "_orig_mod.", "module._orig_mod.", "backbone.", ""])
@pytest.mark.parametrize("bare", [False, True])
def test_what_stands_before_the_names_does_not_matter(prefix: str, bare: bool) -> None:
    theirs = with_a_life(FaceAgeNetwork())
    state = theirs.vit.state_dict() if bare else theirs.state_dict()
    converted = convert({prefix + key: value for key, value in state.items()}, face())
    with torch.no_grad():
        assert_agrees(encoded(converted), theirs.vit(FACES).last_hidden_state)


def test_an_encoder_without_query_and_key_biases() -> None:
    theirs = timm_vit(qkv_bias=False)
    with torch.no_grad():
        assert_agrees(encoded(convert(theirs.state_dict(), face())), theirs.forward_features(FACES))


def test_an_encoder_of_a_network_that_reads_the_mean_of_the_patches() -> None:
    theirs = timm_vit(global_pool="avg")
    converted = convert(theirs.state_dict(), face())
    with torch.no_grad():
        assert_agrees(encoded(converted), theirs.fc_norm(theirs.forward_features(FACES)))


def test_half_precision_is_widened() -> None:
    theirs = timm_vit()
    converted = convert({key: value.bfloat16() for key, value in theirs.state_dict().items()}, face())
    theirs.load_state_dict({key: value.bfloat16().float() for key, value in theirs.state_dict().items()})
    with torch.no_grad():
        assert_agrees(encoded(converted), theirs.forward_features(FACES))


def test_a_network_that_was_fed_otherwise_normalised_pixels() -> None:
    theirs = timm_vit()
    mean, sd = (0.485, 0.456, 0.406), (0.229, 0.224, 0.225)
    converted = convert(theirs.state_dict(), face(pixel_mean=mean, pixel_sd=sd))
    pixels = torch.rand(2, 3, 112, 112, generator=torch.Generator().manual_seed(2))
    fed = (pixels - torch.tensor(mean)[:, None, None]) / torch.tensor(sd)[:, None, None]
    with torch.no_grad():
        assert_agrees(encoded(converted, (pixels - 0.5) / 0.5), theirs.forward_features(fed))


def test_positions_are_interpolated_as_timm_does_and_only_when_asked() -> None:
    theirs = timm_vit(Size(image=224))
    converted = convert(theirs.state_dict(), face(resize_positions=True))
    expected = resample_abs_pos_embed(theirs.pos_embed.detach(), new_size=[7, 7], num_prefix_tokens=1)
    torch.testing.assert_close(converted.state["vit.embeddings.position_embeddings"], expected, rtol=0, atol=1e-6)
    assert any("interpolated" in note for note in converted.notes)


def test_the_published_file_at_vit_b_size_through_the_limited_process(tmp_path: Path) -> None:
    """As `fahr_face.pth` is laid out: weights of a parallel module, and an optimizer's state beside them."""
    theirs = hugging_face_mae(VIT_B)
    state = {f"module.{key}": value for key, value in old_names(theirs.state_dict()).items()}
    file = tmp_path / "fahr_face.pth"
    optimizer = {"state": {0: {"step": torch.tensor(9.0), "exp_avg": torch.zeros(768)}}, "param_groups": [{"lr": 1e-4}]}
    torch.save({"model_state_dict": state, "optimizer_state_dict": optimizer, "epoch": 100}, file)
    imported = import_file(file, Wish("face"), scratch=tmp_path, expected_sha256=sha256_of(file))
    assert (imported.network.config.heads, imported.network.config.mlp_size) == (12, 3072)
    assert (imported.source.origin, imported.source.file_sha256) == ("imported", sha256_of(file))
    with torch.no_grad():
        assert_agrees(imported.network.vit(FACES[:1]).last_hidden_state, unmasked(theirs, FACES[:1]))
    assert [path.name for path in tmp_path.iterdir()] == ["fahr_face.pth"]


def test_a_safetensors_file_through_the_limited_process(tmp_path: Path) -> None:
    theirs = with_a_life(FaceAgeNetwork(pooling_layer=True))
    file = tmp_path / "faceage.safetensors"
    save_file(old_names(theirs.state_dict()), file)
    imported = import_file(file, Wish("age", heads=3), scratch=tmp_path)
    assert any("pooling layer" in note for note in imported.source.notes)
    with torch.no_grad():
        torch.testing.assert_close(imported.network(FACES), theirs(FACES), rtol=0, atol=1e-5)
