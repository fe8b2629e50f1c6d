from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path

import pytest
from sqlalchemy import Engine, text

from jobs.demo.hospital import DEMO_NIGHT, build_demo_hospital, plan_hospital
from jobs.errors import UsageError
from jobs.settings import Settings
from jobs.warehouse.connection import open_warehouse
from tests.jobs.demo.conftest import PATIENTS, SEED, BuiltHospital


def test_four_hundred_patients_have_about_a_thousand_photos_a_fifth_of_them_dicom() -> None:
    counts = plan_hospital(400, 20260301).counts()
    photos = counts["photos_on_share"] + counts["photos_in_dicom_folder"]
    assert counts["patients"] == 400
    assert 950 <= photos <= 1_100
    assert 0.15 <= counts["photos_in_dicom_folder"] / photos <= 0.25
    assert counts["sessions"] >= 1.4 * 400


def test_every_record_keeps_the_foreign_keys_of_the_official_tables(hospital: BuiltHospital) -> None:
    keys = hospital.query(
        "SELECT count(*) FROM information_schema.table_constraints"
        " WHERE constraint_schema = 'cdm' AND constraint_type = 'FOREIGN KEY'"
    )
    assert keys[0][0] > 100
    tables = hospital.query("SELECT count(*) FROM information_schema.tables WHERE table_schema = 'cdm'")
    assert tables[0][0] == 39


def test_records_tell_the_same_lives_as_the_truth(hospital: BuiltHospital) -> None:
    wrong = hospital.query(
        """
        SELECT truth.person_id
        FROM demo.truth_patient AS truth
        JOIN cdm.person USING (person_id)
        JOIN cdm.observation_period AS period USING (person_id)
        LEFT JOIN cdm.death USING (person_id)
        JOIN cdm.condition_occurrence AS diagnosis USING (person_id)
        JOIN cdm.measurement AS stage USING (person_id)
        JOIN cdm.observation AS ecog ON ecog.person_id = person.person_id AND ecog.observation_date = truth.index_date
        WHERE period.observation_period_end_date - truth.index_date <> truth.followup_days
           OR (death.death_date IS NOT NULL) <> truth.died
           OR coalesce(death.death_date, period.observation_period_end_date) <> period.observation_period_end_date
           OR person.gender_concept_id <> CASE truth.sex WHEN 'M' THEN 8507 ELSE 8532 END
           OR diagnosis.condition_source_value <> truth.site
           OR stage.measurement_concept_id <> 2000000200 OR stage.value_source_value <> truth.stage
           OR ecog.observation_concept_id <> 2000000300 OR ecog.value_as_number <> truth.ecog
           OR abs((truth.index_date - person.birth_datetime::date) / 365.25 - truth.age_at_index_years) > 0.01
        """
    )
    assert wrong == []
    assert hospital.query("SELECT count(*) FROM cdm.observation_period")[0][0] == PATIENTS
    sessions = hospital.query("SELECT count(*) FROM cdm.visit_occurrence")[0][0]
    assert sessions == hospital.counts["sessions"]


def test_concepts_in_use_have_names_and_local_ones_are_in_the_local_range(hospital: BuiltHospital) -> None:
    local = hospital.query("SELECT concept_id >= 2000000000 AS local, vocabulary_id = 'Demo hospital' FROM cdm.concept")
    assert all(in_range == of_hospital for in_range, of_hospital in local)
    sites = hospital.query(
        "SELECT DISTINCT condition_concept_id FROM cdm.condition_occurrence"
        " WHERE condition_concept_id NOT BETWEEN 2000000101 AND 2000000106"
    )
    assert sites == []


def test_nothing_was_registered_after_the_demo_night(hospital: BuiltHospital) -> None:
    latest = hospital.query("SELECT max(registered_at) FROM hospital.photo_manifest")[0][0]
    assert latest.date() <= DEMO_NIGHT
    for filed in hospital.plan.photos:
        if filed.make is not None:
            assert datetime.fromtimestamp(hospital.path(filed).stat().st_mtime, UTC).date() <= DEMO_NIGHT


def test_photos_are_taken_while_the_patient_lives(hospital: BuiltHospital) -> None:
    for session in plan_hospital(400, 1).sessions:
        assert session.patient.index_date <= session.day <= session.patient.last_day
    gaps = [
        (later.day - earlier.day).days / 365.25
        for earlier, later in zip(hospital.plan.sessions, hospital.plan.sessions[1:], strict=False)
        if earlier.patient == later.patient
    ]
    assert all(0.5 <= gap <= 5.01 for gap in gaps)


def test_record_numbers_map_to_persons_and_two_of_them_opted_out(hospital: BuiltHospital) -> None:
    mrns = hospital.query("SELECT mrn, person_id FROM hospital.patient_id_map")
    assert len(mrns) == PATIENTS
    assert all(mrn.startswith("SYN-") for mrn, _ in mrns)
    opted_out = hospital.query("SELECT person_id, opted_out_on FROM hospital.opt_out")
    assert 1 <= len(opted_out) <= 2
    assert all(day <= DEMO_NIGHT for _, day in opted_out)


def test_the_truth_and_every_table_of_it_say_that_they_are_synthetic(hospital: BuiltHospital) -> None:
    comments = hospital.query(
        "SELECT obj_description(oid) FROM pg_class WHERE relnamespace = 'demo'::regnamespace AND relkind = 'r'"
    )
    assert len(comments) == 5
    assert all(comment.startswith("SYNTHETIC") for (comment,) in comments)
    source = hospital.query("SELECT cdm_source_name FROM cdm.cdm_source")
    assert "SYNTHETIC" in source[0][0]
    coefficients = {row.term: row.log_hazard_ratio for row in hospital.query("SELECT * FROM demo.truth_coefficient")}
    assert coefficients["age_years"] == 0.25
    assert coefficients["sex=male"] == 0.20
    assert coefficients["site=brain"] == 0.90
    assert len(coefficients) == 13


def test_loader_reads_the_records_and_nobody_but_the_owner_the_truth(hospital: BuiltHospital) -> None:
    loader = open_warehouse(hospital.settings)
    with loader.connect() as connection:
        assert connection.execute(text("SELECT count(*) FROM cdm.person")).scalar() == PATIENTS
        readable = connection.execute(text("SELECT has_schema_privilege('demo', 'USAGE')")).scalar()
    loader.dispose()
    assert not readable


def test_a_second_build_changes_nothing(hospital: BuiltHospital) -> None:
    def state() -> tuple[dict[Path, int], list]:
        files = {path: path.stat().st_mtime_ns for path in hospital.folder.rglob("*")}
        return files, hospital.query("SELECT xmin::text, * FROM cdm.person ORDER BY person_id")

    before = state()
    counts = build_demo_hospital(settings=hospital.settings, engine_owner=hospital.engine, patients=PATIENTS, seed=SEED)
    assert counts == hospital.counts
    assert state() == before


@pytest.mark.parametrize(("patients", "seed"), [(PATIENTS + 1, SEED), (PATIENTS, SEED + 1)])
def test_another_hospital_is_not_built_over_one_that_stands(hospital: BuiltHospital, patients: int, seed: int) -> None:
    with pytest.raises(UsageError, match="Another demo hospital"):
        build_demo_hospital(settings=hospital.settings, engine_owner=hospital.engine, patients=patients, seed=seed)


def test_the_demo_is_not_built_into_a_real_hospitals_warehouse(settings: Settings, owner_engine: Engine) -> None:
    with owner_engine.begin() as connection:
        connection.execute(text("INSERT INTO hospital.photo_manifest VALUES ('1', '2', '3.jpg', NULL, '2026-01-01')"))
    with pytest.raises(UsageError, match="no demo"):
        build_demo_hospital(settings=settings, engine_owner=owner_engine, patients=PATIENTS, seed=SEED)
    assert not (settings.home / "hospital").exists()


def test_the_demo_does_not_write_into_a_photo_share_that_is_not_its_own(
    settings: Settings, owner_engine: Engine, tmp_path: Path
) -> None:
    elsewhere = settings.model_copy(update={"photo_root": tmp_path})
    with pytest.raises(UsageError, match="FAHR_PHOTO_ROOT"):
        build_demo_hospital(settings=elsewhere, engine_owner=owner_engine, patients=PATIENTS, seed=SEED)
    (settings.home / "hospital" / "photos").mkdir(parents=True)
    with pytest.raises(UsageError, match="not this demo's"):
        build_demo_hospital(settings=settings, engine_owner=owner_engine, patients=PATIENTS, seed=SEED)


def test_too_few_patients_are_refused(settings: Settings, owner_engine: Engine) -> None:
    with pytest.raises(UsageError, match="at least 10"):
        build_demo_hospital(settings=settings, engine_owner=owner_engine, patients=3)
