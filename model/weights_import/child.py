"""The process that reads a foreign file: one JSON request on standard input, one JSON answer on standard output.

Request: path, output, wish, limits. Answer: `{"refused": why}`, `{"unwritten": true}` (a full disk), or config, layout
and notes, the weights then standing in `output` as safetensors.
"""

from __future__ import annotations

import json
import sys
from dataclasses import asdict
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError
from safetensors.torch import save_file

from model.errors import WeightsRefused
from model.weights_import.convert import convert
from model.weights_import.limits import Limits, put_up_fences
from model.weights_import.reading import read_checkpoint
from model.weights_import.wish import Wish


def answer(request: dict[str, Any]) -> dict[str, Any]:
    """Convert the file that a request names."""
    path = Path(request["path"])
    wish = dict(request["wish"])
    wish |= {name: tuple(wish[name]) for name in ("pixel_mean", "pixel_sd")}
    put_up_fences(path.stat().st_size, Limits(**request["limits"]))
    try:
        converted = convert(read_checkpoint(path), Wish(**wish))
    except WeightsRefused as refusal:
        return {"refused": str(refusal)}
    except (MemoryError, RuntimeError) as error:
        if isinstance(error, RuntimeError) and "allocate memory" not in str(error):  # torch has no type for it
            raise
        return {"refused": "the file asks for far more memory than its size justifies"}
    try:
        save_file(converted.state, request["output"])
    except (SafetensorError, OSError):
        return {"unwritten": True}
    return {"config": asdict(converted.config), "layout": converted.layout, "notes": converted.notes}


if __name__ == "__main__":
    torch.set_num_threads(1)
    print(json.dumps(answer(json.load(sys.stdin))))
