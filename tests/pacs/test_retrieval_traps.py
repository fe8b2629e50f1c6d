"""A photograph comes whole, or not at all: cut-off answers, busy servers, silence, wrong objects, and who is let in."""

from __future__ import annotations

import pickle
import time
from concurrent.futures import ThreadPoolExecutor
from itertools import pairwise

import pytest
from pydantic import SecretStr

from jobs.demo.pacs import orthanc_running
from jobs.errors import SettingsError
from jobs.sources import http_peer
from jobs.sources.base import PhotoUnreadable, SourceUnreachable
from jobs.sources.breaker import FAILURES
from jobs.sources.dicomweb import DicomwebReader
from jobs.sources.http_peer import HttpPeer
from tests.pacs.archives import listing_of, locator_of, peer_of
from tests.pacs.objects import photo_file, sop_uid, study_uid
from tests.pacs.proxy import busy, hang

LIMIT = 10**6


@pytest.fixture(scope="module")
def held():
    """A PACS that holds twenty photographs."""
    with orthanc_running() as server:
        for number in range(20):
            assert server.store(photo_file(number))
        yield server


@pytest.fixture
def impatient(monkeypatch):
    """Tries as often as ever, with hardly a pause."""
    monkeypatch.setattr(http_peer, "RETRY", http_peer.RETRY.new(backoff_factor=0.01, backoff_jitter=0))


@pytest.fixture
def proxy(held, proxy_before):
    return proxy_before(held)


def _reason(reader, number=1, limit=LIMIT):
    with pytest.raises(PhotoUnreadable) as problem:
        reader.read(locator_of(number), limit)
    return problem.value.reason_code


def test_a_photo_comes_as_it_is_stored_with_the_headers_that_make_it_fast(held, proxy):
    reader = pickle.loads(pickle.dumps(DicomwebReader(peer_of(held, proxy.url))))
    assert reader.read(locator_of(1), LIMIT) == photo_file(1)
    (request,) = proxy.seen
    assert "transfer-syntax=*" in request.headers["Accept"]
    assert request.headers["Accept-Encoding"] == "identity"


@pytest.mark.parametrize("framing", ["length", "chunked", "until_close"])
def test_an_answer_that_is_cut_off_once_is_asked_for_again(held, proxy, framing):
    cut = []

    def cut_once(request, reply):
        if not cut:
            cut.append(True)
            reply.framing, reply.sent = framing, len(reply.body) - 300

    proxy.after = cut_once
    assert DicomwebReader(peer_of(held, proxy.url)).read(locator_of(1), LIMIT) == photo_file(1)
    assert len(proxy.seen) == 2


@pytest.mark.parametrize("missing", [1, 3, 5, 60, 5000, 25_500])
def test_an_answer_that_is_always_cut_off_is_never_taken_for_a_photo(held, proxy, impatient, missing):
    def cut(request, reply):
        reply.framing, reply.sent = "until_close", len(reply.body.rstrip()) - missing

    proxy.after = cut
    assert _reason(DicomwebReader(peer_of(held, proxy.url))) == "unreadable_file"


@pytest.mark.parametrize("status", [429, 503])
def test_a_busy_server_is_given_the_time_it_asks_for(held, proxy, status):
    proxy.before = lambda request: busy(status, "1") if len(proxy.seen) == 1 else None
    started = time.monotonic()
    assert DicomwebReader(peer_of(held, proxy.url)).read(locator_of(1), LIMIT) == photo_file(1)
    assert time.monotonic() - started >= 1


def test_a_busy_server_is_asked_later_and_later_and_then_left(held, proxy):
    moments = []

    def note(request):
        if request.is_retrieval:
            moments.append(time.monotonic())
        return busy(503)

    proxy.before = note
    assert _reason(DicomwebReader(peer_of(held, proxy.url))) == "source_unreachable"
    pauses = [after - before for before, after in pairwise(moments)]
    assert len(moments) == 5
    assert pauses[-1] > pauses[-2] > pauses[-3]


def test_silence_ends_with_the_time_limit(held, proxy, impatient):
    proxy.before = lambda request: hang(3)
    started = time.monotonic()
    assert _reason(DicomwebReader(peer_of(held, proxy.url, timeout_seconds=0.2))) == "source_unreachable"
    assert time.monotonic() - started < 3


def test_a_pacs_that_is_gone_is_asked_for_a_few_photos_and_no_more(held, proxy, impatient):
    proxy.before = lambda request: busy(503, "0")
    reader = DicomwebReader(peer_of(held, proxy.url))
    assert {_reason(reader, number) for number in range(10)} == {"source_unreachable"}
    assert proxy.retrieved() == FAILURES * 5
    proxy.before = lambda request: None
    assert _reason(reader) == "source_unreachable", "this pull has given up"
    another_night = DicomwebReader(peer_of(held, proxy.url))
    assert another_night.read(locator_of(1), LIMIT) == photo_file(1)


def test_one_photo_that_the_server_stumbles_over_keeps_no_other_from_coming(held, proxy):
    proxy.before = lambda request: busy(500) if request.path.endswith(".2.1") else None
    reader = DicomwebReader(peer_of(held, proxy.url))
    assert _reason(reader, 1) == "unreadable_file"
    assert reader.read(locator_of(2), LIMIT) == photo_file(2)


def test_photos_that_our_user_may_not_read_keep_no_other_from_coming(held, proxy):
    restricted = {f".2.{number}" for number in range(4)}
    proxy.before = lambda request: busy(403) if any(map(request.path.endswith, restricted)) else None
    reader = DicomwebReader(peer_of(held, proxy.url))
    assert [_reason(reader, number) for number in range(4)] == ["access_denied"] * 4
    assert reader.read(locator_of(4), LIMIT) == photo_file(4)


def test_photos_in_a_slow_store_keep_no_other_from_coming_and_are_not_waited_for_one_by_one(held, proxy, impatient):
    offline = {f".2.{number}" for number in range(10)}
    proxy.before = lambda request: busy(503) if any(map(request.path.endswith, offline)) else None
    reader = DicomwebReader(peer_of(held, proxy.url))
    assert [_reason(reader, number) for number in range(10)] == ["not_at_hand"] * 10
    assert proxy.retrieved() == FAILURES * 5 + 7
    assert reader.read(locator_of(10), LIMIT) == photo_file(10)


@pytest.mark.parametrize("status", [401, 403, 407])
def test_a_search_that_is_refused_is_a_pacs_that_is_away(held, proxy, status):
    proxy.before = lambda request: busy(status)
    with pytest.raises(SourceUnreachable, match="refuses the credentials" if status != 403 else "does not let"):
        listing_of(peer_of(held, proxy.url))


def test_a_photo_that_is_not_there_is_missing(held):
    assert _reason(DicomwebReader(peer_of(held)), 4711) == "file_missing"


def test_a_photo_over_the_limit_is_not_read_to_its_end(held, proxy):
    big = photo_file(1)
    assert _reason(DicomwebReader(peer_of(held, proxy.url)), limit=len(big) - 1) == "file_too_large"
    assert _reason(DicomwebReader(peer_of(held, proxy.url)), limit=1) == "file_too_large"


def test_another_object_than_was_asked_for_is_not_taken(held, proxy):
    def confuse(request):
        for uid_of in (study_uid, sop_uid):
            request.path = request.path.replace(uid_of(1), uid_of(2))

    proxy.before = confuse
    assert _reason(DicomwebReader(peer_of(held, proxy.url))) == "unreadable_file"


def test_a_single_part_answer_is_taken_only_where_its_length_is_told(held, proxy):
    def unwrap(request, reply):
        reply.body = photo_file(1)
        reply.headers["Content-Type"] = "application/dicom"

    proxy.after = unwrap
    assert DicomwebReader(peer_of(held, proxy.url)).read(locator_of(1), LIMIT) == photo_file(1)

    def unwrap_without_length(request, reply):
        unwrap(request, reply)
        reply.framing = "until_close"

    proxy.after = unwrap_without_length
    assert _reason(DicomwebReader(peer_of(held, proxy.url))) == "unreadable_file"


def test_no_more_connections_are_used_than_allowed(held, proxy):
    def take_a_while(request):
        time.sleep(0.02)

    proxy.before = take_a_while
    reader = DicomwebReader(peer_of(held, proxy.url, connections=3))
    with ThreadPoolExecutor(10) as pool:
        contents = list(pool.map(lambda number: reader.read(locator_of(number), LIMIT), range(20)))
    assert contents == [photo_file(number) for number in range(20)]
    assert proxy.most_at_once == 3


def test_without_the_right_password_nobody_is_let_in(held):
    with pytest.raises(SourceUnreachable):
        listing_of(peer_of(held, password=SecretStr("wrong")))
    assert _reason(DicomwebReader(peer_of(held, password=SecretStr("wrong")))) == "source_unreachable"


def test_a_bearer_token_is_sent(held, proxy):
    def admit(request):
        if request.headers.get("Authorization") != "Bearer CANARY-token":
            return busy(401)
        request.headers["Authorization"] = peer_of(held)._headers()["authorization"]
        return None

    proxy.before = admit
    with_token = {"user": None, "password": None, "token": SecretStr("CANARY-token")}
    assert DicomwebReader(peer_of(held, proxy.url, **with_token)).read(locator_of(1), LIMIT) == photo_file(1)
    assert _reason(DicomwebReader(peer_of(held, proxy.url))) == "source_unreachable"


def test_a_redirect_is_not_followed_with_our_credentials(held, proxy, proxy_before):
    elsewhere = proxy_before(held)

    def redirect(request):
        reply = busy(302)
        reply.headers["Location"] = elsewhere.url + "/studies"
        return reply

    proxy.before = redirect
    assert _reason(DicomwebReader(peer_of(held, proxy.url))) == "unreadable_file"
    assert elsewhere.seen == []


def test_secrets_show_in_no_text(held):
    peer = peer_of(held, password=SecretStr("CANARY-password"))
    assert "CANARY" not in repr(peer) + str(DicomwebReader(peer))


@pytest.mark.parametrize(
    "facts",
    [
        {"root": "http://pacs.example.org/dicom-web", "user": None, "password": None},
        {"root": "https://user:CANARY@pacs.example.org/dicom-web"},
        {"root": "ftp://pacs.example.org"},
        {"root": "https://pacs.example.org", "user": "u", "password": None},
        {"root": "https://pacs.example.org", "user": "u", "password": SecretStr("p"), "token": SecretStr("t")},
    ],
)
def test_settings_that_would_give_a_secret_away_are_refused(facts):
    with pytest.raises(SettingsError) as refused:
        HttpPeer(**facts)
    assert "CANARY" not in str(refused.value)
