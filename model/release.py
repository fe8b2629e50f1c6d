"""A model release: a folder with a manifest and safetensors files, taken only if their SHA-256 agree.

manifest.json           what it is, what it was trained on, how well it does, and the SHA-256 of each file
age.safetensors         FaceAge network
survival.safetensors    FaceSurvival network
face.safetensors        FAHR-Face encoder without a head, to start fine-tuning from

A release holds one of the networks at least, and is never changed once it is written: another set of weights is
another release.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, fields, replace
from pathlib import Path

import torch
from safetensors import SafetensorError
from safetensors.torch import load as load_safetensors
from safetensors.torch import save as save_safetensors
from torch import Tensor

from model.errors import WeightsRefused
from model.manifest import MANIFEST, Kind, Manifest, NetworkFile, Source, read_manifest
from model.network import VIT_B16, Biomarker, BiomarkerNetwork, NetworkConfig, network_of, published_state
from model.preprocessing import INPUT_ID, PREPROCESSING_ID

SHIPPED_RELEASES = Path(__file__).parent / "weights"
ARCHITECTURES = {"vit-b16": VIT_B16}


@dataclass(frozen=True)
class ModelRelease(Manifest):
    """What a manifest says, and where it stands."""

    folder: Path = Path()

    @property
    def preprocessing_id(self) -> str:
        """The way from bytes to network input that this code takes; the other half of a score's key."""
        return PREPROCESSING_ID

    @classmethod
    def load(cls, folder: Path | str, *, verify: bool = True) -> ModelRelease:
        """Read a release's manifest and, with `verify`, compare every file with its SHA-256.

        Without `verify` the files are only compared when their weights are read. Raises WeightsRefused where the
        folder, manifest or a file is missing, malformed, or does not have the SHA-256 that the manifest states.
        """
        folder = Path(folder)
        manifest = read_manifest(folder)
        release = cls(**{one.name: getattr(manifest, one.name) for one in fields(manifest)}, folder=folder)
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
        return self._network(biomarker).eval().requires_grad_(False)

    def encoder_state(self, kind: Kind) -> dict[str, Tensor]:
        """The encoder of a network, float32, under the keys that `BiomarkerNetwork(config).vit` loads.

        `config` is `networks[kind].config`. Raises WeightsRefused as `network` does.
        """
        return {key: value.detach() for key, value in self._network(kind).vit.state_dict().items()}

    def content(self, kind: Kind) -> bytes:
        """The bytes of a network's file, compared with their SHA-256. Raises WeightsRefused."""
        if kind not in self.networks:
            raise WeightsRefused(f"model {self.model_id} has no {kind} network")
        entry = self.networks[kind]
        try:
            content = (self.folder / entry.file).read_bytes()
        except OSError as error:
            raise WeightsRefused(f"model {self.model_id}: {entry.file} cannot be read") from error
        self._refuse_unless_equal(entry, hashlib.sha256(content).hexdigest())
        return content

    def _network(self, kind: Kind) -> BiomarkerNetwork:
        content = self.content(kind)
        entry = self.networks[kind]
        try:
            state = {key: value.float() for key, value in load_safetensors(content).items()}
            if kind == "face":
                state |= {"head.weight": torch.zeros(1, entry.config.hidden_size), "head.bias": torch.zeros(1)}
            return network_of(entry.config, state)
        except (SafetensorError, RuntimeError, ValueError) as error:
            raise WeightsRefused(f"model {self.model_id}: {entry.file} does not fit its manifest") from error

    def _refuse_unless_equal(self, entry: NetworkFile, sha256: str) -> None:
        if sha256 != entry.sha256:
            raise WeightsRefused(f"model {self.model_id}: {entry.file} does not have the SHA-256 of the manifest")


def save_release(
    folder: Path | str,
    networks: Mapping[Kind, BiomarkerNetwork],
    *,
    model_id: str,
    trained_on_synthetic: bool,
    training_data: str,
    intended_use: str,
    licence: str = "Apache-2.0",
    metrics: Mapping[str, float] | None = None,
    dtype: torch.dtype = torch.float32,
    base: ModelRelease | None = None,
    sources: Mapping[Kind, Source] | None = None,
) -> ModelRelease:
    """Write a release, its manifest last, and read it back.

    Args:
        folder: made if it is missing.
        networks: what it holds; of "face" the encoder alone is written.
        model_id: its name.
        trained_on_synthetic: whether drawn faces or synthetic patients taught any of its networks.
        training_data: in words. `intended_use` and `licence` likewise.
        intended_use: what it may be used for.
        licence: of the weights.
        metrics: numbers that its training measured on held-out people.
        dtype: how weights are stored (float32 or bfloat16).
        base: a release whose networks this one takes over, byte for byte, where `networks` does not name them.
        sources: where each of `networks` comes from; trained here where nothing is said.

    Raises:
        WeightsRefused: a file of `base` was altered.
    """
    folder = Path(folder)
    folder.mkdir(parents=True, exist_ok=True)
    entries: dict[Kind, NetworkFile] = {}
    for kind, entry in base.networks.items() if base else ():
        if base and kind not in networks:
            write_atomically(folder / f"{kind}.safetensors", base.content(kind))
            entries[kind] = replace(entry, file=f"{kind}.safetensors")
    for kind, network in networks.items():
        content = _network_bytes(kind, network, dtype)
        write_atomically(folder / f"{kind}.safetensors", content)
        sha256 = hashlib.sha256(content).hexdigest()
        entries[kind] = NetworkFile(
            f"{kind}.safetensors", sha256, network.config, (sources or {}).get(kind, Source("trained"))
        )
    manifest = Manifest(
        model_id=model_id,
        input_id=INPUT_ID,
        trained_with_preprocessing_id=PREPROCESSING_ID,
        networks=entries,
        trained_on_synthetic=trained_on_synthetic,
        training_data=training_data,
        intended_use=intended_use,
        licence=licence,
        metrics=dict(metrics or {}),
    )
    write_atomically(folder / MANIFEST, manifest.to_json().encode())
    return ModelRelease.load(folder)


def random_release(folder: Path | str, *, architecture: str = "vit-b16", seed: int = 0) -> ModelRelease:
    """Write a release with random weights, for measuring speed: its scores mean nothing. Deterministic by seed.

    They are stored in bfloat16, as the weights that ship are.
    """
    shape = ARCHITECTURES[architecture]
    networks: dict[Kind, BiomarkerNetwork] = {}
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
        dtype=torch.bfloat16,
    )


def find_release(name_or_path: str, *, folders: Sequence[Path] = (), verify: bool = True) -> ModelRelease:
    """A release by its name (shipped, or in one of `folders`), or by its folder's path.

    Raises WeightsRefused where there is none.
    """
    for place in (SHIPPED_RELEASES, *folders):
        named = place / name_or_path
        if (named / MANIFEST).is_file() and named.resolve().parent == place.resolve():
            return ModelRelease.load(named, verify=verify)
    return ModelRelease.load(name_or_path, verify=verify)


def _network_bytes(kind: Kind, network: BiomarkerNetwork, dtype: torch.dtype) -> bytes:
    """A network as a safetensors file; of "face" the encoder alone."""
    state = {
        key: value.detach().to("cpu", dtype).contiguous()
        for key, value in published_state(network).items()
        if kind != "face" or not key.startswith("head.")
    }
    # One entry only: safetensors writes several in random order, and equal weights must give equal bytes.
    return save_safetensors(state, metadata={"biomarker": kind})


def _sha256_of(path: Path) -> str:
    with path.open("rb") as stream:
        return hashlib.file_digest(stream, "sha256").hexdigest()


def write_atomically(path: Path, content: bytes) -> None:
    """Write a file of a release so that it is whole or, where this is cut off, not there."""
    unfinished = path.with_suffix(path.suffix + ".unfinished")
    unfinished.write_bytes(content)
    unfinished.replace(path)
