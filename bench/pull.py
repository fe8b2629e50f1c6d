"""Peak memory and pace of a pull of 12-megapixel photos: memory must not grow with the night."""

from __future__ import annotations

import io
import json
import os
import shutil
import subprocess
import time
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from pathlib import Path

import numpy as np
import psycopg
from PIL import Image

from bench.memory import peak_memory_of
from bench.scoring import RESULTS, machine
from jobs.spark_conf import environment_bin

WIDTH_PX, HEIGHT_PX = 4000, 3000
HEAP = "1g"


@dataclass(frozen=True)
class PullResult:
    """One pull."""

    photos: int
    megabytes: int
    seconds: float
    photos_per_second: float
    plain_copy_seconds: float
    """The same bytes read and written by one thread, in the same run: what the disk gives."""
    peak_memory_mib: int
    """Of the driver, its Java and the Python workers together, shared pages counted once."""
    peak_by_program_mib: dict[str, int]


def run(*, home: Path, sizes: tuple[int, ...] = (250, 1000, 2000)) -> list[PullResult]:
    """Pull nights of different sizes, each into a fresh home."""
    return [_pull(home / f"pull-{photos}", photos) for photos in sizes]


def write(results: list[PullResult], folder: Path = RESULTS) -> Path:
    """Keep the results as JSON."""
    today = datetime.now(UTC).date()
    path = folder / f"pull-{today}-cpu{os.cpu_count()}-heap{HEAP}.json"
    path.write_text(json.dumps(machine() | {"results": [asdict(result) for result in results]}, indent=2) + "\n")
    return path


def _pull(home: Path, photos: int) -> PullResult:
    shutil.rmtree(home, ignore_errors=True)
    share = home / "hospital" / "photos"
    share.mkdir(parents=True)
    environment = os.environ | {"FAHR_HOME": str(home), "FAHR_SPARK_MEMORY": HEAP, "FAHR_SPARK_MASTER": "local[2]"}
    total = _fill(share, photos)
    _register(environment, photos)
    copied = _plain_copy(share, home / "copy")
    started = time.perf_counter()
    process = subprocess.Popen([environment_bin() / "fahr", "pull", "--date", "2026-03-01"], env=environment)
    with peak_memory_of(process.pid) as peak:
        if process.wait() != 0:
            raise RuntimeError(f"the pull ended with {process.returncode}")
    seconds = time.perf_counter() - started
    subprocess.run([environment_bin() / "fahr", "warehouse", "stop"], env=environment, check=True)
    shutil.rmtree(home)
    return PullResult(
        photos=photos,
        megabytes=total // 10**6,
        seconds=round(seconds, 1),
        photos_per_second=round(photos / seconds, 1),
        plain_copy_seconds=round(copied, 1),
        peak_memory_mib=peak.total // 2**20,
        peak_by_program_mib={name: size // 2**20 for name, size in peak.by_program.items()},
    )


def _fill(share: Path, photos: int) -> int:
    """Write photos of some 4 MB; each differs from the others in a comment after the end of the picture."""
    rng = np.random.default_rng(0)
    coarse = rng.integers(0, 255, (HEIGHT_PX // 8, WIDTH_PX // 8, 3), dtype=np.uint8)
    picture = np.asarray(
        Image.fromarray(coarse).resize((WIDTH_PX, HEIGHT_PX), Image.Resampling.BICUBIC), dtype=np.int16
    )
    picture = picture + rng.integers(-14, 14, picture.shape, dtype=np.int16)
    buffer = io.BytesIO()
    Image.fromarray(picture.clip(0, 255).astype(np.uint8)).save(buffer, "JPEG", quality=90)
    content = buffer.getvalue()
    for number in range(photos):
        (share / f"{number}.jpg").write_bytes(content + f"photo {number}".encode())
    return photos * len(content)


def _register(environment: dict[str, str], photos: int) -> None:
    fahr = environment_bin() / "fahr"
    subprocess.run([fahr, "warehouse", "start"], env=environment, check=True, capture_output=True)
    url = subprocess.run([fahr, "warehouse", "url"], env=environment, check=True, capture_output=True, text=True).stdout
    with psycopg.connect(url.strip().replace("+psycopg", "")) as connection:
        connection.execute("INSERT INTO hospital.patient_id_map VALUES ('M1', 1)")
        connection.execute(
            "INSERT INTO hospital.photo_manifest SELECT n, 'M1', n || '.jpg', '2026-02-01', '2026-03-01'"
            " FROM generate_series(0, %s) AS n",
            [photos - 1],
        )


def _plain_copy(share: Path, copy: Path) -> float:
    started = time.perf_counter()
    with copy.open("wb") as target:
        for path in sorted(share.iterdir()):
            target.write(path.read_bytes())
        target.flush()
        os.fsync(target.fileno())
    seconds = time.perf_counter() - started
    copy.unlink()
    return seconds
