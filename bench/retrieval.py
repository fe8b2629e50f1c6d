"""Retrieval from a PACS: the reader of the nightly pull against a bare concurrent HTTP client, both with 8 connections.

Both get the same photographs from the same Orthanc in turn, in one process, and hold none of them. The bare client
sends the same headers and counts bytes; the reader also checks that each answer is whole and the right instance.
"""

from __future__ import annotations

import json
import os
import statistics
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from pathlib import Path

import numpy as np
import urllib3
from pydantic import SecretStr
from urllib3.util import make_headers

from bench.scoring import RESULTS, machine
from jobs.demo.dicom_photographs import dicom_file
from jobs.demo.pacs import USER, Orthanc, orthanc_running
from jobs.sources.archive_photo import Locator
from jobs.sources.dicomweb import DICOM_FILE, DicomwebReader
from jobs.sources.http_peer import HttpPeer
from jobs.sources.reading import read_ahead
from tests.pacs.objects import photo_object, sop_uid, study_uid

CONNECTIONS = 8
SIDE_PX = 1000
LIMIT_BYTES = 2**26
TARGET = 0.8


@dataclass(frozen=True)
class RetrievalResult:
    """Photographs a second, of each round."""

    photos: int
    megabytes: float
    connections: int
    bare_photos_per_second: list[float]
    reader_photos_per_second: list[float]
    ratio: float
    """Median of the reader's rounds by that of the bare client's."""


def run(*, photos: int = 400, rounds: int = 5) -> RetrievalResult:
    """Store photographs of a megapixel in an Orthanc of its own, and get them all, in turn by either."""
    with orthanc_running() as server:
        total = _fill(server, photos)
        contenders: dict[str, Callable[[Orthanc, int], int]] = {"bare": _bare, "reader": _reader}
        pace: dict[str, list[float]] = {name: [] for name in contenders}
        for number in range(rounds + 1):
            for name, contender in contenders.items():
                started = time.perf_counter()
                got = contender(server, photos)
                seconds = time.perf_counter() - started
                if got < total:
                    raise RuntimeError(f"{name} got {got} of {total} bytes")
                if number:  # the first round fills caches
                    pace[name].append(round(photos / seconds, 1))
    return RetrievalResult(
        photos=photos,
        megabytes=round(total / 1e6, 1),
        connections=CONNECTIONS,
        bare_photos_per_second=pace["bare"],
        reader_photos_per_second=pace["reader"],
        ratio=round(statistics.median(pace["reader"]) / statistics.median(pace["bare"]), 2),
    )


def as_markdown(result: RetrievalResult) -> str:
    """The result in two lines."""
    bare, reader = (statistics.median(one) for one in (result.bare_photos_per_second, result.reader_photos_per_second))
    return (
        f"{result.photos} photographs ({result.megabytes} MB) from Orthanc over {result.connections} connections:\n"
        f"bare client {bare:.0f}/s, reader of the pull {reader:.0f}/s, ratio {result.ratio:.2f} (wanted: {TARGET})"
    )


def write(result: RetrievalResult, folder: Path = RESULTS) -> Path:
    """Keep the result as JSON."""
    path = folder / f"retrieval-{datetime.now(UTC).date()}-cpu{os.cpu_count()}-orthanc.json"
    path.write_text(json.dumps(machine() | asdict(result), indent=2) + "\n")
    return path


def _fill(server: Orthanc, photos: int) -> int:
    """Store the photographs, which differ in their UIDs only; returns their bytes."""
    dataset = photo_object(0, side_px=SIDE_PX)
    total = 0
    for number in range(photos):
        dataset.SOPInstanceUID, dataset.StudyInstanceUID = sop_uid(number), study_uid(number)
        dataset.SeriesInstanceUID = f"{study_uid(number)}.1"
        content = dicom_file(dataset)
        if not server.store(content):
            raise RuntimeError("Orthanc did not take a photograph")
        total += len(content)
    return total


def _locators(photos: int) -> list[Locator]:
    order = np.random.default_rng(0).permutation(photos)
    return [Locator(study_uid(number), f"{study_uid(number)}.1", sop_uid(number)) for number in order]


def _bare(server: Orthanc, photos: int) -> int:
    pool = urllib3.PoolManager(maxsize=CONNECTIONS, block=True)
    headers = {"Accept": DICOM_FILE, "Accept-Encoding": "identity"}
    headers |= make_headers(basic_auth=f"{USER}:{server.password}")

    def get(photo: Locator) -> int:
        path = f"studies/{photo.study_uid}/series/{photo.series_uid}/instances/{photo.sop_uid}"
        return len(pool.request("GET", f"{server.url}/{path}", headers=headers).data)

    with ThreadPoolExecutor(CONNECTIONS) as threads:
        return sum(threads.map(get, _locators(photos)))


def _reader(server: Orthanc, photos: int) -> int:
    peer = HttpPeer(server.url, user=USER, password=SecretStr(server.password), connections=CONNECTIONS)
    tasks = [{"locator": photo.to_text(), "refused_as": None} for photo in _locators(photos)]
    read = read_ahead(DicomwebReader(peer), tasks, LIMIT_BYTES, threads=CONNECTIONS)
    return sum(len(content) for _, content in read if isinstance(content, bytes))
