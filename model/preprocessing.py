"""Every constant that decides which pixels reach the network, and the ids that change when one of them does."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Sequence
from dataclasses import asdict
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from model.align import ARCFACE_TEMPLATE, FACE_PX, SHRINK_LIMIT
from model.detect import DetectionSettings
from model.exclusions import THRESHOLDS

DECODED_SIDE_PX = 400
"""A JPEG is decoded at the smallest DCT scale that keeps its shorter side at or above this (ours)."""

NORMALISATION_MEAN = 0.5
NORMALISATION_SD = 0.5
"""Pixels scaled to 0-1 are normalised to -1 ... 1, the same for all channels (ours)."""

PIPELINE_VERSION = 1
"""Bumped by hand when the code changes pixels although no constant does (ours)."""


def _digest(constants: dict[str, Any]) -> str:
    return hashlib.sha256(json.dumps(constants, sort_keys=True).encode()).hexdigest()[:8]


_INPUT = {
    "face_px": FACE_PX,
    "template": ARCFACE_TEMPLATE.tolist(),
    "normalisation": [NORMALISATION_MEAN, NORMALISATION_SD],
}
_WAY = {
    "version": PIPELINE_VERSION,
    "detector": asdict(DetectionSettings()),
    "decoded_side_px": DECODED_SIDE_PX,
    "shrink_limit": SHRINK_LIMIT,
    "thresholds": asdict(THRESHOLDS),
}

INPUT_ID: str = f"arcface{FACE_PX}-{_digest(_INPUT)}"
"""Names what a network is fed: crop, template, normalisation. Weights trained on another input are refused."""

PREPROCESSING_ID: str = f"mtcnn-arcface{FACE_PX}-v{PIPELINE_VERSION}-{_digest(_INPUT | _WAY)}"
"""Names the whole way from bytes to network input, exclusion rules included. Part of a score's key."""


def to_network_input(faces: Sequence[NDArray[np.uint8]]) -> Tensor:
    """Normalise aligned faces: uint8 RGB (112, 112, 3) each -> float32 (N, 3, 112, 112), -1 ... 1."""
    pixels = torch.from_numpy(np.stack(faces)).permute(0, 3, 1, 2)
    return ((pixels.float() / 255.0 - NORMALISATION_MEAN) / NORMALISATION_SD).contiguous()
