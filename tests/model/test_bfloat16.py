"""What rounds to bfloat16 and what does not, and that centring the tokens first is worth its cost."""

from __future__ import annotations

import copy

import pytest
import torch
from torch import nn

from model.bfloat16 import CentredLinear, compute_in_bfloat16
from model.network import BiomarkerNetwork, NetworkConfig


def _network(layers: int) -> BiomarkerNetwork:
    torch.manual_seed(3)
    return BiomarkerNetwork(NetworkConfig(hidden_size=32, layers=layers, heads=2, mlp_size=64)).eval()


@pytest.mark.parametrize("layers", [1, 2, 12, 13])
def test_the_output_is_float32_and_close(layers: int) -> None:
    network, faces = _network(layers), torch.randn(3, 3, 112, 112)
    exact = network(faces)
    assert compute_in_bfloat16(network) is network
    rounded = network(faces)
    assert rounded.dtype is torch.float32
    torch.testing.assert_close(rounded, exact, rtol=0, atol=0.05)
    assert not torch.equal(rounded, exact), "nothing was rounded"


def test_the_first_layer_of_twelve_the_norms_and_the_head_stay_exact() -> None:
    exact = _network(12)
    rounded = compute_in_bfloat16(copy.deepcopy(exact))
    faces = torch.randn(2, 3, 112, 112)
    hidden = exact.vit.embeddings(faces)
    torch.testing.assert_close(rounded.vit.embeddings(faces), hidden, rtol=0, atol=0)
    torch.testing.assert_close(rounded.vit.layers[0](hidden), exact.vit.layers[0](hidden), rtol=0, atol=0)
    assert not torch.equal(rounded.vit.layers[1](hidden), exact.vit.layers[1](hidden))
    kept = (rounded.head, rounded.vit.layernorm, rounded.vit.layers[5].layernorm_before)
    assert {module.weight.dtype for module in kept} == {torch.float32}


def test_several_maps_of_the_same_tokens_are_one_product() -> None:
    torch.manual_seed(4)
    maps = nn.Linear(16, 8), nn.Linear(16, 24)
    tokens = torch.randn(2, 5, 16)
    together = CentredLinear(*maps)(tokens)
    torch.testing.assert_close(together, torch.cat([one(tokens) for one in maps], dim=-1), rtol=0, atol=0.03)


def test_what_all_tokens_share_is_not_rounded() -> None:
    torch.manual_seed(5)
    one = nn.Linear(64, 64)
    tokens = 50 + torch.randn(4, 50, 64)
    exact = one(tokens)
    centred = (CentredLinear(one)(tokens) - exact).abs().mean()
    plain = (copy.deepcopy(one).bfloat16()(tokens.bfloat16()).float() - exact).abs().mean()
    assert centred < plain / 10
