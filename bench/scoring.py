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

from bench.contenders import Ages, bench_partition, ceiling, obvious, spark_stage
from bench.photographs import HEIGHT_PX, WIDTH_PX, prepared_photos
from model.release import MANIFEST, random_release

RESULTS = Path(__file__).parent / "results"
PACKAGES = ("torch", "pyspark", "pyarrow", "simplejpeg", "facenet-pytorch", "transformers")


@dataclass(frozen=True)
class ScoringResult:
    """One run of the bench: everything needed to read its numbers."""

    measured_at: str
    processor: str
    cores: int
    versions: dict[str, str]
    model: str
    photos: int
    photo_kind: str
    obvious_photos: int
    spark_photos_per_second: float
    ceiling_photos_per_second: float
    obvious_photos_per_second: float
    spark_of_ceiling: float
    spark_times_obvious: float
    spark_first_job_seconds: float
    scored: int
    largest_difference_years: float
    """Largest |FaceAge| difference between the Spark stage and the ceiling over all photographs."""


def run(*, home: Path, photos: int, obvious_photos: int, cores: int) -> ScoringResult:
    """Measure the three contenders, one after the other, over the same photographs with random ViT-B/16 weights."""
    _say(f"making {photos} photographs, where they are not kept from before")
    landed = prepared_photos(home / "landing", photos)
    release = home / "random-vit-b16"
    if not (release / MANIFEST).is_file():
        random_release(release)
    partition = bench_partition(home, photos)
    _say(f"the ceiling: {cores} processes over {photos} photographs")
    plain = ceiling(partition, release, cores)
    _say(f"{plain.photos_per_second:.2f} photos/s; now the Spark stage, local[{cores}]")
    spark, first_job = spark_stage(home, landed, release, cores)
    _say(f"{spark.photos_per_second:.2f} photos/s; now the obvious script over {obvious_photos} photographs")
    script = obvious(partition, release, cores, obvious_photos)
    return ScoringResult(
        measured_at=datetime.now(UTC).isoformat(timespec="seconds"),
        processor=_processor(),
        cores=cores,
        versions={"python": platform.python_version()} | {name: version(name) for name in PACKAGES},
        model="two ViT-B/16 at 112 px, random weights, float32",
        photos=spark.photos,
        photo_kind=f"{WIDTH_PX} x {HEIGHT_PX} JPEG of drawn faces",
        obvious_photos=script.photos,
        spark_photos_per_second=round(spark.photos_per_second, 2),
        ceiling_photos_per_second=round(plain.photos_per_second, 2),
        obvious_photos_per_second=round(script.photos_per_second, 3),
        spark_of_ceiling=round(spark.photos_per_second / plain.photos_per_second, 3),
        spark_times_obvious=round(spark.photos_per_second / script.photos_per_second, 1),
        spark_first_job_seconds=round(first_job, 1),
        scored=sum(age is not None for age in spark.face_ages.values()),
        largest_difference_years=round(_largest_difference(spark.face_ages, plain.face_ages), 5),
    )


def _largest_difference(ages: Ages, others: Ages) -> float:
    """Over photographs both scored. Raises ValueError where they did not score the same ones: not the same work."""
    if {key for key, age in ages.items() if age is not None} != {key for key, age in others.items() if age is not None}:
        raise ValueError("the contenders did not score the same photographs")
    return max((abs(age - (others[key] or 0.0)) for key, age in ages.items() if age is not None), default=0.0)


def as_markdown(result: ScoringResult) -> str:
    """The result as a page."""
    versions = ", ".join(f"{name} {number}" for name, number in result.versions.items())
    subset = "" if result.obvious_photos == result.photos else f" (over {result.obvious_photos} of them)"
    return f"""# Scoring, {result.measured_at}

{result.photos} photographs, {result.photo_kind}; {result.model}; {result.cores} cores of {result.processor}.

| | photos/s | Spark stage is |
|---|---|---|
| Spark scoring stage | {result.spark_photos_per_second} | |
| ceiling: the same functions in a plain loop, a process a core | {result.ceiling_photos_per_second} | \
{result.spark_of_ceiling} of it |
| obvious script{subset} | {result.obvious_photos_per_second} | {result.spark_times_obvious} times it |

Scored: {result.scored}. Largest difference in FaceAge between Spark stage and ceiling: \
{result.largest_difference_years} years.
The first job of a fresh session, workers and networks included, took {result.spark_first_job_seconds} s.

{versions}
"""


def write(result: ScoringResult, folder: Path = RESULTS) -> Path:
    """Write the result as JSON and as a page; returns the page."""
    folder.mkdir(exist_ok=True)
    name = f"scoring-{result.measured_at[:10]}-cpu{result.cores}-float32-torch{result.versions['torch']}"
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
        "versions": {"python": platform.python_version()} | {name: version(name) for name in PACKAGES},
    }


def _processor() -> str:
    for line in Path("/proc/cpuinfo").read_text().splitlines():
        if line.startswith("model name"):
            return line.partition(":")[2].strip()
    return platform.processor()
