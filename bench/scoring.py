"""Photos a second of the Spark scoring stage, against the ceiling and against the obvious script."""

from __future__ import annotations

import json
import os
import platform
import sys
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from importlib.metadata import version
from pathlib import Path
from statistics import median
from typing import Any

import numpy as np
import torch

from bench.contenders import Ages, bench_partition, ceiling, obvious, spark_stage
from bench.parity import HeldParity, measured_release
from bench.photographs import HEIGHT_PX, WIDTH_PX, prepared_photos
from model.release import ModelRelease
from model.scorer import choose_dtype, processor_has_bfloat16

RESULTS = Path(__file__).parent / "results"
PACKAGES = ("torch", "pyspark", "pyarrow", "simplejpeg", "facenet-pytorch", "transformers")


@dataclass(frozen=True)
class Round:
    """The three contenders, one right after the other; photographs a second."""

    ceiling: float
    spark: float
    obvious: float

    @property
    def spark_of_ceiling(self) -> float:
        """What share of the ceiling the Spark stage reaches."""
        return self.spark / self.ceiling

    @property
    def spark_times_obvious(self) -> float:
        """How many times the obvious script the Spark stage is."""
        return self.spark / self.obvious


@dataclass(frozen=True)
class ScoringResult:
    """One run of the bench: everything needed to read its numbers. Speeds and ratios are medians over the rounds."""

    machine: dict[str, Any]
    load_average: float
    """Of the machine over the minute before the first round: what others did meanwhile."""
    dtype: str
    model: str
    photos: int
    photo_kind: str
    obvious_photos: int
    rounds: list[Round]
    spark_of_ceiling: float
    spark_times_obvious: float
    spark_first_job_seconds: float
    scored: int
    largest_difference_from_ceiling_years: float
    """Largest |FaceAge| difference between the Spark stage and the ceiling over all photographs."""
    float32_photos_per_second: float
    """The ceiling with both networks in float32."""
    largest_difference_from_float32_years: float
    """Largest |FaceAge| difference between the Spark stage and the ceiling in float32 over all photographs."""
    parity: HeldParity

    def speed(self, contender: str) -> float:
        """Median photographs a second of "ceiling", "spark" or "obvious"."""
        return median(getattr(one, contender) for one in self.rounds)


def run(*, home: Path, photos: int, obvious_photos: int, cores: int, rounds: int) -> ScoringResult:
    """Measure the contenders in turn, `rounds` times, over the same photographs with random ViT-B/16 weights."""
    _say(f"making {photos} photographs, where they are not kept from before")
    landed = prepared_photos(home / "landing", photos)
    release, parity = measured_release(home)
    partition = bench_partition(home, photos)
    done: list[Round] = []
    load = os.getloadavg()[0]
    with spark_stage(home, landed, release, cores) as (spark_job, first_job):
        for number in range(1, rounds + 1):
            plain, spark = ceiling(partition, release, cores), spark_job()
            script = obvious(partition, release, cores, obvious_photos)
            done.append(Round(*(round(one.photos_per_second, 3) for one in (plain, spark, script))))
            _say(f"round {number}: {done[-1]}")
    exact = ceiling(partition, release, cores, dtype="float32")
    return ScoringResult(
        machine=machine(),
        load_average=round(load, 1),
        dtype=str(choose_dtype(torch.device("cpu"), "auto", ModelRelease.load(release))).removeprefix("torch."),
        model="two ViT-B/16 at 112 px, random weights",
        photos=spark.photos,
        photo_kind=f"{WIDTH_PX} x {HEIGHT_PX} JPEG of drawn faces",
        obvious_photos=script.photos,
        rounds=done,
        spark_of_ceiling=round(median(one.spark_of_ceiling for one in done), 3),
        spark_times_obvious=round(median(one.spark_times_obvious for one in done), 1),
        spark_first_job_seconds=round(first_job, 1),
        scored=sum(age is not None for age in spark.face_ages.values()),
        largest_difference_from_ceiling_years=_largest_difference(spark.face_ages, plain.face_ages),
        float32_photos_per_second=round(exact.photos_per_second, 3),
        largest_difference_from_float32_years=_largest_difference(spark.face_ages, exact.face_ages),
        parity=parity,
    )


def _largest_difference(ages: Ages, others: Ages) -> float:
    """Over photographs both scored. Raises ValueError where they did not score the same ones: not the same work."""
    scored, others_scored = ({key for key, age in these.items() if age is not None} for these in (ages, others))
    if scored != others_scored:
        raise ValueError("the contenders did not score the same photographs")
    differences = [abs((ages[key] or 0.0) - (others[key] or 0.0)) for key in scored]
    return round(float(np.max(differences, initial=0.0)), 5)


def as_markdown(result: ScoringResult) -> str:
    """The result as a page."""
    told, parity = result.machine, result.parity
    versions = ", ".join(f"{name} {number}" for name, number in told["versions"].items())
    subset = "" if result.obvious_photos == result.photos else f" (over {result.obvious_photos} of them)"
    rounds = "\n".join(
        f"| {number} | {one.spark:.1f} | {one.ceiling:.1f} | {one.obvious:.2f} | {one.spark_of_ceiling:.2f} | "
        f"{one.spark_times_obvious:.1f} |"
        for number, one in enumerate(result.rounds, start=1)
    )
    return f"""# Scoring in {result.dtype}, {told["measured_at"]}

{result.photos} photographs, {result.photo_kind}; {result.model}, in {result.dtype}; {told["cores"]} cores of \
{told["processor"]}. Medians of {len(result.rounds)} rounds, the contenders in turn; load average before: \
{result.load_average}.

| | photos/s | Spark stage is |
|---|---|---|
| Spark scoring stage | {result.speed("spark"):.1f} | |
| ceiling: the same functions in a plain loop, a process a core | {result.speed("ceiling"):.1f} | \
{result.spark_of_ceiling:.2f} of it |
| obvious script, float32, one thread or all cores, whichever is faster{subset} | \
{result.speed("obvious"):.2f} | {result.spark_times_obvious} times it |
| for comparison: the ceiling in float32, once | {result.float32_photos_per_second:.1f} | |

| round | Spark | ceiling | obvious | of ceiling | times obvious |
|---|---|---|---|---|---|
{rounds}

Scored: {result.scored}. The first job of a fresh session, workers and networks included, took \
{result.spark_first_job_seconds} s.

## Do the scores stay the same?

Largest difference in FaceAge over these photographs: Spark stage and ceiling \
{result.largest_difference_from_ceiling_years:.4f} years; Spark stage and the ceiling in float32 \
{result.largest_difference_from_float32_years:.4f} years.

bfloat16 against float32 on aligned drawn faces, by the function that decides whether a CPU may score in it \
(`model.parity`; at most 0.1 years):

| FaceAge network | faces | SD of its output, years | largest difference, years | 99.9 % | mean |
|---|---|---|---|---|---|
| random ViT-B/16, as measured above | {parity.random.faces} | {parity.random.output_sd:.1f} | \
{parity.random.largest:.3f} | {parity.random.quantile_999:.3f} | {parity.random.mean:.3f} |
| the same, its head scaled until the output has an SD of 15 years | {parity.scaled.faces} | \
{parity.scaled.output_sd:.1f} | {parity.scaled.largest:.3f} | {parity.scaled.quantile_999:.3f} | \
{parity.scaled.mean:.3f} |
| {parity.shipped_model}, which ships | {parity.shipped.faces} | {parity.shipped.output_sd:.1f} | \
{parity.shipped.largest:.3f} | {parity.shipped.quantile_999:.3f} | {parity.shipped.mean:.3f} |

A random network hardly tells faces apart: what differs between two faces is small beside what all have in common, and \
rounding acts on both. Scaled until it spreads over ages as a trained one does, it {_verdict(parity.scaled.largest)}. \
A trained network is far less sensitive, as the last row shows; every release is measured for itself.

{versions}
"""


def _verdict(largest: float) -> str:
    if largest <= 0.1:
        return "would hold the 0.1 years as well"
    return "would miss the 0.1 years, and be scored in float32"


def write(result: ScoringResult, folder: Path = RESULTS) -> Path:
    """Write the result as JSON and as a page; returns the page."""
    folder.mkdir(exist_ok=True)
    told = result.machine
    name = f"scoring-{told['measured_at'][:10]}-cpu{told['cores']}-{result.dtype}-torch{told['versions']['torch']}"
    (folder / f"{name}.json").write_text(json.dumps(asdict(result), indent=2) + "\n")
    page = folder / f"{name}.md"
    page.write_text(as_markdown(result))
    return page


def _say(text: str) -> None:
    print(text, file=sys.stderr, flush=True)


def machine() -> dict[str, object]:
    """What a result was measured on: instant, processor, cores, versions."""
    return {
        "measured_at": datetime.now(UTC).isoformat(timespec="seconds"),
        "processor": _processor(),
        "cores": os.cpu_count(),
        "bfloat16": processor_has_bfloat16(),
        "versions": {"python": platform.python_version()} | {name: version(name) for name in PACKAGES},
    }


def _processor() -> str:
    for line in Path("/proc/cpuinfo").read_text().splitlines():
        if line.startswith("model name"):
            return line.partition(":")[2].strip()
    return platform.processor()
