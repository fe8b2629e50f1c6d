"""How far bfloat16 takes a network's output from float32, measured with the code that scoring runs.

A release states it in its manifest, network by network; a CPU scores in bfloat16 only where the statement is small.
"""

from __future__ import annotations

import copy
import math
from collections.abc import Mapping
from dataclasses import dataclass, replace

import numpy as np
import torch
from numpy.typing import NDArray

from model.bfloat16 import CentredLinear, compute_in_bfloat16
from model.errors import WeightsRefused
from model.manifest import MANIFEST, Bfloat16Parity
from model.network import Biomarker, BiomarkerNetwork
from model.preprocessing import to_network_input
from model.release import ModelRelease, write_atomically

PARITY_YEARS = 0.1
"""FaceAge in bfloat16 must stay this close to float32's on every face."""

FACES_NEEDED = 1000
"""A largest difference over fewer faces says too little of the next night's (ours)."""


@dataclass(frozen=True)
class Parity:
    """Differences between bfloat16 and float32 over n faces, in the network's unit (years, or log-risk)."""

    differences: NDArray[np.float64]
    """(n,) bfloat16 minus float32."""
    outputs: NDArray[np.float64]
    """(n,) what float32 gives: small differences mean little where these hardly vary."""

    @property
    def largest(self) -> float:
        """Largest absolute difference."""
        return float(np.abs(self.differences).max(initial=0.0))

    @property
    def mean(self) -> float:
        """Mean absolute difference."""
        return float(np.abs(self.differences).mean())

    def quantile(self, share: float) -> float:
        """The absolute difference that this share (0-1) of the faces does not exceed."""
        return float(np.quantile(np.abs(self.differences), share))

    def statement(self) -> Bfloat16Parity:
        """As a manifest states it; the largest difference is a bound, so it is rounded up."""
        return Bfloat16Parity(len(self.differences), math.ceil(self.largest * 1e4) / 1e4, round(self.mean, 5))


def measure_parity(network: BiomarkerNetwork, faces: NDArray[np.uint8], *, batch_size: int = 16) -> Parity:
    """Run a float32 network over aligned faces, uint8 RGB (n >= 1, 112, 112, 3), as it is and as scoring rounds it.

    A processor without bfloat16 emulates the same roundings: more slowly, and equal but for the order of sums. The
    network stays as it was. Raises ValueError where it is not float32, WeightsRefused where an output is not finite.
    """
    rounded_already = any(isinstance(module, CentredLinear) for module in network.modules())
    if rounded_already or any(weight.dtype != torch.float32 for weight in network.parameters()):
        raise ValueError("parity is measured from a float32 network")
    exact = _outputs(copy.deepcopy(network), faces, batch_size)
    rounded = _outputs(compute_in_bfloat16(copy.deepcopy(network)), faces, batch_size)
    if not np.isfinite([exact, rounded]).all():
        raise WeightsRefused("a network gives numbers that are not finite")
    return Parity(rounded - exact, exact)


@torch.inference_mode()
def _outputs(network: BiomarkerNetwork, faces: NDArray[np.uint8], batch_size: int) -> NDArray[np.float64]:
    network.eval()
    batches = [faces[start : start + batch_size] for start in range(0, len(faces), batch_size)]
    return np.concatenate([network(to_network_input(list(batch))).double().numpy() for batch in batches])


def record_parity(
    release: ModelRelease, faces: NDArray[np.uint8], *, batch_size: int = 16
) -> tuple[ModelRelease, Mapping[Biomarker, Parity]]:
    """Measure each scoring network of a release, as stored, and state it in the manifest.

    For whoever makes a release, before it is put in its place. `faces`: aligned, none of which taught the networks;
    with fewer than `FACES_NEEDED` the statement allows nothing. Returns the release as it stands now, and what was
    measured. Raises WeightsRefused where a network cannot be read or gives numbers that are not finite.
    """
    measured = {
        biomarker: measure_parity(release.network(biomarker), faces, batch_size=batch_size)
        for biomarker in release.biomarkers
    }
    entries = dict(release.networks)
    for biomarker, parity in measured.items():
        entries[biomarker] = replace(entries[biomarker], bfloat16=parity.statement())
    told = replace(release, networks=entries)
    write_atomically(release.folder / MANIFEST, told.to_json().encode())
    return ModelRelease.load(release.folder), measured


def parity_holds(release: ModelRelease) -> bool:
    """Whether a release states that bfloat16 keeps its FaceAge within `PARITY_YEARS` of float32's.

    False where it does not say, or says it of fewer than `FACES_NEEDED` faces.
    """
    entry = release.networks.get("age")
    stated = entry.bfloat16 if entry is not None else None
    return stated is not None and stated.faces >= FACES_NEEDED and 0 <= stated.largest <= PARITY_YEARS
