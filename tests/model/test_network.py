"""The network: the published key names, the scale of its output, and agreement with Hugging Face's own model."""

from __future__ import annotations

import pytest
import torch
from transformers import ViTConfig, ViTModel

from model.network import (
    BiomarkerNetwork,
    NetworkConfig,
    load_published_state,
    published_state,
)

SMALL = NetworkConfig(hidden_size=32, layers=2, heads=2, mlp_size=64, output_mean=60.0, output_sd=15.0)


@pytest.fixture()
def network() -> BiomarkerNetwork:
    torch.manual_seed(0)
    return BiomarkerNetwork(SMALL).eval()


def test_one_number_a_face_in_years(network: BiomarkerNetwork) -> None:
    faces = torch.randn(3, 3, 112, 112)
    years = network(faces)
    assert years.shape == (3,)
    hidden = network.vit(faces).last_hidden_state[:, 0]
    torch.testing.assert_close(years, network.head(hidden)[:, 0] * 15 + 60)


def test_the_head_reads_the_class_token_of_a_plain_vit(network: BiomarkerNetwork, tmp_path: object) -> None:
    """A plain Hugging Face model, given the published weights by its own loader, computes the same encoder."""
    state = {
        key.removeprefix("vit."): value for key, value in published_state(network).items() if key.startswith("vit.")
    }
    config = ViTConfig(
        hidden_size=32,
        num_hidden_layers=2,
        num_attention_heads=2,
        intermediate_size=64,
        patch_size=16,
        image_size=112,
    )
    plain = ViTModel.from_pretrained(None, config=config, state_dict=state, add_pooling_layer=False).eval()
    faces = torch.randn(2, 3, 112, 112)
    torch.testing.assert_close(
        plain(faces).last_hidden_state, network.vit(faces).last_hidden_state, rtol=1e-4, atol=1e-5
    )


def test_key_names_are_the_published_ones(network: BiomarkerNetwork) -> None:
    keys = set(published_state(network))
    for key in (
        "vit.embeddings.cls_token",
        "vit.embeddings.patch_embeddings.projection.weight",
        "vit.encoder.layer.0.attention.attention.query.weight",
        "vit.encoder.layer.1.attention.output.dense.bias",
        "vit.encoder.layer.1.intermediate.dense.weight",
        "vit.encoder.layer.1.output.dense.weight",
        "vit.encoder.layer.0.layernorm_before.weight",
        "vit.layernorm.weight",
        "head.weight",
    ):
        assert key in keys
    assert len(keys) == len(network.state_dict())


def test_published_state_makes_the_round_trip(network: BiomarkerNetwork) -> None:
    torch.manual_seed(1)
    other = BiomarkerNetwork(SMALL).eval()
    faces = torch.randn(2, 3, 112, 112)
    assert not torch.allclose(other(faces), network(faces))
    load_published_state(other, published_state(network))
    torch.testing.assert_close(other(faces), network(faces))


def test_a_missing_weight_is_refused(network: BiomarkerNetwork) -> None:
    state = published_state(network)
    del state["head.bias"]
    with pytest.raises(RuntimeError, match=r"head\.bias"):
        load_published_state(network, state)


@pytest.mark.parametrize("layers", [1, 2, 12])
def test_computing_only_the_class_token_changes_nothing(layers: int) -> None:
    torch.manual_seed(2)
    network = BiomarkerNetwork(NetworkConfig(hidden_size=48, layers=layers, heads=3, mlp_size=96)).eval()
    faces = torch.randn(3, 3, 112, 112)
    whole = network.head(network.vit(faces).last_hidden_state[:, 0]).squeeze(-1)
    torch.testing.assert_close(network(faces), whole, rtol=1e-4, atol=1e-5)
