"""A search is not believed: caps, forgotten offsets, ignored conditions, rows that move while pages are turned."""

from __future__ import annotations

from datetime import date, timedelta

import pytest

from jobs.demo.pacs import orthanc_running
from jobs.sources.base import SourceUnreachable
from tests.pacs.archives import delete_study, listing_of, peer_of
from tests.pacs.objects import photo_file, sop_uid, study_uid

CAP = 5
STUDIES = 24


@pytest.fixture(scope="module")
def held():
    """A PACS of 24 studies over some months: nine of them on one day, three of those at the same second."""
    with orthanc_running() as server:
        for number in range(STUDIES):
            day = date(2026, 1, 1) + timedelta(days=7 * number) if number < 15 else date(2026, 7, 1)
            clock = "080000" if number in (15, 16, 17) else f"{number:02d}1500"
            assert server.store(photo_file(number, day=f"{day:%Y%m%d}", clock=clock))
        yield server


def _all(numbers):
    return {study_uid(number) for number in numbers}


def test_everything_is_listed_with_few_questions(held, proxy_before):
    proxy = proxy_before(held)
    listing = listing_of(peer_of(held, proxy.url))
    assert listing.studies.keys() == _all(range(STUDIES))
    assert len(listing.photos) == STUDIES
    assert listing.complete
    assert sum(request.is_study_search for request in proxy.seen) <= 6
    assert all("StudyDate" in request.query for request in [r for r in proxy.seen if r.is_study_search][2:])


def test_orthanc_forgets_the_offset_of_a_search_by_modality_and_nothing_is_missed(held):
    # Orthanc 1.10 answers every page but the first with nothing, which looks like the end.
    listing = listing_of(peer_of(held), page_rows=7)
    assert listing.studies.keys() == _all(range(STUDIES))
    assert listing.complete


def test_a_result_cap_is_found_by_counting_along_the_dates(held, proxy_before):
    proxy = proxy_before(held)

    def cap(request, reply):
        if request.is_study_search:
            reply.rows = reply.rows[:CAP] if request.query["offset"] == "0" else []

    proxy.after = cap
    listing = listing_of(peer_of(held, proxy.url))
    assert listing.studies.keys() == _all(range(STUDIES))
    assert listing.complete


def test_a_cap_that_cannot_be_got_round_makes_the_night_partial(held, proxy_before):
    proxy = proxy_before(held)

    def cap(request, reply):
        if request.is_study_search:
            reply.rows = reply.rows[:2] if request.query["offset"] == "0" else []

    proxy.after = cap  # three studies have the same date and time: no question tells them apart
    listing = listing_of(peer_of(held, proxy.url))
    assert len(listing.studies) >= STUDIES - 1
    assert not listing.complete


@pytest.mark.parametrize("condition", ["ModalitiesInStudy", "StudyDate", "StudyTime", "limit", "offset"])
def test_a_condition_that_the_server_ignores_changes_nothing(held, proxy_before, condition):
    proxy = proxy_before(held)
    assert held.store(photo_file(900, modality="CT", sop_class="1.2.840.10008.5.1.4.1.1.2"))
    proxy.before = lambda request: request.query.pop(condition, None) and None
    listing = listing_of(peer_of(held, proxy.url))
    delete_study(held, 900)
    assert listing.studies.keys() == _all(range(STUDIES))
    assert listing.complete


def test_a_series_that_is_told_short_is_not_taken_for_whole(held, proxy_before):
    proxy = proxy_before(held)
    for number in (800, 801, 802):
        assert held.store(photo_file(number, study=800))

    def shorten(request, reply):
        if request.path.endswith("/instances") and study_uid(800) in request.path:
            reply.rows = [row for row in reply.rows if row["00080018"]["Value"] != [sop_uid(802)]]

    proxy.after = shorten
    listing = listing_of(peer_of(held, proxy.url))
    whole = listing_of(peer_of(held))
    delete_study(held, 800)
    assert study_uid(800) not in listing.walked
    assert not listing.complete
    assert listing.walked == whole.walked - {study_uid(800)}
    assert whole.complete


def test_rows_that_repeat_while_pages_are_turned_count_once_and_none_is_missed(orthanc, proxy):
    for number in range(30):
        assert orthanc.store(photo_file(number, study=1))
    arrived = []

    def insert_in_front(request, reply):
        if request.path.endswith("/instances") and int(request.query["offset"]) > 0 and not arrived:
            arrived.append(True)
            rows = reply.rows
            reply.rows = [{**rows[0], "00080018": {"vr": "UI", "Value": ["1.2.3.4"]}}, *rows[:-1]]

    proxy.after = insert_in_front
    listing = listing_of(peer_of(orthanc, proxy.url), page_rows=7)
    assert arrived
    assert {uid for uid in listing.photos if uid != "1.2.3.4"} == set(listing_of(peer_of(orthanc)).photos)
    assert listing.complete


def test_rows_that_move_up_while_pages_are_turned_are_not_missed(orthanc, proxy):
    """A study deleted between two pages moves the rest up by one: the row on the edge would be on neither page."""
    for number in range(20):
        assert orthanc.store(photo_file(number, study=1))
    gone = []

    def delete_first(request):
        if request.path.endswith("/instances") and int(request.query["offset"]) > 0 and not gone:
            _, found = orthanc.ask("GET", "instances")
            gone.append(found[0])
            orthanc.ask("DELETE", f"instances/{found[0]}")

    proxy.before = delete_first
    listing = listing_of(peer_of(orthanc, proxy.url), page_rows=6)
    assert gone
    assert set(listing_of(peer_of(orthanc)).photos) <= set(listing.photos)


def test_a_known_study_that_no_search_shows_is_asked_for_before_it_counts_as_deleted(held, proxy_before):
    proxy = proxy_before(held)

    def hide(request, reply):
        if request.is_study_search and "StudyInstanceUID" not in request.query:
            reply.rows = [row for row in reply.rows if row["0020000D"]["Value"] != [study_uid(3)]]

    proxy.after = hide
    listing = listing_of(peer_of(held, proxy.url), expected=[study_uid(3), study_uid(4711)])
    assert listing.studies.keys() == _all(range(STUDIES))


def test_a_study_without_a_date_is_listed(orthanc):
    assert orthanc.store(photo_file(1, day="", clock=""))
    assert orthanc.store(photo_file(2))
    assert orthanc.store(photo_file(3, day="20260301"))
    assert len(listing_of(peer_of(orthanc)).photos) == 3


def test_an_answer_that_is_no_list_of_rows_makes_the_pacs_unreachable(held, proxy_before):
    proxy = proxy_before(held)

    def spoil(request, reply):
        reply.body = b'{"error": "maintenance"}'

    proxy.after = spoil
    with pytest.raises(SourceUnreachable):
        listing_of(peer_of(held, proxy.url))


def test_a_search_whose_answer_breaks_off_is_asked_again(held, proxy_before):
    proxy = proxy_before(held)
    cut = []

    def cut_once(request, reply):
        if not cut:
            cut.append(True)
            reply.framing, reply.sent = "until_close", len(reply.body) // 2

    proxy.after = cut_once
    listing = listing_of(peer_of(held, proxy.url))
    assert cut
    assert listing.studies.keys() == _all(range(STUDIES))
