"""Import a foreign checkpoint file: start the limited process, take its answer, build the network from safetensors."""

from __future__ import annotations

import errno
import json
import signal
import subprocess
import sys
import tempfile
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import torch
from safetensors.torch import load_file

from model.errors import WeightsRefused
from model.manifest import Source
from model.network import BiomarkerNetwork, NetworkConfig, network_of
from model.weights_import.limits import Limits
from model.weights_import.reading import sha256_of
from model.weights_import.wish import Wish


@dataclass(frozen=True)
class Imported:
    """A network out of a foreign file, and what the file was."""

    network: BiomarkerNetwork
    """Of a `face` its head is zero and is not written."""
    source: Source


def import_file(
    path: Path, wish: Wish, *, scratch: Path, expected_sha256: str | None = None, limits: Limits | None = None
) -> Imported:
    """Convert a checkpoint file in a process of its own.

    Args:
        path: a file of torch (`.pth`, `.pt`, `.bin` …) or a `.safetensors` file, in the published FAHR-Face, Hugging
            Face, MAE or timm layout.
        wish: what it is, and what its shapes do not say.
        scratch: a folder with room for the weights in float32; left as it was.
        expected_sha256: what the file's SHA-256 must be, where its publisher tells it.
        limits: of that process.

    Raises:
        OSError: there is no room for the weights.
        WeightsRefused: the file is missing, too large, damaged, no checkpoint, holds code, or does not fit; says which.
    """
    limits = limits or Limits()
    if not path.is_file():
        raise WeightsRefused("there is no such file")
    if path.stat().st_size > limits.largest_file_bytes:
        raise WeightsRefused(f"the file is larger than {limits.largest_file_bytes / 2**30:.0f} GiB")
    file_sha256 = sha256_of(path)
    if expected_sha256 is not None and expected_sha256.lower() != file_sha256:
        raise WeightsRefused("the file does not have the SHA-256 that was asked for")
    with tempfile.TemporaryDirectory(prefix=".import-", dir=scratch) as folder:
        output = Path(folder) / "weights.safetensors"
        request = {"path": str(path.resolve()), "output": str(output), "wish": asdict(wish), "limits": asdict(limits)}
        told = _ask(request, Path(folder), limits)
        network = _network(output, NetworkConfig(**told["config"]))
    source = Source("imported", file_sha256, told["layout"], tuple(told["notes"]))
    return Imported(network, source)


def _ask(request: dict[str, Any], folder: Path, limits: Limits) -> dict[str, Any]:
    """Run the process with nothing of our environment, and take its answer."""
    environment = {"PATH": "/usr/bin:/bin", "HOME": str(folder), "TMPDIR": str(folder), "LC_ALL": "C.UTF-8"}
    environment |= {"OMP_NUM_THREADS": "1", "CUDA_VISIBLE_DEVICES": ""}
    try:
        process = subprocess.run(
            [sys.executable, "-I", "-m", "model.weights_import.child"],
            input=json.dumps(request),
            env=environment,
            cwd=folder,
            capture_output=True,
            text=True,
            timeout=limits.seconds + 30,
            check=False,
        )
    except subprocess.TimeoutExpired:
        raise WeightsRefused(f"reading the file took longer than {limits.seconds} s") from None
    if process.returncode < 0:
        name = signal.Signals(-process.returncode).name
        raise WeightsRefused(f"reading the file broke the limits on time or memory, or crashed ({name})")
    if process.returncode:
        last_line = process.stderr.strip().rsplit("\n", 1)[-1]
        raise RuntimeError(f"the process that converts weights failed: {last_line.split(':')[0]}")
    answer: dict[str, Any] = json.loads(process.stdout)
    if "refused" in answer:
        raise WeightsRefused(answer["refused"])
    if "unwritten" in answer:
        raise OSError(errno.ENOSPC, "the converted weights could not be written")
    return answer


def _network(file: Path, config: NetworkConfig) -> BiomarkerNetwork:
    state = load_file(file)
    if "head.weight" not in state:
        state |= {"head.weight": torch.zeros(1, config.hidden_size), "head.bias": torch.zeros(1)}
    return network_of(config, state).eval()
