"""Releases: what is loaded is what was saved, bit for bit or not at all."""

from __future__ import annotations

import json
import pickle
from collections.abc import Callable
from pathlib import Path

import pytest
import torch
from safetensors import safe_open

from model import release as release_module
from model.errors import WeightsRefused
from model.network import Biomarker, BiomarkerNetwork, NetworkConfig
from model.preprocessing import INPUT_ID, PREPROCESSING_ID
from model.release import ModelRelease, find_release, save_release

SMALL = NetworkConfig(hidden_size=32, layers=2, heads=2, mlp_size=64)


def small_networks() -> dict[Biomarker, BiomarkerNetwork]:
    torch.manual_seed(0)
    return {"age": BiomarkerNetwork(SMALL).eval(), "survival": BiomarkerNetwork(SMALL).eval()}


def save_small(folder: Path, **options: object) -> ModelRelease:
    description = {
        "model_id": "small-1",
        "trained_on_synthetic": True,
        "training_data": "nothing",
        "intended_use": "tests",
        "metrics": {"age_mae_years": 4.2},
    }
    return save_release(folder, small_networks(), **{**description, **options})  # type: ignore[arg-type]


def test_round_trip(tmp_path: Path) -> None:
    networks = small_networks()
    saved = save_small(tmp_path)
    loaded = ModelRelease.load(tmp_path)
    assert loaded == saved
    assert (loaded.model_id, loaded.trained_on_synthetic, loaded.input_id) == ("small-1", True, INPUT_ID)
    assert loaded.preprocessing_id == PREPROCESSING_ID
    assert json.loads(loaded.metrics_json) == {"age_mae_years": 4.2}
    faces = torch.randn(2, 3, 112, 112)
    for biomarker in ("age", "survival"):
        network = loaded.network(biomarker)
        assert not network.training
        torch.testing.assert_close(network(faces), networks[biomarker](faces))


def test_bfloat16_weights_halve_the_file_and_load_as_float32(tmp_path: Path) -> None:
    save_small(tmp_path / "full")
    half = save_small(tmp_path / "half", dtype=torch.bfloat16)
    sizes = [(tmp_path / name / "age.safetensors").stat().st_size for name in ("full", "half")]
    assert sizes[1] < 0.6 * sizes[0]
    assert next(half.network("age").parameters()).dtype == torch.float32


def test_files_are_plain_safetensors(tmp_path: Path) -> None:
    save_small(tmp_path)
    with safe_open(tmp_path / "age.safetensors", framework="pt") as file:
        assert file.metadata() == {"biomarker": "age"}
        assert "vit.encoder.layer.1.output.dense.weight" in set(file.keys())


def test_weights_sha256_names_both_files(tmp_path: Path) -> None:
    first = save_small(tmp_path / "a")
    again = save_small(tmp_path / "b")
    assert first.weights_sha256 == again.weights_sha256
    networks = small_networks()
    with torch.no_grad():
        networks["survival"].head.bias += 1
    other = save_release(
        tmp_path / "c",
        networks,
        model_id="small-1",
        trained_on_synthetic=True,
        training_data="nothing",
        intended_use="tests",
    )
    assert other.weights_sha256 != first.weights_sha256


def flip_a_byte(folder: Path) -> None:
    content = bytearray((folder / "survival.safetensors").read_bytes())
    content[-1] ^= 1
    (folder / "survival.safetensors").write_bytes(content)


def change_manifest(folder: Path, change: Callable[[dict], object]) -> None:
    manifest = json.loads((folder / "manifest.json").read_text())
    change(manifest)
    (folder / "manifest.json").write_text(json.dumps(manifest))


@pytest.mark.parametrize(
    "damage",
    [
        flip_a_byte,
        lambda folder: (folder / "age.safetensors").unlink(),
        lambda folder: (folder / "manifest.json").unlink(),
        lambda folder: (folder / "manifest.json").write_text("{"),
        lambda folder: (folder / "manifest.json").write_text("[]"),
        lambda folder: change_manifest(folder, lambda m: m.pop("networks")),
        lambda folder: change_manifest(folder, lambda m: m["networks"].clear()),
        lambda folder: change_manifest(folder, lambda m: m["networks"]["age"].update(source={"made_by": "nobody"})),
        lambda folder: change_manifest(folder, lambda m: m["networks"].update(weight=m["networks"]["age"])),
        lambda folder: change_manifest(folder, lambda m: m["networks"]["age"].update(file="../age.safetensors")),
        lambda folder: change_manifest(folder, lambda m: m["networks"]["age"].update(file="age.pth")),
        lambda folder: change_manifest(folder, lambda m: m["networks"]["age"]["config"].update(width=9)),
        lambda folder: change_manifest(folder, lambda m: m.update(input_id="retina224-00000000")),
    ],
)
def test_a_damaged_release_is_refused(tmp_path: Path, damage: Callable[[Path], object]) -> None:
    save_small(tmp_path)
    damage(tmp_path)
    with pytest.raises(WeightsRefused):
        ModelRelease.load(tmp_path)


def test_weights_altered_after_loading_are_refused_when_read(tmp_path: Path) -> None:
    release = save_small(tmp_path)
    flip_a_byte(tmp_path)
    ModelRelease.load(tmp_path, verify=False)
    with pytest.raises(WeightsRefused, match="SHA-256"):
        release.network("survival")


def test_a_shape_that_does_not_fit_is_refused(tmp_path: Path) -> None:
    save_small(tmp_path)
    change_manifest(tmp_path, lambda m: m["networks"]["age"]["config"].update(layers=3))
    with pytest.raises(WeightsRefused, match="does not fit"):
        ModelRelease.load(tmp_path).network("age")


def test_a_pickle_is_never_loaded(tmp_path: Path) -> None:
    """Even with the right SHA-256, a file that would run code on loading does not."""
    import hashlib

    save_small(tmp_path)
    trap = pickle.dumps(Trap(str(tmp_path / "sprung")))
    (tmp_path / "age.safetensors").write_bytes(trap)
    change_manifest(tmp_path, lambda m: m["networks"]["age"].update(sha256=hashlib.sha256(trap).hexdigest()))
    with pytest.raises(WeightsRefused):
        ModelRelease.load(tmp_path).network("age")
    assert not (tmp_path / "sprung").exists()


class Trap:
    def __init__(self, path: str) -> None:
        self.path = path

    def __reduce__(self) -> tuple[object, tuple[str]]:
        return Path.mkdir, (Path(self.path),)  # type: ignore[return-value]


def test_a_release_without_survival(tmp_path: Path) -> None:
    age_only = save_release(
        tmp_path,
        {"age": small_networks()["age"]},
        model_id="age-only",
        trained_on_synthetic=True,
        training_data="nothing",
        intended_use="tests",
    )
    assert set(age_only.networks) == {"age"}
    with pytest.raises(WeightsRefused, match="no survival"):
        age_only.network("survival")


def test_an_encoder_alone_is_a_release_to_start_fine_tuning_from(tmp_path: Path) -> None:
    network = small_networks()["age"]
    release = save_release(
        tmp_path,
        {"face": network},
        model_id="face-only",
        trained_on_synthetic=True,
        training_data="nothing",
        intended_use="tests",
    )
    assert (set(release.networks), release.biomarkers) == ({"face"}, ())
    with safe_open(tmp_path / "face.safetensors", framework="pt") as file:
        assert not [key for key in file.keys() if not key.startswith("vit.")]  # noqa: SIM118
    other = BiomarkerNetwork(SMALL)
    other.vit.load_state_dict(release.encoder_state("face"))
    faces = torch.randn(2, 3, 112, 112)
    torch.testing.assert_close(other.eval().vit(faces).last_hidden_state, network.vit(faces).last_hidden_state)
    with pytest.raises(WeightsRefused, match="no age"):
        release.network("age")


def test_the_encoder_of_any_network_can_be_taken(tmp_path: Path) -> None:
    release = save_small(tmp_path)
    other = BiomarkerNetwork(SMALL)
    other.vit.load_state_dict(release.encoder_state("survival"))
    expected = release.network("survival").vit.state_dict()
    assert all(torch.equal(value, expected[key]) for key, value in other.vit.state_dict().items())


def test_a_release_takes_over_the_networks_of_another_byte_for_byte(tmp_path: Path) -> None:
    base = save_small(tmp_path / "base", dtype=torch.bfloat16)
    more = save_release(
        tmp_path / "more",
        {"face": small_networks()["age"]},
        base=base,
        model_id="more-1",
        trained_on_synthetic=True,
        training_data="nothing",
        intended_use="tests",
    )
    assert set(more.networks) == {"age", "survival", "face"}
    for biomarker in ("age", "survival"):
        assert more.networks[biomarker] == base.networks[biomarker]
        assert more.content(biomarker) == base.content(biomarker)
    flip_a_byte(tmp_path / "base")
    with pytest.raises(WeightsRefused, match="SHA-256"):
        save_release(
            tmp_path / "again",
            {},
            base=base,
            model_id="again",
            trained_on_synthetic=True,
            training_data="nothing",
            intended_use="tests",
        )


def test_find_by_name_or_path(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(release_module, "SHIPPED_RELEASES", tmp_path)
    save_small(tmp_path / "shipped-1")
    assert find_release("shipped-1").model_id == "small-1"
    assert find_release(str(tmp_path / "shipped-1")).model_id == "small-1"
    with pytest.raises(WeightsRefused):
        find_release("another")
    save_small(tmp_path / "of_the_hospital" / "another")
    assert find_release("another", folders=[tmp_path / "of_the_hospital"]).folder.name == "another"
    with pytest.raises(WeightsRefused):
        find_release("../shipped-1", folders=[tmp_path / "of_the_hospital"])


def test_building_networks_leaves_the_callers_random_numbers_alone(tmp_path: Path) -> None:
    release = save_small(tmp_path)
    torch.manual_seed(5)
    expected = torch.rand(3)
    torch.manual_seed(5)
    release.network("age")
    torch.testing.assert_close(torch.rand(3), expected)
