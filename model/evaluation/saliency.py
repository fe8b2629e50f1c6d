"""Where a network looks: integrated gradients and occlusion, each against the same baseline picture.

Integrated gradients (Sundararajan et al., ICML 2017) split f(face) - f(baseline) among pixels; occlusion (Zeiler &
Fergus, ECCV 2014) puts the baseline's patch in the place of the face's. Both are captum's. Randomised weights follow
Adebayo et al. (NeurIPS 2018): a map that stays the same when the weights are shuffled tells nothing about them.
"""

from __future__ import annotations

import copy
from dataclasses import dataclass
from typing import Literal

import cv2
import numpy as np
import torch
from captum.attr import IntegratedGradients, Occlusion
from numpy.typing import NDArray
from torch import Tensor, nn

from model.evaluation.regions import GRID, PATCH_PX
from model.preprocessing import to_network_input

Baseline = Literal["mean", "blurred"]
"""What a face is compared with: the mean of all faces, or the same face without its detail."""

BLUR_SD_PX = 8.0
STEPS = 32
"""Points between baseline and face (Gauss-Legendre); `FaceMaps.completeness_error` tells whether they suffice."""

COMPLETENESS_TOLERANCE = 0.05
"""Mean |sum of attributions - (f(face) - f(baseline))| above this share of the output's SD is too much (ours)."""


@dataclass(frozen=True)
class FaceMaps:
    """Where one network looks in each of n faces. No map has a sign; each sums to 1, or is 0 where nothing matters."""

    gradients: NDArray[np.float64]
    """(n, 112, 112) by integrated gradients: |attribution summed over colours|."""
    occlusion: NDArray[np.float64]
    """(n, 49) by occlusion, a patch each: |change of the output|."""
    completeness_error: float
    """Mean |sum of attributions - (f(face) - f(baseline))| over the SD of f over the faces."""


def look(
    network: nn.Module,
    faces: NDArray[np.uint8],
    *,
    baseline: Baseline = "mean",
    steps: int = STEPS,
    batch: int = 64,
    device: str | torch.device = "cpu",
) -> FaceMaps:
    """Both maps of every face.

    `network` takes (B, 3, 112, 112) normalised faces and gives (B,); the unit and scale of its output drop out. `faces`
    (n, 112, 112, 3) uint8 RGB, aligned. Work is done `batch` pictures at a time.

    Raises ValueError where no gradient flows from output to input.
    """
    network = network.to(device).eval()
    inputs, compared_with = to_network_input(list(faces)).to(device), baseline_of(faces, baseline).to(device)
    gradients, sums = integrated_gradients(network, inputs, compared_with, steps=steps, batch=batch)
    with torch.no_grad():
        occlusion = _occlusion(network, inputs, compared_with, batch)
        at_faces, at_baseline = (_outputs(network, pictures, batch) for pictures in (inputs, compared_with))
    missed = np.abs(sums - (at_faces - at_baseline)).mean()
    spread = float(at_faces.std())
    return FaceMaps(gradients, _unit_sum(occlusion), float(missed / spread) if spread > 0 else 0.0)


def integrated_gradients(
    network: nn.Module, inputs: Tensor, baselines: Tensor, *, steps: int = STEPS, batch: int = 64
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """|Attribution| of each pixel (n, 112, 112), each map's sum 1; and the sums of the signed attributions (n,).

    `inputs` and `baselines` (n, 3, 112, 112) are normalised. Raises ValueError where no gradient flows.
    """
    _refuse_without_gradient(network, inputs[:1])
    method = IntegratedGradients(network)
    maps, sums = [], []
    for start in range(0, len(inputs), batch):
        part = slice(start, start + batch)
        attributed = method.attribute(inputs[part], baselines[part], n_steps=steps, internal_batch_size=batch)
        by_pixel = attributed.detach().double().sum(dim=1).cpu().numpy()
        maps.append(np.abs(by_pixel))
        sums.append(by_pixel.sum(axis=(1, 2)))
    return _unit_sum(np.concatenate(maps)), np.concatenate(sums)


def shuffled_gradients(
    network: nn.Module,
    faces: NDArray[np.uint8],
    *,
    shuffles: int,
    baseline: Baseline = "mean",
    steps: int = STEPS,
    batch: int = 64,
    device: str | torch.device = "cpu",
    seed: int = 0,
) -> list[NDArray[np.float64]]:
    """Integrated gradients (n, 112, 112) of the same network with shuffled weights, one array a shuffle."""
    inputs, compared_with = to_network_input(list(faces)).to(device), baseline_of(faces, baseline).to(device)
    networks = (randomised(network, seed + number).to(device).eval() for number in range(shuffles))
    return [integrated_gradients(one, inputs, compared_with, steps=steps, batch=batch)[0] for one in networks]


def baseline_of(faces: NDArray[np.uint8], baseline: Baseline) -> Tensor:
    """The picture each face is compared with, as network input (n, 3, 112, 112)."""
    if baseline == "blurred":
        return to_network_input([np.asarray(cv2.GaussianBlur(face, (0, 0), BLUR_SD_PX), np.uint8) for face in faces])
    mean = to_network_input(list(faces)).mean(dim=0, keepdim=True)
    return mean.expand(len(faces), -1, -1, -1).contiguous()


def randomised(network: nn.Module, seed: int) -> nn.Module:
    """A copy whose every tensor of weights is shuffled: the same sizes and scales, nothing learned."""
    shuffled = copy.deepcopy(network)
    generator = torch.Generator().manual_seed(seed)
    with torch.no_grad():
        for weights in shuffled.parameters():
            order = torch.randperm(weights.numel(), generator=generator).to(weights.device)
            weights.copy_(weights.flatten()[order].view_as(weights))
    return shuffled.requires_grad_(False)


def _occlusion(network: nn.Module, inputs: Tensor, baselines: Tensor, batch: int) -> NDArray[np.float64]:
    """(n, 49) |f(face) - f(face with the baseline's patch)|."""
    method, window = Occlusion(network), (3, PATCH_PX, PATCH_PX)
    maps = []
    for start in range(0, len(inputs), batch):
        part = slice(start, start + batch)
        changed = method.attribute(
            inputs[part], sliding_window_shapes=window, strides=window, baselines=baselines[part]
        )
        # Every pixel of a patch carries the patch's change: one of each will do.
        by_patch = changed[:, 0, ::PATCH_PX, ::PATCH_PX].double().cpu().numpy()
        maps.append(np.abs(by_patch).reshape(-1, GRID * GRID))
    return np.concatenate(maps)


def _outputs(network: nn.Module, pictures: Tensor, batch: int) -> NDArray[np.float64]:
    parts = [
        network(pictures[start : start + batch]).double().cpu().numpy() for start in range(0, len(pictures), batch)
    ]
    return np.concatenate(parts)


def _refuse_without_gradient(network: nn.Module, face: Tensor) -> None:
    leaf = face.clone().requires_grad_(True)
    output = network(leaf)
    if not output.requires_grad:
        raise ValueError("no gradient flows through this network: was it made under inference mode?")


def _unit_sum(maps: NDArray[np.float64]) -> NDArray[np.float64]:
    """Each map over its sum; a map of zeros stays one."""
    sums = maps.reshape(len(maps), -1).sum(axis=1).reshape(-1, *([1] * (maps.ndim - 1)))
    return np.divide(maps, sums, out=np.zeros_like(maps), where=sums > 0)
