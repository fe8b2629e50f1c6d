"""Scores written to OMOP CDM 5.4 tables with every key of the official DDL, and taken out again."""

from __future__ import annotations

from collections.abc import Callable
from datetime import date

import pytest
from sqlalchemy import Engine, MetaData, inspect, text
from sqlalchemy_omopcdm import OMOPCDMModelBase

from jobs.errors import LockHeld, SettingsError, UsageError
from jobs.follow import follow
from jobs.omop.cdm_schema import prepare
from jobs.omop.write import remove, write
from jobs.settings import Settings
from tests.omop.conftest import Ask

Change = Callable[[str], None]

TABLES = ("measurement", "procedure_occurrence", "image_occurrence", "image_feature", "person", "concept", "vocabulary")


@pytest.fixture
def results(owner_engine: Engine) -> str:
    """A results schema."""
    prepare(owner_engine, "omop_results")
    return "omop_results"


@pytest.fixture
def run(settings: Settings, engine: Engine) -> Callable[[str], dict[str, int]]:
    """Write as the loader."""
    return lambda schema: write(settings=settings, engine=engine, schema=schema)


def state(ask: Ask, schema: str) -> dict[str, list]:
    """Every row of the tables that are written, with the transaction that wrote it."""
    return {table: ask(f"SELECT xmin::text, * FROM {schema}.{table} ORDER BY 2") for table in TABLES}


def test_a_prepared_schema_has_every_table_and_key_of_the_official_definition(owner_engine: Engine, results) -> None:
    """Compared with sqlalchemy-omopcdm, whose 39 tables equal the official DDL."""
    inspector = inspect(owner_engine)
    official: MetaData = OMOPCDMModelBase.metadata
    assert set(inspector.get_table_names(results)) == {*official.tables, "image_occurrence", "image_feature"}
    for name, table in official.tables.items():
        keys = inspector.get_foreign_keys(name, results)
        assert len(keys) == len(table.foreign_key_constraints), name
        assert not any(key["options"] for key in keys), "no key is deferred"
        assert set(inspector.get_pk_constraint(name, results)["constrained_columns"]) == {
            column.name for column in table.primary_key
        }
        required = {column["name"] for column in inspector.get_columns(name, results) if not column["nullable"]}
        assert required == {column.name for column in table.columns if not column.nullable}
    assert len(inspector.get_foreign_keys("image_feature", results)) == 7
    assert len(inspector.get_foreign_keys("image_occurrence", results)) == 5


def test_each_session_is_a_measurement_of_each_biomarker(run, ask: Ask, results: str) -> None:
    counts = run(results)
    sessions = ask(
        "SELECT person_id, session_on, face_age_years::numeric, face_survival_log_risk::numeric"
        " FROM fahr.session_score_unseen WHERE is_current_model AND person_id <> 1 ORDER BY 1, 2"
    )
    written = ask(f"""
        SELECT age.person_id, age.measurement_date, age.value_as_number, survival.value_as_number
        FROM {results}.measurement AS age JOIN {results}.measurement AS survival USING (person_id, measurement_date)
        JOIN {results}.concept AS age_concept ON age_concept.concept_id = age.measurement_concept_id
        JOIN {results}.concept AS survival_concept ON survival_concept.concept_id = survival.measurement_concept_id
        WHERE age_concept.concept_code = 'face_age' AND survival_concept.concept_code = 'face_survival' ORDER BY 1, 2
    """)
    assert written == sessions
    assert counts["measurements"] == 2 * len(sessions) > 40
    ((units, types, models),) = ask(f"""
        SELECT array_agg(DISTINCT unit.concept_name), array_agg(DISTINCT type.concept_name),
            array_agg(DISTINCT measurement_source_value)
        FROM {results}.measurement LEFT JOIN {results}.concept AS unit ON unit.concept_id = unit_concept_id
        JOIN {results}.concept AS type ON type.concept_id = measurement_type_concept_id
    """)
    assert units == ["year", None]
    assert types == ["Derived from a photograph by a network"]
    assert models == ["fahr-test-1"]


def test_our_concepts_are_local_ones_and_registered_with_all_their_keys(run, ask: Ask, results: str) -> None:
    run(results)
    ours = ask(f"SELECT * FROM {results}.concept WHERE vocabulary_id = 'FAHR'")
    assert all(concept.concept_id > 2_000_000_000 and concept.standard_concept is None for concept in ours)
    assert {concept.concept_code for concept in ours} >= {"face_age", "face_survival", "photography", "vocabulary"}
    ((vocabulary,),) = ask(
        f"SELECT concept_code FROM {results}.vocabulary JOIN {results}.concept ON concept_id = vocabulary_concept_id"
        " WHERE vocabulary.vocabulary_id = 'FAHR'"
    )
    assert vocabulary == "vocabulary"


def test_each_series_is_an_image_and_its_features_lead_to_the_values(run, ask: Ask, results: str) -> None:
    run(results)
    series = ask(
        "SELECT person_id, captured_on, source FROM fahr.face_score WHERE is_current_model AND person_id <> 1"
        " GROUP BY 1, 2, 3 ORDER BY 1, 2, 3"
    )
    images = ask(f"""
        SELECT image.person_id, image_occurrence_date, procedure_source_value, image_series_uid, image_study_uid,
            local_path, wadors_uri
        FROM {results}.image_occurrence AS image JOIN {results}.procedure_occurrence USING (procedure_occurrence_id)
        WHERE procedure_date = image_occurrence_date ORDER BY 1, 2, 3
    """)
    assert [tuple(image[:3]) for image in images] == [tuple(one) for one in series]
    uids = [uid for image in images for uid in image[3:5]]
    assert len(set(uids)) == len(uids)
    assert all(uid.startswith("2.25.") and len(uid) <= 64 and int(uid[5:]) < 2**128 for uid in uids)
    assert {image[5:] for image in images} == {(None, None)}
    features = ask(f"""
        SELECT feature.person_id = measurement.person_id AND image_occurrence_date = measurement_date
                AND image_feature_concept_id = measurement_concept_id AS leads_to_its_value,
            alg_system, alg_datetime, field.concept_name
        FROM {results}.image_feature AS feature JOIN {results}.image_occurrence USING (image_occurrence_id)
        JOIN {results}.measurement ON measurement_id = image_feature_event_id
        JOIN {results}.concept AS field ON field.concept_id = image_feature_event_field_concept_id
    """)
    assert len(features) == 2 * len(series)
    assert all(feature.leads_to_its_value for feature in features)
    assert {feature.concept_name for feature in features} == {"measurement.measurement_id"}
    assert all("fahr-test-1" in feature.alg_system and "p-test" in feature.alg_system for feature in features)


def test_a_second_write_changes_no_row(run, ask: Ask, results: str) -> None:
    run(results)
    before = state(ask, results)
    counts = run(results)
    assert (counts["added"], counts["changed"], counts["removed"]) == (0, 0, 0)
    assert state(ask, results) == before
    assert ask("SELECT count(*) FROM fahr.audit_v1 WHERE action = 'omop_write'") == [(1,)]


def test_changed_scores_are_mended_in_place_and_the_opted_out_go(run, ask: Ask, change: Change, results: str) -> None:
    run(results)
    ids = f"SELECT measurement_id FROM {results}.measurement WHERE person_id = 2 ORDER BY 1"
    before = ask(ids)
    change(
        "UPDATE fahr.face_score_v1 SET face_age_years = 77 WHERE content_sha256 IN"
        " (SELECT content_sha256 FROM fahr.photo_v1 WHERE person_id = 2)"
    )
    change("INSERT INTO hospital.opt_out VALUES (3, '2026-03-02')")
    counts = run(results)
    assert counts["added"] == 0 and counts["changed"] > 0 and counts["removed"] > 0
    assert ask(ids) == before
    ages = f"SELECT DISTINCT value_as_number FROM {results}.measurement WHERE person_id = 2 AND unit_source_value = 'a'"
    assert ask(ages) == [(77,)]
    for table in ("measurement", "procedure_occurrence", "image_occurrence", "image_feature", "person"):
        assert ask(f"SELECT count(*) FROM {results}.{table} WHERE person_id IN (1, 3)") == [(0,)], table


def test_excluded_photos_are_not_written(run, ask: Ask, change: Change, results: str) -> None:
    change(
        "UPDATE fahr.validation_v1 SET accepted = false, reason_code = 'duplicate_bytes' WHERE photo_id IN"
        " (SELECT photo_id FROM fahr.photo_v1 WHERE person_id = 4)"
    )
    run(results)
    assert ask(f"SELECT count(*) FROM {results}.measurement WHERE person_id = 4") == [(0,)]
    assert ask(f"SELECT count(*) FROM {results}.image_occurrence WHERE person_id = 4") == [(0,)]
    assert ask(f"SELECT count(*) > 0 FROM {results}.image_occurrence WHERE person_id = 5") == [(True,)]


def test_a_corrected_birth_year_or_sex_reaches_the_copied_person_and_nobody_elses(
    run, ask: Ask, change: Change, results: str
) -> None:
    run(results)
    # Not a copy of ours: somebody else who uses the schema put that person there.
    change(f"UPDATE {results}.person SET person_source_value = 'theirs', year_of_birth = 1900 WHERE person_id = 5")
    before = state(ask, results)["person"]
    change("UPDATE cdm.person SET year_of_birth = 1931, gender_concept_id = 0 WHERE person_id IN (4, 5)")
    assert run(results)["changed"] == 1
    told = f"SELECT person_id, year_of_birth, gender_concept_id = 0 FROM {results}.person WHERE person_id IN (4, 5)"
    assert ask(f"{told} ORDER BY 1") == [(4, 1931, True), (5, 1900, False)]
    after = state(ask, results)["person"]
    assert [row for row in after if row not in before] == [row for row in after if row.person_id == 4]
    assert run(results)["changed"] == 0


def test_a_refusal_under_an_id_that_was_merged_takes_the_scores_out(
    run, ask: Ask, change: Change, results: str, settings: Settings, engine: Engine
) -> None:
    change("INSERT INTO hospital.person_merge VALUES (9007, 7, '2026-03-01')")
    follow(settings=settings, engine=engine, night=date(2026, 3, 1))
    run(results)
    change("INSERT INTO hospital.opt_out VALUES (9007, '2026-03-02')")
    assert run(results)["removed"] > 0
    for table in ("measurement", "procedure_occurrence", "image_occurrence", "person"):
        assert ask(f"SELECT count(*) FROM {results}.{table} WHERE person_id = 7") == [(0,)], table


def test_a_copied_person_brings_nothing_that_identifies(run, ask: Ask, results: str) -> None:
    run(results)
    persons = ask(f"SELECT * FROM {results}.person")
    assert len(persons) == 24
    assert {(row.month_of_birth, row.day_of_birth, row.birth_datetime, row.care_site_id) for row in persons} == {
        (None, None, None, None)
    }
    assert {row.person_source_value for row in persons} == {"fahr"}


def test_removing_leaves_nothing_of_ours(run, settings: Settings, engine: Engine, ask: Ask, results: str) -> None:
    run(results)
    counts = remove(settings=settings, engine=engine, schema=results)
    assert counts["measurement"] > 0 and counts["concepts"] > 0
    for table in ("measurement", "procedure_occurrence", "image_occurrence", "image_feature", "person"):
        assert ask(f"SELECT count(*) FROM {results}.{table}") == [(0,)], table
    assert ask(f"SELECT count(*) FROM {results}.concept WHERE concept_id > 2000100000 - 1") == [(0,)]
    assert not any(remove(settings=settings, engine=engine, schema=results).values())
    run(results)
    assert ask(f"SELECT count(*) > 0 FROM {results}.measurement") == [(True,)]


def test_the_hospitals_own_cdm_is_as_before_after_writing_and_removing(
    run, settings: Settings, engine: Engine, owner_engine: Engine, ask: Ask, change: Change
) -> None:
    """Rows of the hospital's stay what they are, and ids go on from the highest."""
    assert prepare(owner_engine, "cdm") == {"tables_created": 2}
    before = state(ask, "cdm")
    with pytest.raises(SettingsError, match="fahr_loader may not write"):
        run("cdm")
    for table in ("measurement", "procedure_occurrence", "concept", "vocabulary", "domain", "concept_class"):
        change(f"GRANT SELECT, INSERT, UPDATE, DELETE ON cdm.{table} TO fahr_loader")
    run("cdm")
    ((lowest, stages),) = ask("SELECT min(measurement_id), count(*) FROM cdm.measurement WHERE measurement_id > 25")
    assert lowest == 26 and stages > 40
    ((visits,),) = ask(
        "SELECT count(*) FROM cdm.measurement JOIN cdm.visit_occurrence USING (visit_occurrence_id, person_id)"
        " WHERE visit_start_date = measurement_date"
    )
    assert visits == stages
    remove(settings=settings, engine=engine, schema="cdm")
    assert state(ask, "cdm") == before


def test_standard_concepts_of_the_hospital_go_before_ours(run, ask: Ask, change: Change, owner_engine: Engine) -> None:
    prepare(owner_engine, "cdm")
    for table in ("measurement", "procedure_occurrence", "concept", "vocabulary", "domain", "concept_class"):
        change(f"GRANT SELECT, INSERT, UPDATE, DELETE ON cdm.{table} TO fahr_loader")
    change("INSERT INTO cdm.vocabulary VALUES ('UCUM', 'Units', 2000000921)")
    change(
        "INSERT INTO cdm.concept VALUES"
        " (9448, 'year', 'Metadata', 'UCUM', 'Undefined', 'a', '1970-01-01', '2099-12-31', 'S', NULL)"
    )
    run("cdm")
    assert ask("SELECT DISTINCT unit_concept_id FROM cdm.measurement WHERE unit_source_value = 'a'") == [(9448,)]


def test_concept_ids_that_are_taken_are_refused_and_can_be_moved(
    run, settings: Settings, engine: Engine, ask: Ask, change: Change, results: str
) -> None:
    run(results)
    moved = settings.model_copy(update={"omop_first_concept_id": 2_000_200_000})
    with pytest.raises(SettingsError, match="other ids"):
        write(settings=moved, engine=engine, schema=results)
    remove(settings=settings, engine=engine, schema=results)
    write(settings=moved, engine=engine, schema=results)
    assert ask(f"SELECT min(concept_id) FROM {results}.concept WHERE vocabulary_id = 'FAHR'") == [(2_000_200_000,)]
    change(f"UPDATE {results}.concept SET vocabulary_id = 'None' WHERE concept_id = 2000200110")
    with pytest.raises(SettingsError, match="another vocabulary"):
        write(settings=moved, engine=engine, schema=results)


@pytest.mark.parametrize("name", ["fahr", "hospital", "pg_catalog", 'x"; DROP SCHEMA cdm', "Results", ""])
def test_what_cannot_be_a_cdm_is_refused(run, name: str) -> None:
    with pytest.raises(UsageError):
        run(name)


def test_a_schema_without_tables_says_what_to_do(run, owner_engine: Engine, change: Change) -> None:
    with pytest.raises(SettingsError, match="lacks tables") as refusal:
        run("nowhere")
    assert "fahr omop prepare --schema nowhere" in refusal.value.next_step
    change("CREATE SCHEMA something")
    with pytest.raises(UsageError, match=r"no CDM 5\.4"):
        prepare(owner_engine, "something")


def test_two_writes_at_once_do_not_mix(run, owner_engine: Engine, results: str) -> None:
    with owner_engine.begin() as other:
        other.execute(text("SELECT pg_advisory_xact_lock(hashtext('fahr:omop:omop_results'))"))
        with pytest.raises(LockHeld):
            run(results)
