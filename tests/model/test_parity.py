"""How far bfloat16 is from float32: measured as scoring computes, stated in the manifest, and small for what ships."""

from __future__ import annotations

import json
import math
from pathlib import Path

import numpy as np
import pytest
import torch

from model.bfloat16 import compute_in_bfloat16
from model.errors import WeightsRefused
from model.manifest import MANIFEST
from model.network import BiomarkerNetwork, NetworkConfig
from model.parity import (
    FACES_NEEDED,
    PARITY_YEARS,
    measure_parity,
    parity_holds,
    record_parity,
)
from model.preprocessing import to_network_input
from model.release import ModelRelease, find_release, save_release
from model.training import parity
from model.training.crops import make_crops
from model.training.people import UNSEEN_SEEDS, simulate_people

SMALL = NetworkConfig(hidden_size=32, layers=3, heads=2, mlp_size=64, output_mean=60.0, output_sd=15.0)


@pytest.fixture()
def faces() -> np.ndarray:
    return np.random.default_rng(0).integers(0, 256, (10, 112, 112, 3), dtype=np.uint8)


@pytest.fixture()
def release(tmp_path: Path) -> ModelRelease:
    torch.manual_seed(0)
    return save_release(
        tmp_path / "release",
        {"age": BiomarkerNetwork(SMALL), "survival": BiomarkerNetwork(SMALL), "face": BiomarkerNetwork(SMALL)},
        model_id="small-1",
        trained_on_synthetic=True,
        training_data="nothing",
        intended_use="tests",
    )


def test_what_is_measured_is_what_the_rounded_network_gives(release: ModelRelease, faces: np.ndarray) -> None:
    network = release.network("age")
    measured = measure_parity(network, faces, batch_size=4)
    pixels = to_network_input(list(faces))
    exact = network(pixels)
    assert all(type(layer) is type(BiomarkerNetwork(SMALL).vit.layers[0]) for layer in network.vit.layers), (
        "the network that is measured stays as it was"
    )
    expected = compute_in_bfloat16(network)(pixels) - exact
    np.testing.assert_allclose(measured.differences, expected.numpy(), atol=1e-4)
    np.testing.assert_allclose(measured.outputs, exact.numpy(), atol=1e-4)
    assert 0 < measured.mean < measured.largest == pytest.approx(float(expected.abs().max()), abs=1e-4)


def test_a_network_that_is_rounded_already_is_not_measured(release: ModelRelease, faces: np.ndarray) -> None:
    with pytest.raises(ValueError, match="float32"):
        measure_parity(compute_in_bfloat16(release.network("age")), faces)


def test_a_network_whose_outputs_are_not_finite_is_refused(faces: np.ndarray) -> None:
    network = BiomarkerNetwork(SMALL)
    with torch.no_grad():
        network.head.weight.fill_(math.inf)
    with pytest.raises(WeightsRefused, match="not finite"):
        measure_parity(network, faces)


def test_the_manifest_states_a_bound_and_over_how_many_faces(release: ModelRelease, faces: np.ndarray) -> None:
    told, measured = record_parity(release, faces)
    assert set(measured) == {"age", "survival"}
    assert told.weights_sha256 == release.weights_sha256
    assert told.networks["face"] == release.networks["face"]
    for name, found in measured.items():
        stated = told.networks[name].bfloat16
        assert stated is not None and stated.faces == 10
        assert found.largest <= stated.largest <= found.largest + 1e-4
    before = (release.folder / MANIFEST).read_bytes()
    record_parity(told, faces)
    assert (release.folder / MANIFEST).read_bytes() == before


def test_a_statement_over_few_faces_allows_nothing(release: ModelRelease, faces: np.ndarray) -> None:
    told, measured = record_parity(release, faces)
    assert not parity_holds(release), "nothing was stated"
    assert measured["age"].largest <= PARITY_YEARS
    assert not parity_holds(told)
    many = np.tile(faces, (FACES_NEEDED // len(faces), 1, 1, 1))
    assert parity_holds(record_parity(told, many, batch_size=100)[0])


def test_a_statement_stays_with_its_network_and_never_passes_to_another(
    release: ModelRelease, faces: np.ndarray, tmp_path: Path
) -> None:
    told, _ = record_parity(release, faces)
    derived = save_release(
        tmp_path / "derived",
        {"age": BiomarkerNetwork(SMALL)},
        model_id="small-2",
        trained_on_synthetic=True,
        training_data="nothing",
        intended_use="tests",
        metrics=told.metrics,
        base=told,
    )
    assert derived.networks["age"].bfloat16 is None
    assert derived.networks["survival"].bfloat16 == told.networks["survival"].bfloat16 is not None


def test_a_malformed_statement_is_refused(release: ModelRelease, faces: np.ndarray) -> None:
    record_parity(release, faces)
    manifest = json.loads((release.folder / MANIFEST).read_text())
    manifest["networks"]["age"]["bfloat16"]["largest"] = "small"
    (release.folder / MANIFEST).write_text(json.dumps(manifest))
    with pytest.raises(WeightsRefused, match="malformed"):
        ModelRelease.load(release.folder)


def test_the_command_states_parity_over_drawn_faces(
    release: ModelRelease, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    parity.main([str(release.folder), "--people", "6", "--cache", str(tmp_path / "cache")])
    stated = ModelRelease.load(release.folder).networks["age"].bfloat16
    assert stated is not None and 0 < stated.faces <= 6
    told = capsys.readouterr().out
    assert f"age: {stated.faces} faces" in told
    assert "a CPU does not score with it in bfloat16" in told, "six faces say too little"


def test_the_shipped_networks_hold_parity_on_people_nobody_has_seen() -> None:
    release = find_release("fahr-demo-1")
    crops = make_crops(simulate_people(48, UNSEEN_SEEDS, 5), 1, 5)
    measured = measure_parity(release.network("age"), crops.pixels)
    stated = release.networks["age"].bfloat16
    assert measured.largest <= (stated.largest if stated is not None else PARITY_YEARS)
    assert measured.outputs.std() > 10, "a network whose output hardly varies would hold parity for nothing"
