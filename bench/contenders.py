"""Three ways to score the same photographs, each in processes of its own and timed from the first photo to the last.

- `ceiling`: the product's own decode, detect, align and forward functions in a plain loop, one process a core. No
  distribution, no bookkeeping: what the scoring stage would reach if Spark cost nothing.
- `obvious`: the script one writes first. Pillow decodes in full, facenet-pytorch's MTCNN looks with its defaults,
  Hugging Face ViTs run in float32; one photograph at a time; torch has one thread or every core, whichever is faster.
- `spark_stage`: what `fahr score` runs, from landed bytes to staged Parquet.
"""

from __future__ import annotations

import multiprocessing
import os
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from io import BytesIO
from multiprocessing.connection import Connection
from pathlib import Path
from uuid import uuid4

import pyarrow.dataset as ds
import pyarrow.parquet as pq

from bench.photographs import BenchPhoto, photo_run_id
from jobs.landing import landing_partition
from jobs.spark_conf import SCORING_ALLOCATOR
from model.scorer import Precision

BATCH_SIZE = 16
Ages = dict[str, float | None]


@dataclass(frozen=True)
class Measured:
    """What one contender did."""

    photos: int
    seconds: float
    face_ages: Ages
    """FaceAge in years by content hash; None: no score."""

    @property
    def photos_per_second(self) -> float:
        """Photographs a second, over all cores."""
        return self.photos / self.seconds


def ceiling(partition: Path, release: Path, cores: int, *, dtype: Precision = "auto") -> Measured:
    """The product's functions in a plain loop, a process a core; networks loaded and warm before the clock starts.

    `dtype` "auto" is what the scoring stage takes, and its memory allocator is set as there.
    """
    context = multiprocessing.get_context("spawn")
    files = sorted(partition.glob("*.parquet"))
    pipes, workers = [], []
    with _environment(SCORING_ALLOCATOR):
        for core in range(cores):
            ours, theirs = context.Pipe()
            workers.append(context.Process(target=_plain_loop, args=(theirs, files, core, cores, release, dtype)))
            workers[-1].start()
            theirs.close()  # so that a worker that dies ends the wait for its answer
            pipes.append(ours)
    for pipe in pipes:
        pipe.recv()
    started = time.perf_counter()
    for pipe in pipes:
        pipe.send("go")
    ages: Ages = {}
    for pipe in pipes:
        ages |= pipe.recv()
    seconds = time.perf_counter() - started
    for worker in workers:
        worker.join()
    return Measured(photos=len(ages), seconds=seconds, face_ages=ages)


@contextmanager
def _environment(variables: Mapping[str, str]) -> Iterator[None]:
    """Variables that processes started meanwhile inherit; for this one they come too late."""
    before = dict(os.environ)
    os.environ.update(variables)
    try:
        yield
    finally:
        os.environ.clear()
        os.environ.update(before)


def _plain_loop(
    pipe: Connection, files: Sequence[Path], core: int, cores: int, release: Path, dtype: Precision
) -> None:
    from model.release import ModelRelease
    from model.scorer import PhotoScorer

    scorer = PhotoScorer(ModelRelease.load(release), device="cpu", dtype=dtype, batch_size=BATCH_SIZE, threads=1)
    row_groups = [(file, group) for file in files for group in range(pq.ParquetFile(file).num_row_groups)]
    mine = row_groups[core::cores]
    keys: list[str] = []

    def batches(groups: Sequence[tuple[Path, int]]) -> Iterator[list[bytes]]:
        for file, group in groups:
            table = pq.ParquetFile(file).read_row_group(group)
            keys.extend(table["content_sha256"].to_pylist())
            yield table["content"].to_pylist()

    list(scorer.score_stream(batches(mine[:1])))
    keys.clear()
    pipe.send("ready")
    pipe.recv()
    outcomes = [outcome for outcomes in scorer.score_stream(batches(mine)) for outcome in outcomes]
    pipe.send({key: outcome.face_age_years for key, outcome in zip(keys, outcomes, strict=True)})


def obvious(partition: Path, release: Path, cores: int, photos: int) -> Measured:
    """The obvious script over the first `photos` photographs, in one process.

    The faster of two runs: where others use the cores as well, threads that wait for each other are slower than one.
    """
    runs = [_obvious_with(threads, partition, release, photos) for threads in sorted({1, cores})]
    return max(runs, key=lambda run: run.photos_per_second)


def _obvious_with(threads: int, partition: Path, release: Path, photos: int) -> Measured:
    context = multiprocessing.get_context("spawn")
    ours, theirs = context.Pipe()
    script = context.Process(target=_obvious_script, args=(theirs, partition, release, threads, photos))
    script.start()
    theirs.close()
    seconds, ages = ours.recv()
    script.join()
    return Measured(photos=len(ages), seconds=seconds, face_ages=ages)


def _obvious_script(pipe: Connection, partition: Path, release: Path, threads: int, photos: int) -> None:
    import cv2
    import numpy as np
    import torch
    from facenet_pytorch import MTCNN
    from PIL import Image

    from model.align import ARCFACE_TEMPLATE
    from model.release import ModelRelease

    torch.set_num_threads(threads)
    detector = MTCNN(keep_all=True)
    loaded = ModelRelease.load(release)
    networks = {biomarker: loaded.network(biomarker) for biomarker in loaded.networks}
    rows = ds.dataset(partition).head(photos, columns=["content_sha256", "content"]).to_pylist()

    def score(content: bytes) -> float | None:
        image = Image.open(BytesIO(content)).convert("RGB")
        boxes, _, landmarks = detector.detect(image, landmarks=True)
        if boxes is None:
            return None
        to_crop, _ = cv2.estimateAffinePartial2D(landmarks[0].astype(np.float32), ARCFACE_TEMPLATE.astype(np.float32))
        crop = cv2.warpAffine(np.asarray(image), to_crop, (112, 112))
        pixels = torch.from_numpy(crop).permute(2, 0, 1)[None].float() / 127.5 - 1
        with torch.no_grad():
            scores = {biomarker: float(network(pixels)) for biomarker, network in networks.items()}
        return scores["age"]

    score(rows[0]["content"])
    started = time.perf_counter()
    ages = {row["content_sha256"]: score(row["content"]) for row in rows}
    pipe.send((time.perf_counter() - started, ages))


@contextmanager
def spark_stage(
    home: Path, photos: Sequence[BenchPhoto], release: Path, cores: int
) -> Iterator[tuple[Callable[[], Measured], float]]:
    """What `fahr score` runs, on local[cores], as often as asked; and the seconds a first, small job took.

    The clock runs over one whole job: planning, reading, scoring and writing staged Parquet. The session is up and the
    workers have their networks, as the ceiling's processes have theirs.
    """
    os.environ |= {"FAHR_HOME": str(home), "FAHR_MODEL": str(release), "FAHR_SPARK_MASTER": f"local[{cores}]"}
    from jobs.releases import locate_release
    from jobs.score import PendingPhoto, _landed_bytes, stage_scores
    from jobs.settings import load_settings
    from jobs.spark import LazySpark

    settings = load_settings()
    model = locate_release(settings, str(release))
    run_id = photo_run_id(len(photos))
    pending = [PendingPhoto(photo.photo_id, photo.content_sha256, run_id) for photo in photos]

    def job(some: Sequence[PendingPhoto]) -> Measured:
        folder = settings.staged / f"bench={uuid4()}"
        started = time.perf_counter()
        frame = _landed_bytes(spark.session, settings.landing, some)
        stage_scores(frame, settings=settings, release=model, folder=folder)
        seconds = time.perf_counter() - started
        rows = ds.dataset(folder, format="parquet").to_table(columns=["content_sha256", "face_age_years"]).to_pylist()
        ages = {row["content_sha256"]: row["face_age_years"] for row in rows}
        return Measured(photos=len(ages), seconds=seconds, face_ages=ages)

    with LazySpark(settings, "bench", scores=True) as spark:
        spark.preload(model.folder)
        first_job = job(pending[: 2 * cores])
        yield lambda: job(pending), first_job.seconds


def bench_partition(home: Path, count: int) -> Path:
    """Where the bench's photographs stand."""
    return landing_partition(home / "landing", photo_run_id(count))
