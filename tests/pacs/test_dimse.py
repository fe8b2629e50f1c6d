"""A hospital without DICOMweb: the same photographs through C-FIND and C-GET from dcmtk's dcmqrscp."""

from __future__ import annotations

import logging
import pickle
from datetime import date
from io import BytesIO
from pathlib import Path

import pytest
from pydicom import dcmread
from sqlalchemy import text

from jobs.errors import PartialNight, SettingsError
from jobs.pull import pull
from jobs.settings import Settings
from jobs.sources.archive_listing import list_archive
from jobs.sources.archives import archive_sources
from jobs.sources.base import PhotoUnreadable, SourceUnreachable
from jobs.sources.dimse import DimseArchive, DimseReader
from jobs.sources.dimse_peer import ArchiveAssociation, DimsePeer
from tests.pacs.archives import ledger, locator_of
from tests.pacs.objects import photo_file, sop_uid, study_uid
from tests.pacs.qrscp import OWN_TITLE, qrscp_running

pytestmark = [
    # pynetdicom leaves the socket of a refused connection to the garbage collector.
    pytest.mark.filterwarnings("ignore:.*socket.socket.*:pytest.PytestUnraisableExceptionWarning"),
    pytest.mark.filterwarnings("ignore:unclosed <socket:ResourceWarning"),
]

LIMIT = 10**6
NIGHT = date(2026, 3, 1)


@pytest.fixture(scope="module")
def files(tmp_path_factory) -> list[Path]:
    folder = tmp_path_factory.mktemp("objects")
    paths = []
    for number in range(8):
        path = folder / f"{number}.dcm"
        path.write_bytes(photo_file(number, study=number // 2, mrn="M1" if number < 6 else "M77"))
        paths.append(path)
    ct = folder / "ct.dcm"
    ct.write_bytes(photo_file(100, study=0, modality="CT", sop_class="1.2.840.10008.5.1.4.1.1.2"))
    return [*paths, ct]


@pytest.fixture(scope="module")
def held(files):
    """An archive of eight photographs in four studies, and a CT slice."""
    with qrscp_running(files) as archive:
        yield archive


def _listing(peer):
    return list_archive(DimseArchive(peer), modalities=["XC"], connections=3, expected=[], is_wanted=lambda study: True)


def test_everything_is_listed(held):
    listing = _listing(held.peer)
    assert listing.studies.keys() == {study_uid(study) for study in range(4)}
    assert listing.photos.keys() == {sop_uid(number) for number in range(8)}
    assert {photo.patient_id for photo in listing.photos.values()} == {"M1", "M77"}
    assert listing.complete


def test_a_photo_comes_as_it_is_stored(held):
    reader = pickle.loads(pickle.dumps(DimseReader(held.peer)))
    got = dcmread(BytesIO(reader.read(locator_of(1, study=0), LIMIT)))
    stored = dcmread(BytesIO(photo_file(1, study=0)))
    assert got.file_meta.TransferSyntaxUID == stored.file_meta.TransferSyntaxUID
    assert got.PixelData == stored.PixelData
    assert got == stored


def test_what_cannot_be_had_has_a_reason(held):
    for number, limit, reason in ((4711, LIMIT, "file_missing"), (0, 1000, "file_too_large")):
        with pytest.raises(PhotoUnreadable) as problem:
            DimseReader(held.peer).read(locator_of(number), limit)
        assert problem.value.reason_code == reason


def test_the_night_pulls_through_dimse_and_an_archive_that_stops_condemns_nothing(
    files, settings, engine, spark, patients
):
    with qrscp_running(files) as archive:
        settings = settings.model_copy(
            update={"pacs_dimse": archive.address, "pacs_aet": OWN_TITLE, "pacs_timeout_seconds": 5.0}
        )
        (source,) = archive_sources(settings)
        arguments = {"settings": settings, "engine": engine, "spark": spark, "sources": [source]}
        assert pull(night=NIGHT, **arguments) == {"listed": 8, "landed": 6, "unknown_patient": 2}
        before = ledger(engine)
        assert {row["source"] for row in before.values()} == {"dimse"}
        archive.stop()
        with pytest.raises(PartialNight):
            pull(night=date(2026, 3, 2), **arguments)
        assert ledger(engine) == before


def test_an_archive_that_is_not_there_is_unreachable(held):
    nobody = DimsePeer("NOBODY", "127.0.0.1", 1, timeout_seconds=1)
    with pytest.raises(SourceUnreachable):
        _listing(nobody)
    with pytest.raises(PhotoUnreadable) as problem:
        DimseReader(nobody).read(locator_of(1), LIMIT)
    assert problem.value.reason_code == "source_unreachable"


def test_an_archive_without_c_get_is_away_with_the_reason_and_the_rest_of_the_night_goes_on(
    files, settings, engine, owner_engine, spark, patients, caplog
):
    settings.share.mkdir(parents=True)
    (settings.share / "a.jpg").write_bytes(b"\xff\xd8\xff a photograph of the share")
    with owner_engine.begin() as connection:
        connection.execute(
            text(
                "INSERT INTO hospital.photo_manifest VALUES ('k1', 'M1', 'a.jpg', '2026-02-28 10:00',"
                " '2026-03-01 09:00')"
            )
        )
    with qrscp_running(files, "--disable-get") as archive:
        settings = settings.model_copy(update={"pacs_dimse": archive.address, "pacs_aet": OWN_TITLE})
        with caplog.at_level(logging.WARNING, "fahr.pull"), pytest.raises(PartialNight):
            pull(settings=settings, engine=engine, spark=spark, night=NIGHT)
        assert "The source dimse cannot be reached: it offers us no C-GET" in caplog.text
        assert {key: row["reason_code"] for key, row in ledger(engine).items()} == {"k1": None}
        with pytest.raises(PhotoUnreadable) as problem:
            DimseReader(archive.peer).read(locator_of(1), LIMIT)
        assert problem.value.reason_code == "source_unreachable"


def test_an_association_that_ends_before_it_is_used_is_no_defect(held, monkeypatch):
    def end_one() -> None:
        with held.peer.association() as association:
            association.inner.abort()

    # As if it ended between the look and the question.
    monkeypatch.setattr(ArchiveAssociation, "is_open", True)
    end_one()
    with pytest.raises(SourceUnreachable):
        _listing(held.peer)
    end_one()
    with pytest.raises(PhotoUnreadable) as problem:
        DimseReader(held.peer).read(locator_of(1), LIMIT)
    assert problem.value.reason_code == "source_unreachable"


@pytest.mark.parametrize("address", ["PACS", "PACS@host", "@host:104", "PACS@host:0", "A-TITLE-TOO-LONG-@host:104"])
def test_an_address_that_is_none_is_refused(address, tmp_path):
    with pytest.raises(SettingsError):
        DimsePeer.from_settings(Settings(home=tmp_path, pacs_dimse=address))
