"""Checkpoints: safetensors files that are either whole or absent, so that a killed training goes on where it stood."""

from __future__ import annotations

import json
import os
from pathlib import Path

from safetensors import SafetensorError, safe_open
from safetensors.torch import save_file
from torch import Tensor, nn
from torch.optim import Optimizer

from model.training.errors import CheckpointNotWritten, TrainingRefused

NETWORK, OPTIMIZER = "network.", "optimizer."


def save_tensors(path: Path, tensors: dict[str, Tensor], about: dict[str, object]) -> None:
    """Write tensors and a few facts about them; on return they are on the disk.

    Raises:
        CheckpointNotWritten: the disk is full or refuses; whatever stood at `path` still does.
    """
    unfinished = path.with_name(path.name + ".unfinished")
    try:
        whole = {key: value.detach().cpu().contiguous() for key, value in tensors.items()}
        save_file(whole, unfinished, metadata={"about": json.dumps(about)})
        with unfinished.open("rb+") as stream:
            os.fsync(stream.fileno())
        unfinished.replace(path)
    except (OSError, SafetensorError) as error:
        unfinished.unlink(missing_ok=True)
        raise CheckpointNotWritten(
            f"{path.name} could not be written ({type(error).__name__}): free some disk; the one before it stands"
        ) from error


def load_tensors(path: Path) -> tuple[dict[str, Tensor], dict[str, object]]:
    """What `save_tensors` wrote. Raises TrainingRefused where the file is damaged."""
    try:
        with safe_open(path, framework="pt") as stored:
            about = json.loads((stored.metadata() or {})["about"])
            return {key: stored.get_tensor(key) for key in stored.keys()}, about  # noqa: SIM118 - no mapping
    except (SafetensorError, KeyError, ValueError) as error:
        raise TrainingRefused(f"{path.name} is damaged: remove it to start this training again") from error


def save_checkpoint(path: Path, network: nn.Module, optimizer: Optimizer, about: dict[str, object]) -> None:
    """Write everything that the next step depends on, but for what (seed, step) decide anew."""
    tensors = {NETWORK + key: value for key, value in network.state_dict().items()}
    for number, state in optimizer.state_dict()["state"].items():
        tensors |= {f"{OPTIMIZER}{number}.{name}": value for name, value in state.items()}
    save_tensors(path, tensors, about)


def load_checkpoint(path: Path, network: nn.Module, optimizer: Optimizer) -> dict[str, object]:
    """Put a checkpoint's weights and moments back; returns what was said about it.

    Raises:
        TrainingRefused: it is damaged, or of another network.
    """
    tensors, about = load_tensors(path)
    weights: dict[str, Tensor] = {}
    moments: dict[int, dict[str, Tensor]] = {}
    for key, value in tensors.items():
        if key.startswith(NETWORK):
            weights[key.removeprefix(NETWORK)] = value
        else:
            number, name = key.removeprefix(OPTIMIZER).split(".", 1)
            moments.setdefault(int(number), {})[name] = value
    try:
        network.load_state_dict(weights)
        optimizer.load_state_dict({"state": moments, "param_groups": optimizer.state_dict()["param_groups"]})
    except (RuntimeError, ValueError) as error:
        raise TrainingRefused(f"{path.name} is of another network: remove it to start this training again") from error
    return about
