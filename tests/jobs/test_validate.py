"""Validate: every landed photo gets one decision with the right reason, or the night is stopped as a whole."""

from __future__ import annotations

import shutil
import time
from datetime import datetime, timedelta

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from sqlalchemy import text

from jobs.errors import DatasetRejected
from jobs.landing import landing_partition
from jobs.validate import validate
from schemas.landing import LANDING_SCHEMA
from tests.jobs.landed import IMPORTS_GREAT_EXPECTATIONS, NIGHT, land, photo, rows, write_partition

pytestmark = IMPORTS_GREAT_EXPECTATIONS

DICOM = {"image_format": "dicom", "sop_class_uid": "1.2.840.10008.5.1.4.1.1.77.1.4", "source": "dicom_folder"}
UNREAD = {"image_format": None, "width_px": None, "height_px": None, "frame_count": None, "has_pixel_data": False}


def decisions(engine) -> dict[int, str | None]:
    return {
        row.photo_id: row.reason_code for row in rows(engine, "SELECT photo_id, reason_code FROM fahr.validation_v1")
    }


def test_every_photo_gets_the_reason_that_fits_it(settings, engine, spark):
    with engine.begin() as connection:
        assert connection.execute(text("SELECT to_regclass('cdm.person')")).scalar_one() is None
    expected = [
        (photo(1), None),
        (photo(2, content=b"", **UNREAD, header_problem="empty_file"), "empty_file"),
        (photo(3, **UNREAD, header_problem="not_an_image"), "not_an_image"),
        (photo(4, image_format="webp"), "unsupported_format"),
        (photo(5, **UNREAD, header_problem="truncated_header"), "truncated_header"),
        (photo(6, height_px=None), "truncated_header"),
        (photo(7, **DICOM, has_pixel_data=False), "dicom_without_pixel_data"),
        (photo(8, image_format="dicom", sop_class_uid="1.2.840.10008.5.1.4.1.1.2"), "unsupported_sop_class"),
        (photo(9, image_format="dicom", sop_class_uid=None), "unsupported_sop_class"),
        (photo(10, **DICOM, frame_count=3), "multi_frame"),
        (photo(11, width_px=30_000, height_px=30_000), "too_many_pixels"),
        (photo(12, width_px=10_000, height_px=10_000), None),
        (photo(13, width_px=4_000, height_px=159), "source_too_small"),
        (photo(14, width_px=160, height_px=160), None),
        (photo(15, person_id=None), "unknown_patient"),
        (photo(16, captured_at=None), "capture_time_missing"),
        (photo(17, captured_at=datetime(2031, 1, 1)), "captured_in_future"),
        (photo(18, captured_at=datetime(2026, 3, 1, 23, 59)), None),
        (photo(19, captured_at=datetime(2026, 3, 2)), "captured_in_future"),
        (photo(20, photometric_interpretation="CMYK"), None),
        (photo(21, **DICOM, photometric_interpretation="MONOCHROME1", bits_per_sample=16), None),
        (photo(22, **DICOM, transfer_syntax_uid="1.2.840.10008.1.2.4.91"), None),
        (photo(23, **DICOM, transfer_syntax_uid="1.2.840.10008.1.2.5"), None),
        (photo(24, person_id=None, captured_at=None, height_px=100), "source_too_small"),
    ]
    good = [photo(100 + number) for number in range(10)]
    land(settings, engine, [one for one, _ in expected] + good)
    counts = validate(settings=settings, engine=engine, spark=spark, night=NIGHT)
    assert decisions(engine) == {one["photo_id"]: reason for one, reason in expected} | {
        one["photo_id"]: None for one in good
    }
    assert (counts["pending"], counts["accepted"], counts["quarantined"]) == (34, 18, 16)
    assert counts["truncated_header"] == 2
    ((failed,),) = rows(engine, "SELECT failed_rules FROM fahr.validation_v1 WHERE photo_id = 24")
    assert failed == ["source_too_small", "unknown_patient", "capture_time_missing"]
    ((stored, status),) = rows(engine, "SELECT counts, status FROM fahr.run_v1 WHERE stage = 'validate'")
    assert (stored, status) == (counts, "succeeded")


def test_a_second_run_has_nothing_to_do_and_starts_neither_spark_nor_expectations(settings, engine, spark):
    land(settings, engine, [photo(1), photo(2)])
    validate(settings=settings, engine=engine, spark=spark, night=NIGHT)
    before = rows(engine, "SELECT * FROM fahr.validation_v1"), rows(engine, "SELECT * FROM fahr.run_v1")
    started = time.monotonic()
    assert validate(settings=settings, engine=engine, spark=None, night=NIGHT) == {}
    assert time.monotonic() - started < 1
    assert (rows(engine, "SELECT * FROM fahr.validation_v1"), rows(engine, "SELECT * FROM fahr.run_v1")) == before


def test_of_the_same_bytes_one_photo_a_patient_and_none_of_two_patients_is_accepted(settings, engine, spark):
    land(
        settings,
        engine,
        [
            photo(1, content=b"accepted before", person_id=10),
            photo(2, content=b"refused before", person_id=20, captured_at=None),
            photo(16, content=b"another's", person_id=70),
        ],
        night=NIGHT - timedelta(days=1),
    )
    validate(settings=settings, engine=engine, spark=spark, night=NIGHT - timedelta(days=1))
    expected = [
        (photo(3, content=b"accepted before", person_id=10), "duplicate_bytes"),
        (photo(4, content=b"another's", person_id=71), "bytes_of_another_patient"),
        (photo(5, content=b"refused before", person_id=20), None),
        (photo(6, content=b"refused before", person_id=20), "duplicate_bytes"),
        (photo(7, content=b"one unfit", person_id=30, captured_at=datetime(2031, 1, 1)), "captured_in_future"),
        (photo(8, content=b"one unfit", person_id=30), None),
        (photo(9, content=b"two patients", person_id=40), "bytes_of_another_patient"),
        (photo(10, content=b"two patients", person_id=40), "bytes_of_another_patient"),
        (photo(11, content=b"two patients", person_id=41), "bytes_of_another_patient"),
        (photo(12, content=b"no patient", person_id=None), "unknown_patient"),
        (photo(13, content=b"no patient", person_id=50), None),
        (photo(14, content=b"", person_id=60, **UNREAD, header_problem="empty_file"), "empty_file"),
        (photo(15, content=b"", person_id=61, **UNREAD, header_problem="empty_file"), "empty_file"),
    ]
    land(settings, engine, [one for one, _ in expected])
    validate(settings=settings, engine=engine, spark=spark, night=NIGHT)
    decided = decisions(engine)
    assert [decided.pop(number) for number in (1, 2, 16)] == [None, "capture_time_missing", None]
    assert decided == {one["photo_id"]: reason for one, reason in expected}
    assert rows(engine, "SELECT DISTINCT failed_rules FROM fahr.validation_v1 WHERE photo_id IN (14, 15)") == [
        (["empty_file"],)
    ]


def test_the_persons_of_the_warehouse_tell_who_is_unknown_and_who_was_not_born(settings, engine, owner_engine, spark):
    with owner_engine.begin() as connection:
        connection.execute(text("CREATE SCHEMA IF NOT EXISTS cdm"))
        connection.execute(
            text(
                "CREATE TABLE cdm.person (person_id bigint PRIMARY KEY, year_of_birth int NOT NULL, month_of_birth int,"
                " day_of_birth int)"
            )
        )
        connection.execute(text("INSERT INTO cdm.person VALUES (1, 1950, 6, 15), (2, 1950, NULL, NULL)"))
        connection.execute(text("INSERT INTO cdm.person VALUES (4, 1950, 0, 0), (5, 1950, 4, 31), (6, 0, 0, 0)"))
        connection.execute(text("GRANT USAGE ON SCHEMA cdm TO fahr_loader"))
        connection.execute(text("GRANT SELECT ON cdm.person TO fahr_loader"))
    expected = [
        (photo(1, person_id=1, captured_at=datetime(1950, 6, 14)), "captured_before_birth"),
        (photo(2, person_id=1, captured_at=datetime(1950, 6, 15)), None),
        (photo(3, person_id=2, captured_at=datetime(1950, 1, 1)), None),
        (photo(4, person_id=2, captured_at=datetime(1949, 12, 31)), "captured_before_birth"),
        (photo(5, person_id=3), "unknown_patient"),
        (photo(6, person_id=None), "unknown_patient"),
        (photo(7, person_id=4, captured_at=datetime(1949, 12, 31)), "captured_before_birth"),
        (photo(8, person_id=4, captured_at=datetime(1950, 1, 1)), None),
        (photo(9, person_id=5, captured_at=datetime(1950, 3, 31)), "captured_before_birth"),
        (photo(10, person_id=5, captured_at=datetime(1950, 4, 1)), None),
        (photo(11, person_id=6, captured_at=datetime(1949, 12, 31)), None),
    ]
    land(settings, engine, [one for one, _ in expected])
    validate(settings=settings, engine=engine, spark=spark, night=NIGHT)
    assert decisions(engine) == {one["photo_id"]: reason for one, reason in expected}


def test_only_what_is_known_up_to_the_night_is_judged(settings, engine, spark):
    land(settings, engine, [photo(1)])
    land(settings, engine, [photo(2)], night=NIGHT + timedelta(days=1))
    validate(settings=settings, engine=engine, spark=spark, night=NIGHT)
    assert decisions(engine) == {1: None}


def photo_lost(settings, pull):
    write_partition(settings, pull, [photo(number) for number in range(1, 30)])


def photo_twice(settings, pull):
    write_partition(settings, pull, [photo(number) for number in [1, *range(1, 31)]])


def bytes_altered(settings, pull):
    write_partition(settings, pull, [photo(1, content=b"other"), *(photo(number) for number in range(2, 31))])


def column_lost(settings, pull):
    file = landing_partition(settings.landing, pull) / "part-0.parquet"
    pq.write_table(pq.read_table(file).drop_columns(["header_problem"]), file)


def column_of_another_type(settings, pull):
    file = landing_partition(settings.landing, pull) / "part-0.parquet"
    table = pq.read_table(file)
    width = LANDING_SCHEMA.get_field_index("width_px")
    pq.write_table(table.set_column(width, "width_px", table.column("width_px").cast(pa.string())), file)


def partition_lost(settings, pull):
    shutil.rmtree(landing_partition(settings.landing, pull))


def file_cut(settings, pull):
    file = landing_partition(settings.landing, pull) / "part-0.parquet"
    file.write_bytes(file.read_bytes()[:-100])


def most_photos_bad(settings, pull):
    bad = [photo(number, header_problem="not_an_image") for number in range(1, 21)]
    write_partition(settings, pull, bad + [photo(number) for number in range(21, 31)])


def unheard_of_problem(settings, pull):
    write_partition(settings, pull, [photo(1, header_problem="a new one"), *(photo(number) for number in range(2, 31))])


@pytest.mark.parametrize(
    ("spoil", "broken"),
    [
        (photo_lost, "complete"),
        (photo_twice, "complete, each_photo_once"),
        (bytes_altered, "complete"),
        (column_lost, "expected_columns"),
        (column_of_another_type, "expected_columns"),
        (partition_lost, "cannot be read"),
        (file_cut, "cannot be read"),
        (most_photos_bad, "share_accepted"),
        (unheard_of_problem, "known_header_problems"),
    ],
)
def test_a_landing_that_is_not_to_be_trusted_stops_the_night(settings, engine, spark, spoil, broken):
    pull = land(settings, engine, [photo(number) for number in range(1, 31)])
    spoil(settings, pull)
    with pytest.raises(DatasetRejected, match=broken) as stopped:
        validate(settings=settings, engine=engine, spark=spark, night=NIGHT)
    assert stopped.value.exit_code == 11
    assert decisions(engine) == {}
    ((status, exit_code, counts),) = rows(
        engine, "SELECT status, exit_code, counts FROM fahr.run_v1 WHERE stage = 'validate'"
    )
    assert (status, exit_code, counts) == ("rejected", 11, {"pending": 30})
    assert "CANARY" not in str(stopped.value) + stopped.value.next_step


def test_a_handful_of_bad_photos_does_not_stop_a_night(settings, engine, spark):
    land(settings, engine, [photo(number, person_id=None) for number in (1, 2, 3)])
    counts = validate(settings=settings, engine=engine, spark=spark, night=NIGHT)
    assert (counts["accepted"], counts["unknown_patient"]) == (0, 3)


def history(engine, landed: dict[int, int], status: str = "succeeded") -> None:
    """Pulls of earlier (or later, or this) nights: so many nights ago, and how many photos each landed."""
    with engine.begin() as connection:
        for ago, photos in landed.items():
            connection.execute(
                text(
                    "INSERT INTO fahr.run_v1 (run_id, stage, logical_date, status, code_version, counts)"
                    " VALUES (gen_random_uuid(), 'pull', :night, :status, 'test',"
                    " jsonb_build_object('landed', :landed))"
                ),
                {"night": NIGHT - timedelta(days=ago), "status": status, "landed": photos},
            )


def every_night(nights: int, photos: int = 30) -> dict[int, int]:
    return dict.fromkeys(range(1, nights + 1), photos)


@pytest.mark.parametrize(("nights", "tonight", "stopped"), [(7, 2, True), (7, 3, False), (6, 1, False)])
def test_a_night_that_brings_far_too_little_is_stopped(settings, engine, spark, nights, tonight, stopped):
    history(engine, every_night(nights))
    land(settings, engine, [photo(number) for number in range(tonight)])
    if stopped:
        with pytest.raises(DatasetRejected, match="usual_volume"):
            validate(settings=settings, engine=engine, spark=spark, night=NIGHT)
        assert decisions(engine) == {}
    else:
        assert validate(settings=settings, engine=engine, spark=spark, night=NIGHT)["accepted"] == tonight
        assert validate(settings=settings, engine=engine, spark=None, night=NIGHT) == {}, "what came counts when rerun"


def test_a_night_that_brings_nothing_is_stopped_where_photos_are_usual(settings, engine):
    history(engine, every_night(10, photos=500))
    with pytest.raises(DatasetRejected, match="usual_volume asks for at least 50") as stopped:
        validate(settings=settings, engine=engine, spark=None, night=NIGHT)
    assert stopped.value.exit_code == 11
    assert rows(engine, "SELECT status, exit_code FROM fahr.run_v1 WHERE stage = 'validate'") == [("rejected", 11)]
    anyway = settings.model_copy(update={"volume_drop_share": 0})
    assert validate(settings=anyway, engine=engine, spark=None, night=NIGHT) == {}


QUIET_SUNDAYS = {ago: 500 for ago in range(1, 29) if ago % 7}
"""Four weeks in which the weekday of tonight never brought a photo."""


@pytest.mark.parametrize(
    ("earlier", "others"),
    [
        pytest.param(every_night(6), {}, id="too little history"),
        pytest.param(every_night(10, photos=4), {}, id="a few photos a night"),
        pytest.param(QUIET_SUNDAYS, {}, id="a quiet weekday"),
        pytest.param(every_night(10), {-1: 60}, id="a later night brought what this one missed"),
        pytest.param(every_night(10), {0: 0}, id="the pull told that a source is away"),
    ],
)
def test_a_night_that_brings_nothing_leaves_no_trace_where_that_may_be(settings, engine, earlier, others):
    history(engine, earlier)
    history(engine, others, status="partial")
    assert validate(settings=settings, engine=engine, spark=None, night=NIGHT) == {}
    assert rows(engine, "SELECT * FROM fahr.run_v1 WHERE stage = 'validate'") == []


def test_one_bad_night_makes_no_weekday_quiet(settings, engine):
    history(engine, {ago: 500 for ago in range(1, 29) if ago != 7})
    with pytest.raises(DatasetRejected, match="usual_volume"):
        validate(settings=settings, engine=engine, spark=None, night=NIGHT)


def test_a_few_photos_on_a_quiet_weekday_are_scored(settings, engine, spark):
    history(engine, QUIET_SUNDAYS)
    land(settings, engine, [photo(1)])
    assert validate(settings=settings, engine=engine, spark=spark, night=NIGHT)["accepted"] == 1
