"""Rows a second of the training reader against the plain torch DataLoader, over the same crops, within one run."""

from __future__ import annotations

import json
import shutil
import time
from collections.abc import Callable, Iterator
from dataclasses import asdict, dataclass
from pathlib import Path
from statistics import median
from typing import Any

import numpy as np
import pyarrow as pa
import torch
from numpy.typing import NDArray
from torch.utils.data import DataLoader, Dataset

from bench.scoring import RESULTS, machine
from jobs.training.crop_files import CROP_BYTES, CROPS, ROWS_A_FILE, CropDataSet, CropFile, write_crops
from jobs.training.crop_reader import PetastormSource
from model.align import FACE_PX

BATCH_SIZE = 128
ROUNDS = 5


@dataclass(frozen=True)
class ReaderResult:
    """One run of the bench; rows a second are medians over the rounds."""

    machine: dict[str, Any]
    rows: int
    batch_size: int
    rounds: int
    petastorm_rows_per_second: float
    """`PetastormSource`: shuffled by seed, counted, from Parquet."""
    loader_rows_per_second: float
    """torch DataLoader, shuffling, in the calling process, from memory-mapped numpy."""
    loader_with_workers_rows_per_second: float
    """The same with as many worker processes as there are cores."""
    petastorm_of_best_loader: float
    petastorm_cpu_microseconds_per_row: float
    """Processor time of all threads: what reading takes away from training where cores are shared."""
    loader_cpu_microseconds_per_row: float
    """The same of the loader without worker processes."""


class MappedFaces(Dataset[tuple[torch.Tensor, int]]):
    """Crops in memory-mapped numpy, one by one, as a person would write it."""

    def __init__(self, path: Path) -> None:
        self.pixels = np.load(path, mmap_mode="r")

    def __len__(self) -> int:
        """How many."""
        return len(self.pixels)

    def __getitem__(self, row: int) -> tuple[torch.Tensor, int]:
        """Pixels and row number."""
        return torch.from_numpy(np.array(self.pixels[row])), row


def run(*, home: Path, rows: int, cores: int) -> ReaderResult:
    """Read the same `rows` crops of noise by each reader, in turn, `ROUNDS` times; the first round warms up."""
    folder = home / f"crops-{rows}"
    data_set, _ = kept_crops(folder, rows)
    source = PetastormSource(data_set, np.arange(rows), batch_size=BATCH_SIZE, seed=1)
    faces = MappedFaces(folder / "pixels.npy")
    options: dict[str, Any] = {"batch_size": BATCH_SIZE, "shuffle": True, "drop_last": True}
    contenders: dict[str, Callable[[int], Iterator[Any]]] = {
        "petastorm": lambda number: source.batches(number),
        "loader": lambda _: iter(DataLoader(faces, **options)),
        "workers": lambda _: iter(DataLoader(faces, **options, num_workers=cores)),
    }
    seconds: dict[str, list[float]] = {name: [] for name in contenders}
    processor_seconds: dict[str, list[float]] = {name: [] for name in contenders}
    torch.set_num_threads(1)  # the loader stacks crops in parallel otherwise, and stalls where cores are shared
    for number in range(ROUNDS + 1):
        for name, batches in contenders.items():
            took, computed = _seconds(batches(number), rows // BATCH_SIZE)
            if number:
                seconds[name].append(took)
                processor_seconds[name].append(computed)
    read = rows // BATCH_SIZE * BATCH_SIZE
    speed = {name: read / median(took) for name, took in seconds.items()}
    cost = {name: round(median(computed) / read * 1e6, 1) for name, computed in processor_seconds.items()}
    return ReaderResult(
        machine=machine(),
        rows=rows,
        batch_size=BATCH_SIZE,
        rounds=ROUNDS,
        petastorm_rows_per_second=round(speed["petastorm"]),
        loader_rows_per_second=round(speed["loader"]),
        loader_with_workers_rows_per_second=round(speed["workers"]),
        petastorm_of_best_loader=round(speed["petastorm"] / max(speed["loader"], speed["workers"]), 2),
        petastorm_cpu_microseconds_per_row=cost["petastorm"],
        loader_cpu_microseconds_per_row=cost["loader"],
    )


def _seconds(batches: Iterator[Any], expected: int) -> tuple[float, float]:
    """Wall and processor seconds to take every batch. Raises ValueError where there are not as many as expected."""
    start, computed = time.perf_counter(), time.process_time()
    taken = sum(1 for _ in batches)
    if taken != expected:
        raise ValueError(f"{taken} batches instead of {expected}: not the same work")
    return time.perf_counter() - start, time.process_time() - computed


def kept_crops(folder: Path, rows: int) -> tuple[CropDataSet, NDArray[np.uint8]]:
    """Crops of noise, as a data set and as one memory-mapped numpy file; kept for the next run."""
    names = [f"{number:05d}.parquet" for number in range(-(-rows // ROWS_A_FILE))]
    files = tuple(
        CropFile(folder / CROPS / name, number * ROWS_A_FILE, min(ROWS_A_FILE, rows - number * ROWS_A_FILE))
        for number, name in enumerate(names)
    )
    if not (folder / "complete").exists():
        shutil.rmtree(folder, ignore_errors=True)
        (folder / CROPS).mkdir(parents=True)
        shape = (rows, FACE_PX, FACE_PX, 3)
        pixels = np.lib.format.open_memmap(folder / "pixels.npy", mode="w+", dtype=np.uint8, shape=shape)
        rng = np.random.default_rng(1)
        for file in files:
            noise = rng.integers(0, 256, size=(file.count, CROP_BYTES), dtype=np.uint8)
            pixels[file.first : file.first + file.count] = noise.reshape(-1, FACE_PX, FACE_PX, 3)
            write_crops(file.path, file.first, pa.array([crop.tobytes() for crop in noise]))
        pixels.flush()
        (folder / "complete").touch()
    data_set = CropDataSet(folder=folder, description={"data_set_id": folder.name}, files=files)
    return data_set, np.load(folder / "pixels.npy", mmap_mode="r")


def as_markdown(result: ReaderResult) -> str:
    """The result as a page."""
    told = result.machine
    versions = ", ".join(f"{name} {number}" for name, number in told["versions"].items())
    readers = (
        (
            "PetastormSource, Parquet, shuffled by seed, counted",
            result.petastorm_rows_per_second,
            f"{result.petastorm_cpu_microseconds_per_row} µs",
        ),
        (
            "torch DataLoader, memory-mapped numpy, no worker process",
            result.loader_rows_per_second,
            f"{result.loader_cpu_microseconds_per_row} µs",
        ),
        ("torch DataLoader, a worker process a core", result.loader_with_workers_rows_per_second, ""),
    )
    rows = "\n".join(f"| {reader} | {speed:.0f} | {cost} |" for reader, speed, cost in readers)
    return f"""# Reading crops for training, {told["measured_at"]}

{result.rows} crops of 112 x 112 (noise, {result.rows * CROP_BYTES / 1e6:.0f} MB, in the page cache), batches of \
{result.batch_size}, each shuffled; median of {result.rounds} epochs; {told["cores"]} cores of {told["processor"]}.

| | rows/s | processor time a row |
|---|---|---|
{rows}

PetastormSource is {result.petastorm_of_best_loader} of the better DataLoader.

{versions}
"""


def write(result: ReaderResult, folder: Path = RESULTS) -> Path:
    """Write the result as JSON and as a page; returns the page."""
    folder.mkdir(exist_ok=True)
    told = result.machine
    name = f"reader-{told['measured_at'][:10]}-cpu{told['cores']}-torch{told['versions']['torch']}"
    (folder / f"{name}.json").write_text(json.dumps(asdict(result), indent=2) + "\n")
    page = folder / f"{name}.md"
    page.write_text(as_markdown(result))
    return page
