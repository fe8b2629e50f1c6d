"""What a night looks at: what changed since the last one, on one night in seven everything; and deletions."""

from __future__ import annotations

import re
from datetime import date, timedelta

import pytest
from sqlalchemy import text

from jobs.errors import DatasetRejected
from jobs.sources.dicom_folder import DicomFolderSource
from jobs.sources.share import ShareSource
from jobs.watermarks import advance, watermark_of
from jobs.withdrawals import find_withdrawn
from tests.jobs.landed import NIGHT, land, photo, rows


@pytest.fixture
def share(settings, engine, owner_engine) -> ShareSource:
    """A share of 40 photos, all pulled on the night, and read and compared through to it."""
    settings.share.mkdir(parents=True)
    (settings.share / "a.jpg").write_bytes(b"never read")
    run = land(settings, engine, [photo(number) for number in range(1, 41)])
    with owner_engine.begin() as connection:
        connection.execute(
            text(
                "INSERT INTO hospital.photo_manifest SELECT source_key, 'M1', 'a.jpg', '2026-02-01', :registered"
                " FROM fahr.photo_v1"
            ),
            {"registered": NIGHT},
        )
        connection.execute(
            text("UPDATE fahr.photo_v1 SET source_version = CAST(:registered AS timestamp)::text"),
            {"registered": NIGHT},
        )
    with engine.begin() as connection:
        advance(connection, ["share", "dicom_folder"], NIGHT, 7, run)
    return ShareSource(root=settings.share)


def register(owner_engine, key: str, registered: date) -> None:
    with owner_engine.begin() as connection:
        connection.execute(
            text("INSERT INTO hospital.photo_manifest VALUES (:key, 'M1', 'a.jpg', '2026-02-01', :registered)"),
            {"key": key, "registered": registered},
        )


def listed(engine, share: ShareSource, days: int) -> list[str]:
    with engine.connect() as connection:
        return [one.key for one in share.new_photos(connection, NIGHT + timedelta(days=days))]


def test_a_row_dated_back_is_found_within_a_week_by_every_night_and_later_by_the_comparison(
    engine, owner_engine, share
):
    assert listed(engine, share, 1) == []
    register(owner_engine, "dated-back", NIGHT - timedelta(days=6))
    register(owner_engine, "dated-far-back", NIGHT - timedelta(days=400))
    assert listed(engine, share, 1) == ["dated-back"]
    assert listed(engine, share, 7) == ["dated-back", "dated-far-back"]


def test_what_failed_or_is_asked_for_again_is_listed_however_long_ago_it_was_registered(engine, owner_engine, share):
    with engine.begin() as connection:
        connection.execute(
            text(
                "UPDATE fahr.photo_v1 SET pull_again = photo_id = 1, source_version = '2020-01-01 00:00:00'"
                " WHERE photo_id <= 2"
            )
        )
        connection.execute(
            text(
                "UPDATE fahr.photo_v1 SET content_sha256 = NULL, landing_run_id = NULL, reason_code = 'file_missing'"
                " WHERE photo_id = 2"
            )
        )
    with owner_engine.begin() as connection:
        connection.execute(
            text(
                "UPDATE hospital.photo_manifest SET registered_at = '2020-01-01'"
                " WHERE photo_key IN ('CANARY-1', 'CANARY-2')"
            )
        )
    assert listed(engine, share, 1) == ["CANARY-1", "CANARY-2"]


def test_a_late_or_repeated_night_turns_no_watermark_back(engine, share):
    (run,) = rows(engine, "SELECT run_id FROM fahr.run_v1")
    with engine.begin() as connection:
        advance(connection, ["share"], NIGHT - timedelta(days=30), 7, run.run_id)
        watermark = watermark_of(connection, "share")
    assert watermark is not None
    assert (watermark.seen_through, watermark.compared_on) == (NIGHT, NIGHT)
    assert listed(engine, share, -30) == []


def withdrawn(engine, settings, share: object, *, days: int, allowed: float = 0.1) -> list[int]:
    settings = settings.model_copy(update={"withdrawn_share": allowed})
    with engine.connect() as connection:
        return find_withdrawn(connection, settings, [share], set(), NIGHT + timedelta(days=days))


def test_deletions_are_noticed_by_the_comparison_and_too_many_stop_the_night(settings, engine, owner_engine, share):
    def delete(first: int, last: int) -> None:
        keys = [f"CANARY-{number}" for number in range(first, last + 1)]
        with owner_engine.begin() as connection:
            connection.execute(text("DELETE FROM hospital.photo_manifest WHERE photo_key = ANY(:keys)"), {"keys": keys})

    delete(1, 20)
    assert withdrawn(engine, settings, share, days=1) == []
    assert withdrawn(engine, settings, share, days=7) == list(range(1, 21))
    delete(21, 21)
    with pytest.raises(DatasetRejected, match=re.escape("no longer has 21 of its 40 photos")) as refused:
        withdrawn(engine, settings, share, days=7)
    assert refused.value.exit_code == 11
    assert withdrawn(engine, settings, share, days=7, allowed=1.0) == list(range(1, 22))


def test_a_file_that_is_gone_from_the_folder_is_withdrawn(settings, engine, share, tmp_path):
    (tmp_path / "dicom").mkdir()
    (tmp_path / "dicom" / "CANARY-1").write_bytes(b"still there")
    with engine.begin() as connection:
        connection.execute(text("UPDATE fahr.photo_v1 SET source = 'dicom_folder' WHERE photo_id <= 2"))
    folder = DicomFolderSource(root=tmp_path / "dicom")
    assert withdrawn(engine, settings, folder, days=1) == []
    assert withdrawn(engine, settings, folder, days=7) == [2]
