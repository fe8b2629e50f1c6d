"""A registry's CSV with a mapping of its own; and the files the demo hospital ships."""

from __future__ import annotations

from pathlib import Path

import pytest

from jobs.demo.population import CANARY, admit_patients
from jobs.demo.registry_file import CSV_FILE, MAPPING_FILE, NAACCR_FILE, write_registry_files
from jobs.errors import DatasetRejected, SettingsError
from tests.registry.conftest import Ask, Change, Load

MAPPING = """
columns:
  {mrn: Nr, diagnosis_date: Dx, site: Topo, histology: Morpho, stage: UICC, vital_status: V, last_contact_date: LC}
delimiter: ";"
encoding: cp1252
date_formats: ["%d.%m.%Y", "%m.%Y"]
codes: {vital_status: {alive: [lebt], dead: [tot]}, stage: {IV: [M1]}}
not_known: {stage: ["?"]}
"""
HEADER = "Nr;Name;Dx;Topo;Morpho;UICC;V;LC\n"
SOUND = "MRN-1;Müller;05.01.2024;c50.4;8500/3;IIB;Tot;30.06.2025\n"


@pytest.fixture
def mapping(tmp_path: Path) -> Path:
    (tmp_path / "mapping.yaml").write_text(MAPPING)
    return tmp_path / "mapping.yaml"


def csv(folder: Path, *lines: str, header: str = HEADER) -> Path:
    (folder / "file.csv").write_text(header + "".join(lines), encoding="cp1252")
    return folder / "file.csv"


def test_a_csv_says_the_same_as_naaccr(load: Load, ask: Ask, mapping: Path, tmp_path: Path) -> None:
    lines = [
        SOUND,
        "MRN-2;A;01.2024;C61.9;8140/3;M1;lebt;02.2026\n",
        "MRN-3;B;01.02.2024;C34.1;8140;?;lebt;01.02.2026\n",
    ]
    load(csv(tmp_path, *lines), mapping_file=mapping)
    rows = ask(
        "SELECT person_id, site, histology, behaviour, stage, stage_basis, diagnosed_precision"
        " FROM fahr.registry_tumour"
    )
    assert sorted(rows) == [
        (1, "breast", "8500", "3", "II", "given", "day"),
        (2, "prostate", "8140", "3", "IV", "given", "month"),
        (3, "lung", "8140", None, None, None, "day"),
    ]
    assert ask("SELECT person_id, died_on::text FROM fahr.registry_follow_up ORDER BY 1")[0] == (1, "2025-06-30")
    assert ask("SELECT file_format, file_as_of::text FROM fahr.registry_load") == [("csv", "2026-03-01")]


def test_a_line_that_is_broken_is_kept_and_costs_no_other(load: Load, ask: Ask, mapping: Path, tmp_path: Path) -> None:
    load(csv(tmp_path, SOUND, "MRN-2;A;01.01.2024\n", "\n", SOUND.replace("MRN-1", "MRN-3")), mapping_file=mapping)
    reasons = ask("SELECT record_number, reason_code FROM fahr.registry_problem")
    assert reasons == [(2, "wrong_number_of_cells")]
    assert ask("SELECT given FROM registry.record_v1 WHERE record_number = 2") == [
        ({"cell_1": "MRN-2", "cell_2": "A", "cell_3": "01.01.2024"},)
    ]
    assert [row.person_id for row in ask("SELECT person_id FROM fahr.registry_tumour ORDER BY 1")] == [1, 3]


def test_columns_that_are_not_mapped_are_not_kept(load: Load, ask: Ask, mapping: Path, tmp_path: Path) -> None:
    load(csv(tmp_path, SOUND), mapping_file=mapping)
    assert "Müller" not in str(ask("SELECT * FROM registry.record_v1"))


def test_what_is_no_csv_of_the_mapping_is_refused(load: Load, mapping: Path, tmp_path: Path) -> None:
    with pytest.raises(DatasetRejected, match="lacks columns of the mapping: V, LC"):
        load(csv(tmp_path, SOUND, header="Nr;Name;Dx;Topo;Morpho;UICC\n"), mapping_file=mapping)
    with pytest.raises(DatasetRejected, match="twice: Nr"):
        load(csv(tmp_path, SOUND, header=HEADER.replace("Name", "Nr")), mapping_file=mapping)
    with pytest.raises(DatasetRejected, match="not CSV"):
        load(csv(tmp_path, '"MRN-1;never ends'), mapping_file=mapping)
    mapping.write_text(MAPPING.replace("cp1252", "utf-8"))
    with pytest.raises(DatasetRejected, match="not CSV"):
        load(csv(tmp_path, SOUND), mapping_file=mapping)
    mapping.write_text(MAPPING + "codes: {}\n")
    with pytest.raises(SettingsError, match="codes stands twice"):
        load(csv(tmp_path, SOUND), mapping_file=mapping)


def test_the_demos_files_load_and_hold_what_is_odd_on_purpose(
    load: Load, ask: Ask, change: Change, tmp_path: Path
) -> None:
    patients = admit_patients(60, seed=7)
    folder = tmp_path / "registry"
    write_registry_files(patients, folder, seed=7)
    before = {path.name: path.read_bytes() for path in folder.iterdir()}
    write_registry_files(patients, folder, seed=7)
    assert {path.name: path.read_bytes() for path in folder.iterdir()} == before
    change("TRUNCATE hospital.patient_id_map, cdm.observation_period")
    for patient in patients:
        change(f"INSERT INTO hospital.patient_id_map VALUES ('{patient.mrn}', {patient.person_id})")
        period = f"{patient.person_id}, '{patient.diagnosed}', '{patient.last_day}'"
        change(f"INSERT INTO cdm.observation_period VALUES ({period})")
        if patient.died:
            change(f"INSERT INTO cdm.death VALUES ({patient.person_id}, '{patient.last_day}')")
    counts = load(folder / NAACCR_FILE)
    assert (counts["records"], counts["unknown_patient"]) == (60, 2)
    assert counts["tumours"] > 50
    assert {
        "diagnosis_date_invalid",
        "stage_invalid",
        "site_invalid",
        "histology_invalid",
        "vital_status_missing",
    } < set(counts)
    assert {"death_dates_differ", "alive_after_cdm_death"} <= set(counts)
    assert CANARY not in str(ask("SELECT * FROM registry.record_v1"))
    counts = load(folder / CSV_FILE, mapping_file=folder / MAPPING_FILE, registry="regional")
    assert counts["tumours"] > 50 and "diagnosis_date_invalid" in counts
