"""A pull from Orthanc: what lands, what is found later, what is gone, and who is nobody's guess."""

from __future__ import annotations

import hashlib
from datetime import date

import pytest
from sqlalchemy import text

from jobs.errors import PartialNight
from jobs.pull import pull
from tests.pacs.archives import delete_study, ledger, peer_of, source_of
from tests.pacs.objects import photo_file, sop_uid, study_uid
from tests.pacs.proxy import busy

NIGHT, NEXT_NIGHT = date(2026, 3, 1), date(2026, 3, 2)


@pytest.fixture
def night(settings, engine, spark, patients):
    """Pulls a night from a source."""

    def pulled(source, day=NIGHT):
        return pull(settings=settings, engine=engine, spark=spark, night=day, sources=[source])

    return pulled


def test_what_the_pacs_holds_lands_as_it_is_stored(orthanc, night, engine):
    files = {sop_uid(n): photo_file(n, study=n // 2, mrn="M1" if n < 4 else "M2") for n in range(6)}
    assert all(orthanc.store(content) for content in files.values())
    counts = night(source_of(peer_of(orthanc)))
    assert counts == {"listed": 6, "landed": 6}
    rows = ledger(engine)
    assert {uid: row["content_sha256"] for uid, row in rows.items()} == {
        uid: hashlib.sha256(content).hexdigest() for uid, content in files.items()
    }
    assert [row["person_id"] for row in rows.values()] == [1, 1, 1, 1, 2, 2]
    assert str(rows[sop_uid(0)]["captured_at"]) == "2026-01-15 10:15:00"


def test_a_second_pull_changes_nothing(orthanc, proxy, night, engine):
    assert orthanc.store(photo_file(1))
    source = source_of(peer_of(orthanc, proxy.url))
    night(source)
    before, retrieved = ledger(engine), proxy.retrieved()
    night(source)
    assert ledger(engine) == before
    assert proxy.retrieved() == retrieved
    with engine.connect() as connection:
        assert connection.execute(text("SELECT count(*) FROM fahr.run_v1")).scalar_one() == 1


def test_photos_of_another_day_that_arrive_late_are_found(orthanc, night, engine):
    assert orthanc.store(photo_file(1, study=1, day="20260228"))
    source = source_of(peer_of(orthanc))
    night(source)
    assert orthanc.store(photo_file(2, study=2, day="20190401"))
    assert orthanc.store(photo_file(3, study=1, day="20260228"))
    assert night(source, NEXT_NIGHT)["landed"] == 2
    assert ledger(engine).keys() == {sop_uid(1), sop_uid(2), sop_uid(3)}


def test_photos_taken_after_the_night_wait_for_theirs(orthanc, night, engine):
    assert orthanc.store(photo_file(1, day="20260301"))
    assert orthanc.store(photo_file(2, day="20260302"))
    source = source_of(peer_of(orthanc))
    night(source)
    assert list(ledger(engine)) == [sop_uid(1)]
    night(source, NEXT_NIGHT)
    night(source, NIGHT)
    assert list(ledger(engine)) == [sop_uid(1), sop_uid(2)]


@pytest.mark.parametrize(
    "correction",
    [{"mrn": "M2"}, {"day": "20260116"}, {"clock": "111500"}],
    ids=["another patient", "another day", "another time"],
)
def test_a_corrected_study_is_pulled_again(orthanc, night, engine, correction):
    assert orthanc.store(photo_file(1))
    source = source_of(peer_of(orthanc))
    night(source)
    before = ledger(engine)[sop_uid(1)]
    delete_study(orthanc, 1)
    assert orthanc.store(photo_file(1, **correction))
    assert night(source, NEXT_NIGHT)["landed"] == 1
    after = ledger(engine)[sop_uid(1)]
    assert after["photo_id"] == before["photo_id"]
    assert after["person_id"] == (2 if "mrn" in correction else 1)
    assert (after["captured_at"] != before["captured_at"]) == ("mrn" not in correction)


def test_a_deleted_study_is_noticed_and_recorded_and_may_come_back(orthanc, night, engine):
    for number in (1, 2):
        assert orthanc.store(photo_file(number))
    source = source_of(peer_of(orthanc))
    night(source)
    delete_study(orthanc, 1)
    counts = night(source, NEXT_NIGHT)
    assert (counts["withdrawn"], counts["studies_deleted_at_source"]) == (1, 1)
    assert list(ledger(engine)) == [sop_uid(2)]
    with engine.connect() as connection:
        studies = connection.execute(text("SELECT study_uid, gone_since FROM fahr.pacs_study_v1 ORDER BY 1"))
        assert studies.all() == [(study_uid(1), NEXT_NIGHT), (study_uid(2), None)]
        told = connection.execute(text("SELECT counts FROM fahr.audit_v1 WHERE action = 'deleted_at_source'")).scalars()
        assert list(told) == [{"studies": 1, "photos": 1}]
    assert orthanc.store(photo_file(1))
    assert night(source, date(2026, 3, 3))["landed"] == 1
    with engine.connect() as connection:
        assert connection.execute(text("SELECT count(gone_since) FROM fahr.pacs_study_v1")).scalar_one() == 0


def test_one_photo_deleted_from_a_study_is_noticed_although_another_took_its_place(orthanc, night, engine):
    for number in (1, 2):
        assert orthanc.store(photo_file(number, study=1))
    source = source_of(peer_of(orthanc))
    night(source)
    delete_study(orthanc, 1)
    for number in (2, 3):
        assert orthanc.store(photo_file(number, study=1))
    assert night(source, NEXT_NIGHT)["withdrawn"] == 1
    assert ledger(engine).keys() == {sop_uid(2), sop_uid(3)}


def test_a_patient_without_a_match_is_a_reason_and_nothing_of_them_is_read(orthanc, proxy, night, engine, owner_engine):
    assert orthanc.store(photo_file(1, mrn="M77"))
    assert orthanc.store(photo_file(2, mrn=""))
    source = source_of(peer_of(orthanc, proxy.url))
    assert night(source) == {"listed": 2, "landed": 0, "unknown_patient": 2}
    assert proxy.retrieved() == 0
    assert {row["person_id"] for row in ledger(engine).values()} == {None}
    with owner_engine.begin() as connection:
        connection.execute(text("INSERT INTO hospital.patient_id_map VALUES ('M77', 77)"))
    night(source, NEXT_NIGHT)
    assert [row["person_id"] for row in ledger(engine).values()] == [77, None]


def test_a_photo_whose_object_names_another_patient_than_the_listing_is_refused(orthanc, proxy, night, engine):
    assert orthanc.store(photo_file(1, mrn="M1"))
    assert orthanc.store(photo_file(2, mrn="M2"))

    def relabel(request, reply):
        if request.is_study_search:
            reply.body = reply.body.replace(b'"M1"', b'"M2"')

    proxy.after = relabel
    source = source_of(peer_of(orthanc, proxy.url))
    assert night(source) == {"listed": 2, "landed": 1, "patient_contradicted": 1}
    proxy.after = lambda request, reply: None
    assert night(source, NEXT_NIGHT) == {"listed": 1, "landed": 1}


def test_a_pacs_that_relabels_the_study_of_a_merged_patient_contradicts_nobody(
    orthanc, proxy, night, engine, owner_engine
):
    assert orthanc.store(photo_file(1, mrn="M1"))
    source = source_of(peer_of(orthanc, proxy.url))
    night(source)

    def relabel(request, reply):
        if request.is_study_search:
            reply.body = reply.body.replace(b'"M1"', b'"M2"')

    proxy.after = relabel
    with owner_engine.begin() as connection:
        connection.execute(text("INSERT INTO hospital.person_merge VALUES (1, 2, '2026-03-02')"))
    counts = night(source, NEXT_NIGHT)
    assert (counts["listed"], counts["landed"]) == (1, 1)
    (row,) = ledger(engine).values()
    assert (row["person_id"], row["reason_code"]) == (2, None)


def test_photos_of_a_patient_who_refused_are_never_read(orthanc, proxy, night, engine, owner_engine):
    with owner_engine.begin() as connection:
        connection.execute(text("INSERT INTO hospital.opt_out VALUES (1, '2026-01-01')"))
    assert orthanc.store(photo_file(1))
    assert night(source_of(peer_of(orthanc, proxy.url))) == {"listed": 1, "landed": 0, "opted_out": 1}
    assert proxy.retrieved() == 0


def test_a_pacs_that_lets_our_user_read_nothing_more_is_away_and_restricted_photos_alone_are_not(
    orthanc, proxy, night, engine
):
    for number in range(5):
        assert orthanc.store(photo_file(number))
    proxy.before = lambda request: busy(403) if request.is_retrieval else None
    source = source_of(peer_of(orthanc, proxy.url))
    with pytest.raises(PartialNight):
        night(source)
    assert {row["reason_code"] for row in ledger(engine).values()} == {"source_unreachable"}
    proxy.before = lambda request: None if not request.is_retrieval or request.path.endswith(".2.0") else busy(403)
    assert night(source, NEXT_NIGHT) == {"listed": 5, "landed": 1, "access_denied": 4}
    assert night(source, date(2026, 3, 3)) == {"listed": 4, "landed": 0, "access_denied": 4}


def test_other_objects_are_no_photographs(orthanc, night, engine):
    assert orthanc.store(photo_file(1, study=1))
    assert orthanc.store(photo_file(2, study=1, modality="CT", sop_class="1.2.840.10008.5.1.4.1.1.2"))
    assert orthanc.store(photo_file(3, study=3, modality="CT", sop_class="1.2.840.10008.5.1.4.1.1.2"))
    assert night(source_of(peer_of(orthanc))) == {"listed": 1, "landed": 1}


def test_a_pacs_that_is_away_condemns_nothing(orthanc, night, engine):
    assert orthanc.store(photo_file(1))
    source = source_of(peer_of(orthanc, timeout_seconds=1))
    night(source)
    orthanc.stop()
    with pytest.raises(PartialNight) as partial:
        night(source, NEXT_NIGHT)
    assert partial.value.exit_code == 14
    assert ledger(engine)[sop_uid(1)]["reason_code"] is None


def test_a_pacs_that_stops_in_the_middle_keeps_what_it_gave_and_gives_the_rest_another_night(
    orthanc, proxy, night, engine
):
    for number in range(12):
        assert orthanc.store(photo_file(number))

    def stop_after_five(request):
        if proxy.retrieved() > 5 and request.is_retrieval:
            orthanc.stop()

    proxy.before = stop_after_five
    source = source_of(peer_of(orthanc, proxy.url, connections=2))
    with pytest.raises(PartialNight):
        night(source)
    rows = ledger(engine)
    landed = [uid for uid, row in rows.items() if row["reason_code"] is None]
    assert len(rows) == 12
    assert 3 <= len(landed) <= 5
    assert {row["reason_code"] for row in rows.values()} == {None, "source_unreachable"}
    proxy.before = lambda request: None
    orthanc.start()
    assert night(source, NEXT_NIGHT)["landed"] == 12 - len(landed)
    assert {row["reason_code"] for row in ledger(engine).values()} == {None}
