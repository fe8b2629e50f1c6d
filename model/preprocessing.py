"""Every constant that decides which pixels reach the network, and the id that changes when one of them does."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Sequence
from dataclasses import asdict

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from model.align import ARCFACE_TEMPLATE, FACE_PX, SHRINK_LIMIT
from model.detect import DetectionSettings
from model.exclusions import THRESHOLDS

DECODED_SIDE_PX = 640
"""A JPEG is decoded at the smallest DCT scale that keeps its shorter side at or above this (ours)."""

NORMALISATION_MEAN = 0.5
NORMALISATION_SD = 0.5
"""Pixels scaled to 0-1 are normalised to -1 ... 1, the same for all channels (ours)."""

PIPELINE_VERSION = 1
"""Bumped by hand when the code changes pixels although no constant does (ours)."""


def _preprocessing_id() -> str:
    constants = {
        "version": PIPELINE_VERSION,
        "detector": asdict(DetectionSettings()),
        "decoded_side_px": DECODED_SIDE_PX,
        "face_px": FACE_PX,
        "template": ARCFACE_TEMPLATE.tolist(),
        "shrink_limit": SHRINK_LIMIT,
        "normalisation": [NORMALISATION_MEAN, NORMALISATION_SD],
        "thresholds": asdict(THRESHOLDS),
    }
    digest = hashlib.sha256(json.dumps(constants, sort_keys=True).encode()).hexdigest()
    return f"mtcnn-arcface{FACE_PX}-v{PIPELINE_VERSION}-{digest[:8]}"


PREPROCESSING_ID: str = _preprocessing_id()
"""Names the way from bytes to network input. Scores made under different ids are not compared or mixed."""


def to_network_input(faces: Sequence[NDArray[np.uint8]]) -> Tensor:
    """Normalise aligned faces: uint8 RGB (112, 112, 3) each -> float32 (N, 3, 112, 112), -1 ... 1."""
    pixels = torch.from_numpy(np.stack(faces)).permute(0, 3, 1, 2)
    return ((pixels.float() / 255.0 - NORMALISATION_MEAN) / NORMALISATION_SD).contiguous()
