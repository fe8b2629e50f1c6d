"""The manifest of a model release: what its networks are, where they come from, and the SHA-256 of each file."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any, Literal, get_args

from model.errors import WeightsRefused
from model.network import Biomarker, NetworkConfig
from model.preprocessing import INPUT_ID

MANIFEST = "manifest.json"

Kind = Biomarker | Literal["face"]
"""What a network of a release is: FaceAge, FaceSurvival, or a bare FAHR-Face encoder to start fine-tuning from."""

BIOMARKERS: tuple[Biomarker, ...] = get_args(Biomarker)
KINDS: tuple[Kind, ...] = (*BIOMARKERS, "face")


@dataclass(frozen=True)
class Source:
    """Where a network's weights come from: trained by this product, or imported from a file."""

    origin: Literal["trained", "imported"] = "trained"
    file_sha256: str | None = None
    """SHA-256 of the file that was imported."""
    layout: str | None = None
    """How that file named its weights: hugging-face, or mae (also timm's names)."""
    notes: tuple[str, ...] = ()
    """What the import left out or changed, in words."""


@dataclass(frozen=True)
class Bfloat16Parity:
    """How far bfloat16 takes a network's output from float32's (`model.parity` measures it)."""

    faces: int
    """Aligned faces, none of which taught the network, over which it was measured."""
    largest: float
    """Largest absolute difference, in the network's unit (years, or log-risk), rounded up."""
    mean: float
    """Mean absolute difference, likewise."""


@dataclass(frozen=True)
class NetworkFile:
    """One network of a release: its file's name and SHA-256, its shape, its source, and its parity where measured."""

    file: str
    sha256: str
    config: NetworkConfig
    source: Source = Source()
    bfloat16: Bfloat16Parity | None = None
    """None: not measured, so that no CPU scores with it in bfloat16."""


@dataclass(frozen=True)
class Manifest:
    """What a release says of itself."""

    model_id: str
    input_id: str
    """What the networks were trained on (`model.preprocessing.INPUT_ID` at that time)."""
    trained_with_preprocessing_id: str
    networks: Mapping[Kind, NetworkFile]
    trained_on_synthetic: bool
    training_data: str
    intended_use: str
    licence: str
    metrics: Mapping[str, float] = field(default_factory=dict)

    @property
    def biomarkers(self) -> tuple[Biomarker, ...]:
        """The networks that score photographs, in a fixed order."""
        return tuple(name for name in BIOMARKERS if name in self.networks)

    @property
    def weights_sha256(self) -> str:
        """One SHA-256 for the whole release: over its networks' names and their files' SHA-256."""
        lines = "".join(f"{name} {self.networks[name].sha256}\n" for name in sorted(self.networks))
        return hashlib.sha256(lines.encode()).hexdigest()

    @property
    def metrics_json(self) -> str:
        """The metrics as a JSON object."""
        return json.dumps(dict(self.metrics), sort_keys=True)

    def to_json(self) -> str:
        """As it stands in `manifest.json`."""
        told = {name: getattr(self, name) for name in Manifest.__dataclass_fields__}
        told["networks"] = {name: asdict(entry) for name, entry in self.networks.items()}
        return json.dumps(told, indent=2) + "\n"


def read_manifest(folder: Path) -> Manifest:
    """Read the manifest of the release in `folder`.

    Raises WeightsRefused where it is missing, malformed or incomplete, names a file that is not a safetensors file
    beside it, has no network or an unknown one, or tells of networks trained on another input.
    """
    told = _parsed(folder)
    try:
        manifest = Manifest(
            model_id=str(told["model_id"]),
            input_id=str(told["input_id"]),
            trained_with_preprocessing_id=str(told["trained_with_preprocessing_id"]),
            networks={name: _network_file(folder, entry) for name, entry in told["networks"].items()},
            trained_on_synthetic=bool(told["trained_on_synthetic"]),
            training_data=str(told["training_data"]),
            intended_use=str(told["intended_use"]),
            licence=str(told["licence"]),
            metrics=dict(told["metrics"]),
        )
    except (KeyError, TypeError, AttributeError, ValueError) as error:
        raise WeightsRefused(f"the manifest in {folder.name} is incomplete or malformed") from error
    if not manifest.networks or set(manifest.networks) - set(KINDS):
        raise WeightsRefused(f"model {manifest.model_id} must hold networks of {', '.join(KINDS)}, one at least")
    if manifest.input_id != INPUT_ID:
        raise WeightsRefused(f"model {manifest.model_id} was trained on input {manifest.input_id}, not {INPUT_ID}")
    return manifest


def _parsed(folder: Path) -> dict[str, Any]:
    try:
        told = json.loads((folder / MANIFEST).read_text(encoding="utf-8"))
    except (FileNotFoundError, NotADirectoryError) as error:
        raise WeightsRefused(f"no model release in {folder.name}: {MANIFEST} is missing") from error
    except (OSError, ValueError) as error:
        raise WeightsRefused(f"the manifest in {folder.name} cannot be read") from error
    if not isinstance(told, dict):
        raise WeightsRefused(f"the manifest in {folder.name} is not an object")
    return told


def _network_file(folder: Path, entry: dict[str, Any]) -> NetworkFile:
    file = str(entry["file"])
    if Path(file).name != file or Path(file).suffix != ".safetensors":
        raise WeightsRefused(f"the manifest in {folder.name} names a file that is not a safetensors file beside it")
    source = dict(entry.get("source", {}))
    source["notes"] = tuple(source.get("notes", ()))
    parity = entry.get("bfloat16")
    return NetworkFile(
        file=file,
        sha256=str(entry["sha256"]),
        config=NetworkConfig(**entry["config"]),
        source=Source(**source),
        bfloat16=parity and Bfloat16Parity(int(parity["faces"]), float(parity["largest"]), float(parity["mean"])),
    )
