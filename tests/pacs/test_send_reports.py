"""Scores back into the PACS: stored by STOW-RS in the photo's study, once however often they are sent."""

from __future__ import annotations

import json
from collections.abc import Callable
from datetime import date
from io import BytesIO
from typing import Any

import pytest
from pydantic import SecretStr
from pydicom import dcmread
from pydicom.dataset import Dataset
from pydicom.uid import EnhancedSRStorage, VLPhotographicImageStorage
from sqlalchemy import Engine, text
from typer.testing import CliRunner

from jobs.cli import app
from jobs.demo.pacs import Orthanc
from jobs.errors import SettingsError
from jobs.export.send import send_reports
from jobs.export.stow import store
from jobs.pull import pull
from jobs.settings import Settings
from jobs.sources.archive_photo import Locator
from jobs.sources.archives import archive_sources
from jobs.sources.dicomweb import DicomwebReader
from tests.export.scored import score_photos
from tests.jobs.landed import land, photo
from tests.pacs.archives import peer_of
from tests.pacs.objects import photo_file, sop_uid, study_uid
from tests.pacs.proxy import Proxy, Reply, Request, busy

LIMIT = 10**6
Sent = Callable[[], dict[str, int]]


@pytest.fixture
def scored(orthanc: Orthanc, settings: Settings, engine: Engine) -> Settings:
    """Three scored photos that came from the PACS, and one from a folder that the PACS does not know."""
    landed = []
    for number in range(1, 5):
        content = photo_file(number)
        source = "dicomweb" if number < 4 else "dicom_folder"
        facts = {"source": source, "sop_class_uid": VLPhotographicImageStorage, "image_format": "dicom"}
        landed.append(photo(number, content=content, **facts))
        assert number == 4 or orthanc.store(content)
    score_photos(engine, land(settings, engine, landed))
    return orthanc.settings(settings)


def held(orthanc: Orthanc) -> list[Dataset]:
    """The structured reports in the PACS."""
    query = {"Level": "Instance", "Query": {"Modality": "SR"}, "Expand": True}
    _, found = orthanc.ask("POST", "tools/find", query)
    peer = peer_of(orthanc)
    reports = []
    for entry in found:
        _, tags = orthanc.ask("GET", f"instances/{entry['ID']}/simplified-tags")
        place = Locator(tags["StudyInstanceUID"], tags["SeriesInstanceUID"], tags["SOPInstanceUID"]).to_text()
        reports.append(dcmread(BytesIO(DicomwebReader(peer).read(place, LIMIT))))
    return sorted(reports, key=lambda report: report.StudyInstanceUID)


def told(engine: Engine) -> list[tuple[Any, ...]]:
    query = "SELECT action, subject, counts FROM fahr.audit_v1 WHERE subject LIKE '%to the PACS' ORDER BY audit_id"
    with engine.connect() as connection:
        return [tuple(row) for row in connection.execute(text(query))]


def test_each_report_stands_once_in_the_study_of_its_photo_however_often_it_is_sent(orthanc, scored, engine) -> None:
    assert send_reports(settings=scored, engine=engine) == {"reports": 3, "refused": 0}
    once = held(orthanc)
    assert send_reports(settings=scored, engine=engine) == {"reports": 3, "refused": 0}
    assert held(orthanc) == once
    assert [report.StudyInstanceUID for report in once] == [study_uid(number) for number in (1, 2, 3)]
    for number, report in enumerate(once, start=1):
        assert (report.SOPClassUID, report.PatientID) == (EnhancedSRStorage, "M1")
        (series,) = report.CurrentRequestedProcedureEvidenceSequence[0].ReferencedSeriesSequence
        assert [one.ReferencedSOPInstanceUID for one in series.ReferencedSOPSequence] == [sop_uid(number)]
    assert told(engine) == 2 * [
        ("role_use", "structured reports to the PACS", {}),
        ("export_dicom_sr", "to the PACS", {"reports": 3, "refused": 0}),
    ]


def test_the_next_night_does_not_take_the_reports_for_photos_nor_the_photos_for_new(
    orthanc: Orthanc, settings: Settings, engine: Engine, spark, patients
) -> None:
    for number in (1, 2):
        orthanc.store(photo_file(number))
    settings = orthanc.settings(settings)
    arguments: dict[str, Any] = {"settings": settings, "engine": engine, "spark": spark}
    counts = pull(night=date(2026, 3, 1), sources=archive_sources(settings), **arguments)
    assert counts == {"listed": 2, "landed": 2}
    with engine.connect() as connection:
        run_id = connection.execute(text("SELECT run_id FROM fahr.run_v1")).scalar_one()
    score_photos(engine, run_id)
    assert send_reports(settings=settings, engine=engine) == {"reports": 2, "refused": 0}
    counts = pull(night=date(2026, 3, 2), sources=archive_sources(settings), **arguments)
    assert counts == {"listed": 0, "landed": 0}


def test_a_busy_pacs_and_a_broken_answer_are_asked_again(orthanc, scored, engine, proxy: Proxy) -> None:
    answers: list[Callable[[Request], Reply | None]] = [lambda request: busy(503, "0"), lambda request: None]
    spoiled: list[int] = []

    def before(request: Request) -> Reply | None:
        return answers.pop(0)(request) if answers else None

    def after(request: Request, reply: Reply) -> None:
        if request.method == "POST" and reply.status == 200 and not spoiled:
            spoiled.append(1)
            reply.framing, reply.sent = "until_close", len(reply.body) // 2

    proxy.before, proxy.after = before, after
    settings = scored.model_copy(update={"pacs_url": proxy.url})
    assert send_reports(settings=settings, engine=engine) == {"reports": 3, "refused": 0}
    assert [request.method for request in proxy.seen] == ["POST"] * 3
    assert spoiled and len(held(orthanc)) == 3


def test_what_the_pacs_refuses_is_told_with_its_reason_and_what_it_took_is_counted(
    orthanc, scored, engine, proxy: Proxy
) -> None:
    def after(request: Request, reply: Reply) -> None:
        answer = json.loads(reply.body)
        kept, duplicate, *others = answer["00081199"]["Value"]
        failed = [
            {"00081155": other["00081155"], "00081197": {"vr": "US", "Value": [reason]}}
            for other, reason in [(duplicate, 0x0111), *((other, 0x0122) for other in others)]
        ]
        answer |= {"00081199": {"vr": "SQ", "Value": [kept]}, "00081198": {"vr": "SQ", "Value": failed}}
        reply.status, reply.body = 202, json.dumps(answer).encode()

    proxy.after = after
    settings = scored.model_copy(update={"pacs_url": proxy.url})
    with pytest.raises(
        SettingsError, match=r"stored 2 reports and refused 1: 1 objects of this class are not supp"
    ) as e:
        send_reports(settings=settings, engine=engine)
    assert "1.2.840.10008.5.1.4.1.1.88.22" in e.value.next_step
    assert told(engine)[-1] == ("export_dicom_sr", "to the PACS", {"reports": 2, "refused": 0, "not_stored": 1})


def test_an_object_that_the_answer_does_not_name_is_not_taken_for_stored(orthanc, proxy: Proxy) -> None:
    proxy.before = lambda request: Reply(200, {"Content-Type": "application/dicom+json"}, b"{}")
    answer = store(peer_of(orthanc, proxy.url), {"1.2.3": b"an object"})
    assert (answer.stored, answer.failed) == (frozenset(), {"1.2.3": "not answered for"})


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"pacs_url": None}, "No PACS is set"),
        ({"pacs_url": "http://127.0.0.1:1/dicom-web"}, "cannot be sent to: it does not answer"),
        ({"pacs_password": SecretStr("wrong")}, "cannot be sent to: it refuses the credentials"),
        ({"pacs_path": "/nothing-here"}, r"takes no reports at FAHR_PACS_URL \(nothing is there\)"),
    ],
)
def test_a_pacs_that_cannot_be_sent_to_is_told_clearly(orthanc, scored, engine, change: dict[str, Any], words) -> None:
    if path := change.get("pacs_path"):
        change = {"pacs_url": f"http://127.0.0.1:{orthanc.port}{path}"}
    with pytest.raises(SettingsError, match=words) as problem:
        send_reports(settings=scored.model_copy(update=change), engine=engine)
    assert problem.value.exit_code == 10
    assert "M1" not in str(problem.value) and "CANARY" not in str(problem.value)
    assert not any(action == "export_dicom_sr" for action, *_ in told(engine))
    assert held(orthanc) == []


def test_nothing_to_send_leaves_no_row(orthanc: Orthanc, settings: Settings, engine: Engine) -> None:
    assert send_reports(settings=orthanc.settings(settings), engine=engine) == {"reports": 0, "refused": 0}
    assert told(engine) == []


@pytest.mark.parametrize(
    "options",
    [
        ["--dicom-sr"],
        ["--send"],
        ["--dicom-sr", "--send", "--to", "somewhere"],
        ["--cohort", "cancer_photo"],
        ["--cohort", "cancer_photo", "--send"],
    ],
)
def test_a_command_that_names_no_place_or_two_is_refused(options: list[str]) -> None:
    assert CliRunner().invoke(app, ["export", *options]).exit_code == 2
