"""`fahr registry load`: what becomes of each record of a file, good or bad."""

from __future__ import annotations

import tracemalloc
from pathlib import Path

import pytest
from sqlalchemy import Engine, text

from jobs.errors import DatasetRejected, LockHeld, SettingsError, UsageError
from jobs.registry.load import LOCK, load_registry
from jobs.registry.naaccr_xml import open_naaccr
from schemas.registry_declaration import load_naaccr_mapping
from schemas.registry_reasons import BY_CODE
from tests.registry.conftest import TODAY, Ask, Change, Load
from tests.registry.naaccr import naaccr_text, of_patient, record, write_naaccr

TUMOUR = "SELECT * FROM fahr.registry_tumour"
OUTSIDE_A_PATIENT = naaccr_text([record()], version="250", made="").replace("<Patient>", "").replace("</Patient>", "")
WITH_ENTITIES = '<!DOCTYPE x [<!ENTITY a "b">]><NaaccrData xmlns="http://naaccr.org/naaccrxml">&a;</NaaccrData>'
REASONS = "SELECT record_number, reason_code FROM fahr.registry_problem ORDER BY record_number, reason_code"


def test_a_sound_record_becomes_a_tumour_and_a_follow_up(load: Load, ask: Ask, tmp_path: Path) -> None:
    counts = load(write_naaccr(tmp_path / "file.xml", [record()]))
    assert counts == {"records": 1, "persons": 1, "tumours": 1, "followed": 1, "unknown_patient": 0}
    (tumour,) = ask(TUMOUR)
    assert (tumour.person_id, str(tumour.diagnosed_on), tumour.diagnosed_precision) == (1, "2024-01-05", "day")
    assert (tumour.site_code, tumour.site, tumour.histology, tumour.behaviour) == ("C50.4", "breast", "8500", "3")
    assert (tumour.stage, tumour.stage_code, tumour.stage_basis) == ("II", "2B", "pathological")
    (known,) = ask("SELECT * FROM fahr.registry_follow_up")
    assert (known.vital_status, str(known.last_contact_on), known.died_on) == ("alive", "2025-06-30", None)
    assert ask(REASONS) == []


def test_versions_21_to_26_are_read_and_others_refused_by_name(load: Load, ask: Ask, tmp_path: Path) -> None:
    known = ["210", "220", "230", "240", "250", "260"]
    for version in known:
        load(write_naaccr(tmp_path / "file.xml", [record()], version=version), registry=version)
    assert ask("SELECT registry, format_version, file_as_of::text FROM fahr.registry_load ORDER BY registry") == [
        (version, version, "2026-02-28") for version in known
    ]
    assert len(ask(TUMOUR)) == len(known)
    for version in ("160", "180", "270"):
        with pytest.raises(DatasetRejected, match=rf"version {version[:2]}; versions 21, 22, 23, 24, 25, 26"):
            load(write_naaccr(tmp_path / "file.xml", [record()], version=version))


def test_a_dead_patient_has_a_day_and_a_cause(load: Load, ask: Ask, tmp_path: Path) -> None:
    load(write_naaccr(tmp_path / "file.xml", [record(vitalStatus="0", causeOfDeath="C509")]))
    (known,) = ask("SELECT * FROM fahr.registry_follow_up")
    assert (known.vital_status, str(known.died_on), known.cause_of_death) == ("dead", "2025-06-30", "C50.9")


WRONG: list[tuple[dict[str, str], str]] = [
    ({"medicalRecordNumber": ""}, "mrn_missing"),
    ({"medicalRecordNumber": "MRN-77"}, "unknown_patient"),
    ({"dateOfDiagnosis": ""}, "diagnosis_date_missing"),
    ({"dateOfDiagnosis": "20231341"}, "diagnosis_date_invalid"),
    ({"dateOfDiagnosis": "2024115"}, "diagnosis_date_invalid"),
    ({"dateOfDiagnosis": "20310504"}, "diagnosis_in_future"),
    ({"dateOfBirth": "20240301"}, "diagnosis_before_birth"),
    ({"primarySite": ""}, "site_missing"),
    ({"primarySite": "D509"}, "site_invalid"),
    ({"primarySite": "C819"}, "site_invalid"),
    ({"histologicTypeIcdO3": "12"}, "histology_invalid"),
    ({"behaviorCodeIcdO3": "7"}, "behaviour_invalid"),
    ({"ajccTnmPathStageGroup": "7Q"}, "stage_invalid"),
    ({"summaryStage2018": "X"}, "summary_stage_invalid"),
    ({"vitalStatus": ""}, "vital_status_missing"),
    ({"vitalStatus": "3"}, "vital_status_invalid"),
    ({"dateOfLastContact": ""}, "last_contact_missing"),
    ({"dateOfLastContact": "31.12.2025"}, "last_contact_invalid"),
    ({"dateOfLastContact": "20270101"}, "last_contact_in_future"),
    ({"dateOfLastContact": "20231224"}, "last_contact_before_diagnosis"),
    ({"dateOfBirth": "20250701", "dateOfDiagnosis": ""}, "last_contact_before_birth"),
    ({"dateOfBirth": "unknown"}, "birth_date_invalid"),
    ({"vitalStatus": "0", "causeOfDeath": "cancer"}, "cause_of_death_invalid"),
    ({"causeOfDeath": "C509"}, "cause_without_death"),
]


def test_what_cannot_be_is_a_reason_and_what_can_is_used(load: Load, ask: Ask, tmp_path: Path) -> None:
    """Each patient of the file has one thing wrong."""
    patients = [of_patient(number, **items) for number, (items, _) in enumerate(WRONG, start=1)]
    counts = load(write_naaccr(tmp_path / "file.xml", patients))
    assert counts["records"] == len(WRONG)
    reasons = ask(REASONS)
    rows = {row.record_number: row for row in ask("SELECT * FROM registry.record_v1")}
    shown = {row.record_number for row in ask(TUMOUR)}
    followed = {row.person_id for row in ask("SELECT person_id FROM fahr.registry_follow_up")}
    for number, (items, expected) in enumerate(WRONG, start=1):
        of_record = {row.reason_code for row in reasons if row.record_number == number}
        assert expected in of_record, expected
        assert set(items.values()) - {""} <= set(rows[number].given.values())
        loses = {BY_CODE[reason].loses for reason in of_record}
        assert (number in shown) is not bool(loses & {"record", "tumour"}), expected
        assert (number in followed) is not bool(loses & {"record", "follow_up"}), expected
    known = {row.reason_code for row in reasons} | {"record_repeated", "tumour_repeated", "tumour_missing"}
    assert known | {"wrong_number_of_cells"} == set(BY_CODE)


def test_a_date_is_as_exact_as_it_is_known(load: Load, ask: Ask, tmp_path: Path) -> None:
    written = ["20240105", "202401", "20240199", "2024"]
    load(write_naaccr(tmp_path / "file.xml", [of_patient(n, dateOfDiagnosis=day) for n, day in enumerate(written, 1)]))
    assert ask("SELECT diagnosed_on::text, diagnosed_precision FROM fahr.registry_tumour ORDER BY person_id") == [
        ("2024-01-05", "day"),
        ("2024-01-15", "month"),
        ("2024-01-15", "month"),
        ("2024-07-01", "year"),
    ]


def test_a_month_of_death_is_not_taken_for_a_day_before_diagnosis_or_after_the_file(
    load: Load, ask: Ask, tmp_path: Path
) -> None:
    first = record(vitalStatus="0", dateOfDiagnosis="20250620", dateOfLastContact="202506")
    second = of_patient(2, dateOfLastContact="202602")
    load(write_naaccr(tmp_path / "file.xml", [first, second], made="2026-02-10T00:00:00Z"))
    days = ask("SELECT last_contact_on::text FROM fahr.registry_follow_up ORDER BY person_id")
    assert days == [("2025-06-20",), ("2026-02-10",)]


def test_the_pathological_stage_goes_before_the_clinical_one(load: Load, ask: Ask, tmp_path: Path) -> None:
    stages = {
        ("99", "3C"): ("III", "3C", "clinical"),
        ("", "IVA"): ("IV", "IVA", "clinical"),
        ("0IS", "2"): ("0", "0IS", "pathological"),
        ("88", "99"): (None, None, None),
        ("1A2", ""): ("I", "1A2", "pathological"),
    }
    patients = [
        of_patient(number, ajccTnmPathStageGroup=pathological, ajccTnmClinStageGroup=clinical)
        for number, (pathological, clinical) in enumerate(stages, start=1)
    ]
    load(write_naaccr(tmp_path / "file.xml", patients))
    found = ask("SELECT stage, stage_code, stage_basis FROM fahr.registry_tumour ORDER BY person_id")
    assert found == list(stages.values())
    assert ask(REASONS) == []


def test_items_are_known_by_number_where_there_is_no_id(load: Load, ask: Ask, tmp_path: Path) -> None:
    numbered = naaccr_text([record()], version="210", made="").replace('naaccrId="primarySite"', 'naaccrNum="400"')
    (tmp_path / "file.xml").write_text(numbered)
    load(tmp_path / "file.xml")
    assert [row.site_code for row in ask(TUMOUR)] == ["C50.4"]
    assert ask("SELECT file_as_of FROM fahr.registry_load") == [(TODAY,)]


def test_a_patient_may_have_several_tumours_or_none(load: Load, ask: Ask, tmp_path: Path) -> None:
    text_ = naaccr_text([record()], version="250", made="2026-02-28T20:00:00Z").replace(
        "</Patient>",
        '<Tumor><Item naaccrId="medicalRecordNumber">MRN-1</Item><Item naaccrId="tumorRecordNumber">02</Item>'
        '<Item naaccrId="dateOfDiagnosis">20230301</Item><Item naaccrId="primarySite">C341</Item></Tumor></Patient>'
        '<Patient><Item naaccrId="patientIdNumber">9</Item></Patient>',
    )
    (tmp_path / "file.xml").write_text(text_)
    counts = load(tmp_path / "file.xml")
    assert (counts["records"], counts["tumours"], counts["persons"]) == (3, 2, 1)
    assert [(row.site, row.tumour_of_person) for row in ask(TUMOUR + " ORDER BY tumour_of_person")] == [
        ("lung", 1),
        ("breast", 2),
    ]
    assert (3, "tumour_missing") in ask(REASONS)


def test_repeated_records_count_once_and_contradicting_ones_are_told(load: Load, ask: Ask, tmp_path: Path) -> None:
    records = [record(), record(), record(primarySite="C341"), of_patient(2)]
    load(write_naaccr(tmp_path / "file.xml", records))
    assert [(row.record_number, row.site) for row in ask(TUMOUR + " ORDER BY record_number")] == [
        (1, "breast"),
        (4, "breast"),
    ]
    assert ask(REASONS) == [(2, "record_repeated"), (3, "tumour_repeated")]


def test_the_same_file_again_changes_nothing(load: Load, ask: Ask, tmp_path: Path) -> None:
    file = write_naaccr(tmp_path / "file.xml", [record(), of_patient(2)])
    state = "SELECT xmin::text, * FROM registry.record_v1 ORDER BY record_number"
    load(file)
    before, loads = ask(state), ask("SELECT xmin::text, * FROM registry.load_v1")
    assert load(file) == {}
    assert (ask(state), ask("SELECT xmin::text, * FROM registry.load_v1")) == (before, loads)
    assert ask("SELECT count(*) FROM fahr.audit_v1 WHERE action = 'registry_load'") == [(1,)]


def test_a_corrected_file_replaces_and_another_registry_stays(load: Load, ask: Ask, tmp_path: Path) -> None:
    load(write_naaccr(tmp_path / "first.xml", [record(), of_patient(2), of_patient(3)]))
    load(write_naaccr(tmp_path / "other.xml", [of_patient(4)]), registry="other")
    load(write_naaccr(tmp_path / "corrected.xml", [record(primarySite="C341"), of_patient(3)]))
    assert ask("SELECT registry, person_id, site FROM fahr.registry_tumour ORDER BY person_id") == [
        ("registry", 1, "lung"),
        ("registry", 3, "breast"),
        ("other", 4, "breast"),
    ]
    assert ask("SELECT registry, is_current FROM fahr.registry_load ORDER BY loaded_at") == [
        ("registry", False),
        ("other", True),
        ("registry", True),
    ]


def test_a_file_that_breaks_off_changes_nothing(load: Load, ask: Ask, tmp_path: Path) -> None:
    load(write_naaccr(tmp_path / "first.xml", [record(), of_patient(2)]))
    whole = naaccr_text([record(primarySite="C341"), of_patient(2)], version="250", made="")
    (tmp_path / "cut.xml").write_text(whole[: int(len(whole) * 0.8)])
    with pytest.raises(DatasetRejected, match="not well-formed"):
        load(tmp_path / "cut.xml")
    assert [row.site for row in ask(TUMOUR)] == ["breast", "breast"]


def test_a_file_with_far_fewer_records_is_taken_for_a_cut_off_one(load: Load, ask: Ask, tmp_path: Path) -> None:
    load(write_naaccr(tmp_path / "first.xml", [of_patient(number) for number in range(1, 6)]))
    fewer = write_naaccr(tmp_path / "fewer.xml", [record(), of_patient(2)])
    with pytest.raises(DatasetRejected, match="has 2 records, the registry's last one had 5") as refusal:
        load(fewer)
    assert "--allow-fewer" in refusal.value.next_step
    assert len(ask(TUMOUR)) == 5
    load(fewer, allow_fewer=True)
    assert len(ask(TUMOUR)) == 2


REFUSED: list[tuple[str, str]] = [
    ("", "not well-formed"),
    ("Patient;Tumour", "not well-formed"),
    ("<ClinicalDocument/>", "root is not NaaccrData"),
    ('<NaaccrData xmlns="http://naaccr.org/naaccrxml"/>', "no NAACCR version"),
    (WITH_ENTITIES, "DTDForbidden"),
    (naaccr_text([], version="250", made=""), "no records"),
    (naaccr_text([record(medicalRecordNumber="")], version="250", made=""), "no record number"),
    (OUTSIDE_A_PATIENT, "1 tumours"),
]


def test_what_is_no_registry_file_is_refused_as_a_whole(load: Load, ask: Ask, tmp_path: Path) -> None:
    for content, says in REFUSED:
        (tmp_path / "file.xml").write_text(content)
        with pytest.raises(DatasetRejected, match=says):
            load(tmp_path / "file.xml")
    assert ask("SELECT count(*) FROM registry.load_v1") == [(0,)]


def test_a_patient_whom_the_map_learns_of_later_is_linked_then(
    load: Load, ask: Ask, change: Change, tmp_path: Path
) -> None:
    load(write_naaccr(tmp_path / "file.xml", [record(), of_patient(88)]))
    assert ask(REASONS) == [(2, "unknown_patient")]
    change("INSERT INTO hospital.patient_id_map VALUES ('MRN-88', 10)")
    assert [row.person_id for row in ask(TUMOUR + " ORDER BY record_number")] == [1, 10]
    assert ask(REASONS) == []


def test_whoever_opted_out_is_in_no_view(load: Load, ask: Ask, change: Change, tmp_path: Path) -> None:
    change("INSERT INTO hospital.opt_out VALUES (1, '2026-01-01')")
    load(write_naaccr(tmp_path / "file.xml", [record(vitalStatus="0", histologicTypeIcdO3="12"), of_patient(2)]))
    for view in ("registry_tumour", "registry_follow_up", "follow_up", "registry_problem"):
        assert 1 not in {row.person_id for row in ask(f"SELECT person_id FROM fahr.{view}")}, view


def test_two_loads_at_once_do_not_mix(load: Load, owner_engine: Engine, tmp_path: Path) -> None:
    with owner_engine.begin() as other:
        other.execute(text("SELECT pg_advisory_xact_lock(hashtext(:lock))"), {"lock": LOCK})
        with pytest.raises(LockHeld):
            load(write_naaccr(tmp_path / "file.xml", [record()]))


def test_a_missing_file_and_a_wrong_mapping_say_so(load: Load, engine: Engine, tmp_path: Path) -> None:
    with pytest.raises(UsageError):
        load(tmp_path / "nowhere.xml")
    mapping = tmp_path / "mapping.yaml"
    mapping.write_text("columns: {mrn: A, diagnosis_date: B, site: C}\ndate_formats: ['%d/%m/%Y']\ncodes: {}\n")
    file = write_naaccr(tmp_path / "file.xml", [record()])
    with pytest.raises(SettingsError, match=r"mapping.yaml: codes.vital_status: Field required"):
        load_registry(engine=engine, file=file, mapping_file=mapping, today=TODAY)


def test_memory_does_not_grow_with_the_file(tmp_path: Path) -> None:
    """Ten times the patients are read in the same memory: one patient is held at a time."""

    def peak(patients: int) -> int:
        file = write_naaccr(tmp_path / "file.xml", [of_patient(number) for number in range(patients)])
        tracemalloc.start()
        with open_naaccr(file, load_naaccr_mapping()) as opened:
            assert sum(1 for _ in opened.records) == patients
        _, highest = tracemalloc.get_traced_memory()
        tracemalloc.stop()
        return highest

    assert peak(3000) < 1.5 * peak(300)
