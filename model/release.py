"""A model release: a folder with a manifest and two safetensors files, taken only if their SHA-256 agree.

manifest.json           what it is, what it was trained on, how well it does, and the SHA-256 of each file
age.safetensors         FaceAge network
survival.safetensors    FaceSurvival network (a release may lack it)
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError
from safetensors.torch import load as load_safetensors
from safetensors.torch import save as save_safetensors

from model.errors import WeightsRefused
from model.network import (
    VIT_B16,
    Biomarker,
    BiomarkerNetwork,
    NetworkConfig,
    network_of,
    published_state,
)
from model.preprocessing import INPUT_ID, PREPROCESSING_ID

MANIFEST = "manifest.json"
SHIPPED_RELEASES = Path(__file__).parent / "weights"
BIOMARKERS: tuple[Biomarker, ...] = ("age", "survival")
ARCHITECTURES = {"vit-b16": VIT_B16}


@dataclass(frozen=True)
class NetworkFile:
    """One network of a release: its file's name and SHA-256, and its shape."""

    file: str
    sha256: str
    config: NetworkConfig


@dataclass(frozen=True)
class ModelRelease:
    """What a manifest says, and where it stands."""

    folder: Path
    model_id: str
    input_id: str
    """What the networks were trained on (`model.preprocessing.INPUT_ID` at that time)."""
    networks: Mapping[Biomarker, NetworkFile]
    trained_on_synthetic: bool
    training_data: str
    intended_use: str
    licence: str
    metrics: Mapping[str, float] = field(default_factory=dict)

    @property
    def weights_sha256(self) -> str:
        """One SHA-256 for the whole release: over the biomarkers' names and their files' SHA-256."""
        lines = "".join(f"{name} {self.networks[name].sha256}\n" for name in sorted(self.networks))
        return hashlib.sha256(lines.encode()).hexdigest()

    @property
    def preprocessing_id(self) -> str:
        """The way from bytes to network input that this code takes; the other half of a score's key."""
        return PREPROCESSING_ID

    @property
    def metrics_json(self) -> str:
        """The metrics as a JSON object."""
        return json.dumps(dict(self.metrics), sort_keys=True)

    @classmethod
    def load(cls, folder: Path | str, *, verify: bool = True) -> ModelRelease:
        """Read a release's manifest and, with `verify`, compare every file with its SHA-256.

        Without `verify` the files are only compared when their weights are read. Raises WeightsRefused where the
        folder, manifest or a file is missing, malformed, or does not have the SHA-256 that the manifest states.
        """
        folder = Path(folder)
        release = _from_manifest(folder, _read_manifest(folder))
        for entry in release.networks.values():
            if not (folder / entry.file).is_file():
                raise WeightsRefused(f"model {release.model_id}: {entry.file} is missing")
            if verify:
                release._refuse_unless_equal(entry, _sha256_of(folder / entry.file))
        return release

    def network(self, biomarker: Biomarker) -> BiomarkerNetwork:
        """Build one network in float32 and evaluation mode from bytes whose SHA-256 was compared.

        Raises WeightsRefused where the release lacks it, or where the file was altered, is no safetensors file, or
        does not fit the shape that the manifest states.
        """
        if biomarker not in self.networks:
            raise WeightsRefused(f"model {self.model_id} has no {biomarker} network")
        entry = self.networks[biomarker]
        content = (self.folder / entry.file).read_bytes()
        self._refuse_unless_equal(entry, hashlib.sha256(content).hexdigest())
        try:
            state = {key: value.float() for key, value in load_safetensors(content).items()}
            network = network_of(entry.config, state)
        except (SafetensorError, RuntimeError, ValueError) as error:
            raise WeightsRefused(f"model {self.model_id}: {entry.file} does not fit its manifest") from error
        return network.eval().requires_grad_(False)

    def _refuse_unless_equal(self, entry: NetworkFile, sha256: str) -> None:
        if sha256 != entry.sha256:
            raise WeightsRefused(f"model {self.model_id}: {entry.file} does not have the SHA-256 of the manifest")


def save_release(
    folder: Path | str,
    networks: Mapping[Biomarker, BiomarkerNetwork],
    *,
    model_id: str,
    trained_on_synthetic: bool,
    training_data: str,
    intended_use: str,
    licence: str = "Apache-2.0",
    metrics: Mapping[str, float] | None = None,
    dtype: torch.dtype = torch.float32,
) -> ModelRelease:
    """Write a release, its manifest last, and read it back. `dtype` is how weights are stored (float32 or bfloat16)."""
    folder = Path(folder)
    folder.mkdir(parents=True, exist_ok=True)
    entries: dict[str, Any] = {}
    for biomarker, network in networks.items():
        state = {key: value.detach().to("cpu", dtype).contiguous() for key, value in published_state(network).items()}
        # One entry only: safetensors writes several in random order, and equal weights must give equal bytes.
        content = save_safetensors(state, metadata={"biomarker": biomarker})
        file = f"{biomarker}.safetensors"
        _write_atomically(folder / file, content)
        sha256 = hashlib.sha256(content).hexdigest()
        entries[biomarker] = {"file": file, "sha256": sha256, "config": network.config.to_dict()}
    manifest = {
        "model_id": model_id,
        "input_id": INPUT_ID,
        "trained_with_preprocessing_id": PREPROCESSING_ID,
        "networks": entries,
        "trained_on_synthetic": trained_on_synthetic,
        "training_data": training_data,
        "intended_use": intended_use,
        "licence": licence,
        "metrics": dict(metrics or {}),
    }
    _write_atomically(folder / MANIFEST, (json.dumps(manifest, indent=2) + "\n").encode())
    return ModelRelease.load(folder)


def random_release(folder: Path | str, *, architecture: str = "vit-b16", seed: int = 0) -> ModelRelease:
    """Write a release with random weights, for measuring speed: its scores mean nothing. Deterministic by seed."""
    shape = ARCHITECTURES[architecture]
    networks: dict[Biomarker, BiomarkerNetwork] = {}
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        networks["age"] = BiomarkerNetwork(NetworkConfig(**{**asdict(shape), "output_mean": 60.0, "output_sd": 15.0}))
        networks["survival"] = BiomarkerNetwork(shape)
    return save_release(
        folder,
        networks,
        model_id=f"random-{architecture}-{seed}",
        trained_on_synthetic=True,
        training_data="none: random weights",
        intended_use="measuring speed; its scores mean nothing",
    )


def find_release(name_or_path: str) -> ModelRelease:
    """A shipped release by name, or any release by its folder's path. Raises WeightsRefused where there is none."""
    shipped = SHIPPED_RELEASES / name_or_path
    if (shipped / MANIFEST).is_file() and shipped.resolve().parent == SHIPPED_RELEASES.resolve():
        return ModelRelease.load(shipped)
    return ModelRelease.load(name_or_path)


def _read_manifest(folder: Path) -> dict[str, Any]:
    try:
        manifest = json.loads((folder / MANIFEST).read_text(encoding="utf-8"))
    except FileNotFoundError as error:
        raise WeightsRefused(f"no model release in {folder.name}: {MANIFEST} is missing") from error
    except (OSError, ValueError) as error:
        raise WeightsRefused(f"the manifest in {folder.name} cannot be read") from error
    if not isinstance(manifest, dict):
        raise WeightsRefused(f"the manifest in {folder.name} is not an object")
    return manifest


def _from_manifest(folder: Path, manifest: dict[str, Any]) -> ModelRelease:
    try:
        networks = {name: _network_file(folder, manifest["networks"][name]) for name in manifest["networks"]}
        release = ModelRelease(
            folder=folder,
            model_id=str(manifest["model_id"]),
            input_id=str(manifest["input_id"]),
            networks=networks,
            trained_on_synthetic=bool(manifest["trained_on_synthetic"]),
            training_data=str(manifest["training_data"]),
            intended_use=str(manifest["intended_use"]),
            licence=str(manifest["licence"]),
            metrics=dict(manifest["metrics"]),
        )
    except (KeyError, TypeError, AttributeError, ValueError) as error:
        raise WeightsRefused(f"the manifest in {folder.name} is incomplete or malformed") from error
    if "age" not in networks or set(networks) - set(BIOMARKERS):
        raise WeightsRefused(f"model {release.model_id} must have an age network and may have a survival network")
    if release.input_id != INPUT_ID:
        raise WeightsRefused(f"model {release.model_id} was trained on input {release.input_id}, not {INPUT_ID}")
    return release


def _network_file(folder: Path, entry: dict[str, Any]) -> NetworkFile:
    file = str(entry["file"])
    if Path(file).name != file or Path(file).suffix != ".safetensors":
        raise WeightsRefused(f"the manifest in {folder.name} names a file that is not a safetensors file beside it")
    return NetworkFile(file=file, sha256=str(entry["sha256"]), config=NetworkConfig(**entry["config"]))


def _sha256_of(path: Path) -> str:
    with path.open("rb") as stream:
        return hashlib.file_digest(stream, "sha256").hexdigest()


def _write_atomically(path: Path, content: bytes) -> None:
    unfinished = path.with_suffix(path.suffix + ".unfinished")
    unfinished.write_bytes(content)
    unfinished.replace(path)
