"""The content of a checkpoint file, read so that nothing in the file can run."""

from __future__ import annotations

import argparse
import hashlib
import pickle
import zipfile
from pathlib import Path

import torch
from safetensors import SafetensorError
from safetensors.torch import load_file as load_safetensors

from model.errors import WeightsRefused


def read_checkpoint(path: Path) -> object:
    """What a file holds: safetensors by its name's ending, anything else by `torch.load(weights_only=True)`.

    Tensors of a zip file stay in it until they are looked at. Raises WeightsRefused where the file is cut short,
    damaged, or holds anything but tensors and plain values.
    """
    try:
        if path.suffix == ".safetensors":
            return load_safetensors(path)
        is_zip = zipfile.is_zipfile(path)
        if is_zip:
            _refuse_damaged(path)
        # The MAE release's own checkpoints carry the command line that trained them; a Namespace runs nothing.
        with torch.serialization.safe_globals([argparse.Namespace]):
            return torch.load(path, map_location="cpu", weights_only=True, mmap=is_zip)
    except pickle.UnpicklingError as error:
        raise WeightsRefused(
            "the file is no checkpoint, or holds more than tensors and plain values: a pickle with code in it is never"
            " loaded"
        ) from error
    except SafetensorError as error:
        raise WeightsRefused("the file is no safetensors file: cut short, damaged or of another format") from error
    except (MemoryError, WeightsRefused):
        raise
    except Exception as error:  # whatever a file that nobody vouches for brings about is a reason to refuse it
        raise WeightsRefused(
            f"the file cannot be read: cut short, damaged or of another format ({type(error).__name__})"
        ) from error


def sha256_of(path: Path) -> str:
    """SHA-256 of a file, hexadecimal."""
    with path.open("rb") as stream:
        return hashlib.file_digest(stream, "sha256").hexdigest()


def _refuse_damaged(path: Path) -> None:
    """Compare the checksums that torch's zip files carry: a mapped file is not checked when it is read."""
    with zipfile.ZipFile(path) as archive:
        if archive.testzip() is not None:
            raise WeightsRefused("the file is damaged: a checksum in it does not agree with its content")
