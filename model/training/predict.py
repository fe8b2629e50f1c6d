"""What a network says of aligned faces, and how well that orders survival."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import torch
from lifelines.utils import concordance_index
from numpy.typing import NDArray

from model.network import BiomarkerNetwork
from model.preprocessing import to_network_input


@torch.inference_mode()
def predict(network: BiomarkerNetwork, pixels: NDArray[np.uint8], *, batch: int = 128) -> NDArray[np.float64]:
    """(m,) outputs for aligned faces (m, 112, 112, 3), in float32 on the network's device."""
    device, outputs = next(network.parameters()).device, [np.empty(0)]
    for start in range(0, len(pixels), batch):
        faces = to_network_input(list(pixels[start : start + batch])).to(device)
        outputs.append(network(faces).double().cpu().numpy())
    return np.concatenate(outputs)


def concordance(
    risk: NDArray[np.floating], followup_days: NDArray[np.float64], died: NDArray[np.bool_]
) -> float | None:
    """Harrell's C of `risk` (higher: dies earlier) over faces with known follow-up; None without comparable pairs."""
    known = np.isfinite(followup_days)
    if not died[known].any():
        return None
    try:
        return float(concordance_index(followup_days[known], -risk[known], died[known]))
    except ZeroDivisionError:  # nobody outlived a death
        return None


def predict_rows(
    network: BiomarkerNetwork,
    pixels_of: Callable[[NDArray[np.int64]], NDArray[np.uint8]],
    rows: NDArray[np.int64],
    *,
    at_once: int = 2048,
) -> NDArray[np.float64]:
    """(n,) outputs for the faces `rows`, of which `at_once` are in memory: 77 MB of pixels."""
    parts = [predict(network, pixels_of(rows[start : start + at_once])) for start in range(0, len(rows), at_once)]
    return np.concatenate([np.empty(0), *parts])
