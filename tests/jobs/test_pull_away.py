"""Pull: a share or a folder that is not what it was is away, and condemns nothing."""

from __future__ import annotations

import shutil
from datetime import date
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import text

from jobs.errors import PartialNight
from jobs.pull import pull
from tests.jobs.landed import rows

NIGHTS = [date(2026, 3, day) for day in range(2, 9)]


@pytest.fixture
def share(settings, owner_engine) -> Path:
    """A share with a file that nobody lists, and one patient."""
    settings.share.mkdir(parents=True)
    (settings.share / "README").write_text("Photographs of the clinic.")
    with owner_engine.begin() as connection:
        connection.execute(text("INSERT INTO hospital.patient_id_map VALUES ('M1', 1)"))
    return settings.share


def register(owner_engine, first: int, last: int, *, night: date = NIGHTS[0]) -> None:
    """Photos `first` to `last` appear in the manifest."""
    with owner_engine.begin() as connection:
        connection.execute(
            text(
                "INSERT INTO hospital.photo_manifest"
                " SELECT 'k' || number, 'M1', 'photos/' || number || '.jpg', '2026-02-28 10:00', CAST(:night AS date)"
                " FROM generate_series(CAST(:first AS int), :last) AS number"
            ),
            {"first": first, "last": last, "night": night},
        )


def arrive(share: Path, first: int, last: int) -> None:
    """Their files come."""
    (share / "photos").mkdir(exist_ok=True)
    for number in range(first, last + 1):
        (share / "photos" / f"{number}.jpg").write_bytes(b"\xff\xd8\xff" + bytes([number]))


def reasons(engine) -> dict[str | None, int]:
    found = rows(engine, "SELECT reason_code, count(*) FROM fahr.photo_v1 GROUP BY 1")
    return {row.reason_code: row.count for row in found}


def told_away(**arguments: Any) -> str:
    with pytest.raises(PartialNight) as partial:
        pull(**arguments)
    assert partial.value.exit_code == 14
    return str(partial.value)


def test_an_empty_share_is_not_mounted_however_few_photos_wait(settings, engine, owner_engine, spark, share):
    register(owner_engine, 1, 1)
    (share / "README").unlink()
    told_away(settings=settings, engine=engine, spark=spark, night=NIGHTS[0])
    assert reasons(engine) == {}


def test_a_share_that_has_none_of_many_photos_is_away_until_it_has_one(
    settings, engine, owner_engine, spark, share, caplog
):
    night = {"settings": settings, "engine": engine, "spark": spark}
    register(owner_engine, 1, 5)
    for day in (0, 1):
        told_away(night=NIGHTS[day], **night)
        assert reasons(engine) == {"source_unreachable": 5}
    assert "The source share was listed, and then 5 of its photos could not be had" in caplog.text
    arrive(share, 1, 1)
    assert pull(night=NIGHTS[2], **night) == {"listed": 5, "landed": 1, "file_missing": 4}
    assert pull(night=NIGHTS[3], **night)["file_missing"] == 4, "they have been missing before: no alert every night"
    register(owner_engine, 6, 10, night=NIGHTS[4])
    shutil.rmtree(share / "photos")
    told_away(night=NIGHTS[4], **night)
    assert reasons(engine) == {None: 1, "file_missing": 4, "source_unreachable": 5}
    arrive(share, 2, 10)
    assert pull(night=NIGHTS[5], **night) == {"listed": 9, "landed": 9}


def test_a_few_photos_whose_files_are_late_are_missing(settings, engine, owner_engine, spark, share):
    register(owner_engine, 1, 3)
    assert pull(settings=settings, engine=engine, spark=spark, night=NIGHTS[0])["file_missing"] == 3
