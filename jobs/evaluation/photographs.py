"""Photographs that an evaluation looks at itself, from the landing zone or a folder: a few people's bytes at a time.

Bytes and pixels live only while they are worked on; nothing of them is written anywhere.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from datetime import date
from pathlib import Path
from typing import Any

import pyarrow.dataset as ds
from sqlalchemy import Engine, text

from jobs.evaluation.errors import NothingToEvaluate
from jobs.landing import landing_partition
from jobs.merges import kept_persons
from jobs.opt_outs import refusing_persons
from jobs.sources.base import PhotoUnreadable
from jobs.sources.files import FolderReader
from jobs.warehouse.synthetic import is_synthetic
from model.release import ModelRelease

PEOPLE_AT_A_TIME = 8
"""People whose bytes are held together, two photographs each."""

PHOTO_SUFFIXES = {".jpg", ".jpeg", ".png", ".tif", ".tiff", ".bmp", ".dcm"}

OneDay = tuple[bytes, ...]
"""One or two photographs of a person, taken on one day; the first is the one that is evaluated."""


@dataclass(frozen=True)
class Photographs:
    """People the model was not trained on, and how to read their photographs."""

    data: str
    """What they are, in words; no path, no person."""
    sha256: str
    """Fingerprint of the photographs."""
    is_synthetic: bool
    count: int
    """People."""
    read: Callable[[], Iterator[OneDay]]
    """The people, one after the other; a photograph that is gone is left out, and a person without any."""


def warehouse_photographs(
    engine: Engine, *, landing: Path, night: date, release: ModelRelease, most_people: int
) -> Photographs:
    """Accepted photographs of people of whom none taught the release; at most `most_people`, chosen by a hash.

    Of each person one day is taken: the latest with two photographs, else the latest. Of who refused by today: none.

    Raises:
        NothingToEvaluate: there are none.
    """
    with engine.connect() as connection:
        connection.execute(text("SET LOCAL enable_nestloop = off; SET LOCAL jit = off"))
        asked = {
            "night": night,
            "refusing": list(refusing_persons(connection, night, kept_persons(connection, night))),
            "model_id": release.model_id,
            "networks": [network.sha256 for network in release.networks.values()],
            "most_people": most_people,
        }
        rows = [row._asdict() for row in connection.execute(_ONE_DAY_EACH, asked)]
        is_demo = is_synthetic(connection)
    if not rows:
        raise NothingToEvaluate(
            f"No accepted photo is of a person that {release.model_id} was not trained on.",
            next_step="Pull and validate photos (`fahr nightly`), or use --folder or --drawn.",
        )
    days: dict[int, list[dict[str, Any]]] = {}
    for row in rows:
        days.setdefault(row["person_id"], []).append(row)
    return Photographs(
        data=f"Accepted photos of {len(days)} people of this warehouse, up to {night}, none of whom taught the model.",
        sha256=_fingerprint([row["content_sha256"] for row in rows]),
        is_synthetic=is_demo,
        count=len(days),
        read=lambda: _read_landed(landing, list(days.values())),
    )


def folder_photographs(folder: Path, *, is_synthetic: bool, most_people: int, limit_bytes: int) -> Photographs:
    """Photographs below a folder. A file in it is a person; a folder in it is a person with photographs of one day.

    Raises:
        NothingToEvaluate: the folder is not there, or holds no photograph.
    """
    root = folder.resolve()
    found = sorted(path for path in root.rglob("*") if path.suffix.lower() in PHOTO_SUFFIXES and path.is_file())
    by_person: dict[str, list[str]] = {}
    for path in found:
        inside = path.relative_to(root)
        person = inside.name if len(inside.parts) == 1 else str(inside.parent) + "/"
        by_person.setdefault(person, []).append(str(inside))
    if not by_person:
        raise NothingToEvaluate("The folder is not there, or holds no photo.", next_step="Check --folder.")
    chosen = sorted(by_person, key=lambda name: hashlib.sha256(name.encode()).digest())[:most_people]
    locators = [by_person[person][:2] for person in chosen]
    reader = FolderReader(root=root, knows_patient=True)
    hashes = [
        hashlib.sha256(content).hexdigest() for day in _read_folder(reader, locators, limit_bytes) for content in day
    ]
    return Photographs(
        data=f"Photos of {len(locators)} people in a folder.",
        sha256=_fingerprint(hashes),
        is_synthetic=is_synthetic,
        count=len(locators),
        read=lambda: _read_folder(reader, locators, limit_bytes),
    )


def _read_folder(reader: FolderReader, locators: Sequence[Sequence[str]], limit_bytes: int) -> Iterator[OneDay]:
    for of_person in locators:
        contents = []
        for locator in of_person:
            try:
                contents.append(reader.read(locator, limit_bytes))
            except PhotoUnreadable:
                continue
        if contents:
            yield tuple(contents)


def _read_landed(landing: Path, days: Sequence[Sequence[dict[str, Any]]]) -> Iterator[OneDay]:
    """The photographs of each person's day, a few people's at a time, from the partitions that hold them."""
    for start in range(0, len(days), PEOPLE_AT_A_TIME):
        together = days[start : start + PEOPLE_AT_A_TIME]
        wanted = {row["photo_id"]: row for day in together for row in day}
        contents: dict[int, bytes] = {}
        for pull in sorted({row["landing_run_id"] for row in wanted.values()}):
            of_pull = [photo_id for photo_id, row in wanted.items() if row["landing_run_id"] == pull]
            contents |= _read_partition(landing_partition(landing, pull), of_pull)
        for day in together:
            read = [contents[row["photo_id"]] for row in day if _is_as_recorded(contents.get(row["photo_id"]), row)]
            if read:
                yield tuple(read)


def _read_partition(partition: Path, photo_ids: Sequence[int]) -> dict[int, bytes]:
    if not partition.is_dir():
        return {}
    batches = ds.dataset(partition, format="parquet").to_batches(
        columns=["photo_id", "content"],
        filter=ds.field("photo_id").isin(photo_ids),
        # Photographs are megabytes: without this Arrow reads far ahead.
        batch_size=16,
        batch_readahead=1,
        fragment_readahead=1,
    )
    return {row["photo_id"]: row["content"] for batch in batches for row in batch.to_pylist()}


def _is_as_recorded(content: bytes | None, row: dict[str, Any]) -> bool:
    return content is not None and hashlib.sha256(content).hexdigest() == row["content_sha256"]


def _fingerprint(hashes: Sequence[str]) -> str:
    return hashlib.sha256("\n".join(hashes).encode()).hexdigest()


_ONE_DAY_EACH = text(
    """
    WITH taught AS (
        SELECT DISTINCT photo.content_sha256, photo.person_id
        FROM fahr.model_training_v1 AS training
        JOIN fahr.training_photo_v1 AS photo USING (data_set_id, split, fold)
        WHERE training.model_id = :model_id OR training.network_sha256 = ANY(:networks)
    ),
    taught_person AS (
        SELECT person_id FROM taught WHERE person_id IS NOT NULL
        UNION
        SELECT filed.person_id FROM fahr.photo_v1 AS filed JOIN taught USING (content_sha256)
        WHERE filed.person_id IS NOT NULL
    ),
    shared AS (
        SELECT content_sha256 FROM fahr.photo_v1 GROUP BY content_sha256 HAVING count(DISTINCT person_id) > 1
    ),
    usable AS (
        SELECT DISTINCT ON (photo.content_sha256)
            photo.photo_id, photo.person_id, photo.content_sha256, photo.landing_run_id,
            photo.captured_at::date AS captured_on
        FROM fahr.photo_v1 AS photo
        JOIN fahr.validation_v1 AS decision USING (photo_id, content_sha256)
        WHERE decision.accepted AND decision.decided_on <= :night AND photo.captured_at::date <= :night
            AND photo.person_id IS NOT NULL
            AND NOT EXISTS (SELECT FROM taught_person WHERE taught_person.person_id = photo.person_id)
            AND NOT EXISTS (SELECT FROM taught WHERE taught.content_sha256 = photo.content_sha256)
            AND NOT EXISTS (SELECT FROM shared WHERE shared.content_sha256 = photo.content_sha256)
            AND photo.person_id <> ALL(:refusing)
        ORDER BY photo.content_sha256, photo.photo_id
    ),
    days AS (
        SELECT DISTINCT ON (person_id) person_id, captured_on
        FROM usable
        GROUP BY person_id, captured_on
        ORDER BY person_id, (count(*) >= 2) DESC, captured_on DESC
    ),
    chosen AS (
        SELECT person_id, captured_on FROM days ORDER BY sha256(person_id::text::bytea), person_id LIMIT :most_people
    ),
    numbered AS (
        SELECT usable.*, row_number() OVER (PARTITION BY person_id ORDER BY photo_id) AS number
        FROM usable JOIN chosen USING (person_id, captured_on)
    )
    SELECT person_id, photo_id, content_sha256, landing_run_id FROM numbered WHERE number <= 2
    ORDER BY sha256(person_id::text::bytea), person_id, photo_id
    """
)
