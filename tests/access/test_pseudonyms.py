"""Pseudonyms and shifted dates: constant for a person, of no use without the key, and none without it."""

from __future__ import annotations

import hashlib
import hmac
from datetime import timedelta
from pathlib import Path

import pytest
from asking import refused, rows
from pydantic import SecretStr
from sqlalchemy import text

from jobs.access.key import PseudonymKey, pseudonym_key
from jobs.access.pseudonyms import refresh_pseudonyms, require_key
from jobs.errors import SettingsError
from tests.access.conftest import KEY

GRANTED = ("cancer_photo",)


def test_a_pseudonym_is_the_hmac_of_the_person_under_the_key(named, small_warehouse) -> None:
    held = dict(rows(small_warehouse, "SELECT person_id, pseudonym FROM fahr.pseudonym_v1"))
    assert len(held) == 80
    assert held[7] == hmac.new(KEY.encode(), b"fahr person 7", hashlib.sha256).hexdigest()[:32]
    assert len(set(held.values())) == 80


def test_shifts_fill_their_span_and_are_never_nothing() -> None:
    key = PseudonymKey(b"x" * 32, 30)
    shifts = [key.shift_days(person) for person in range(20_000)]
    assert set(shifts) == set(range(-30, 31)) - {0}
    counts = [shifts.count(shift) for shift in set(shifts)]
    assert min(counts) > 250 and max(counts) < 420  # 333 expected, standard deviation 18


def test_neither_key_nor_pseudonym_table_can_be_read_by_readers_and_the_key_is_not_in_the_database(
    named, login, small_warehouse
) -> None:
    for role in ("fahr_analyst", "fahr_researcher"):
        for relation in ("pseudonym_v1", "pseudonymous_person"):
            assert refused(login(role), f"SELECT * FROM fahr.{relation}")
    assert KEY not in str(rows(small_warehouse, "SELECT * FROM fahr.pseudonym_v1"))
    assert KEY not in repr(named) and KEY not in repr(pseudonym_key(named))


def test_dates_of_a_person_move_together_and_intervals_stay(named, login, small_warehouse) -> None:
    seen = rows(
        login("fahr_researcher", cohorts=GRANTED),
        "SELECT pseudonym, session_on, days_from_index FROM fahr.researcher_session WHERE is_current_model",
    )
    true = rows(
        small_warehouse,
        "SELECT pseudonym, session_on, shift_days FROM fahr.session_score JOIN fahr.pseudonym_v1 USING (person_id)"
        " WHERE is_current_model",
    )
    assert len(seen) == 120
    assert {(name, day) for name, day, _ in seen} == {(name, day + timedelta(shift)) for name, day, shift in true}
    assert all(1 <= abs(shift) <= 182 for *_, shift in true)
    assert {days for *_, days in seen} == {0, 731}
    index = dict(
        rows(login("fahr_researcher", cohorts=GRANTED), "SELECT pseudonym, index_on FROM fahr.researcher_member")
    )
    assert all(day - timedelta(days) == index[name] for name, day, days in seen)


def test_researchers_read_members_without_anything_that_names_a_person(named, login) -> None:
    (row,) = rows(
        login("fahr_researcher", cohorts=GRANTED),
        "SELECT count(*), count(DISTINCT pseudonym), max(age_years), min(followup_years), count(face_age_gap_years)"
        " FROM fahr.researcher_member",
    )
    assert row == (80, 80, 84, 0.5, 80)


def test_the_very_old_have_no_age_of_their_own(named, login, small_warehouse) -> None:
    with small_warehouse.begin() as connection:
        connection.execute(text("UPDATE fahr.cohort_member_v1 SET age_years = 97.3 WHERE person_id = 5"))
    very_old = "SELECT age_years, face_age_gap_years FROM fahr.researcher_member WHERE age_years > 85"
    assert rows(login("fahr_researcher", cohorts=GRANTED), very_old) == [(90, None)]


def test_who_opted_out_is_gone_at_once(named, login, small_warehouse) -> None:
    me = login("fahr_researcher", cohorts=GRANTED)
    with small_warehouse.begin() as connection:
        connection.execute(text("INSERT INTO hospital.opt_out VALUES (5, '2026-03-02')"))
    for view in ("researcher_member", "researcher_session", "researcher_patient_risk"):
        assert rows(me, f"SELECT count(DISTINCT pseudonym) FROM fahr.{view}") == [(79,)]


def test_without_a_key_a_researcher_sees_no_person(settings, engine, small_warehouse, login) -> None:
    refresh_pseudonyms(settings=settings, engine=engine)
    me = login("fahr_researcher", cohorts=GRANTED)
    assert rows(me, "SELECT count(*) FROM fahr.researcher_member") == [(0,)]
    with pytest.raises(SettingsError, match="No key"):
        require_key(settings)


def test_a_new_key_renames_everybody_and_no_key_takes_the_names_away(named, engine) -> None:
    assert refresh_pseudonyms(settings=named, engine=engine) == {"added": 0, "removed": 0, "standing": 80}
    other = named.model_copy(update={"pseudonym_key": SecretStr("another key of the same length, no less")})
    assert refresh_pseudonyms(settings=other, engine=engine) == {"added": 80, "removed": 80, "standing": 80}
    none = named.model_copy(update={"pseudonym_key": None})
    assert refresh_pseudonyms(settings=none, engine=engine) == {"added": 0, "removed": 80, "standing": 0}
    told = rows(engine, "SELECT counts ->> 'added' FROM fahr.audit_v1 WHERE action = 'pseudonyms' ORDER BY audit_id")
    assert told == [("80",), ("80",), ("0",)]


def test_who_leaves_the_cohorts_loses_the_name(named, engine) -> None:
    with engine.begin() as connection:
        connection.execute(text("DELETE FROM fahr.cohort_member_v1 WHERE person_id = 5"))
    assert refresh_pseudonyms(settings=named, engine=engine) == {"added": 0, "removed": 1, "standing": 79}


def test_a_key_file_must_be_the_owners_alone(settings, tmp_path: Path) -> None:
    file = tmp_path / "key"
    file.write_text(KEY + "\n")
    by_file = settings.model_copy(update={"pseudonym_key_file": file})
    file.chmod(0o640)
    with pytest.raises(SettingsError, match="open to other users"):
        pseudonym_key(by_file)
    file.chmod(0o600)
    by_text = settings.model_copy(update={"pseudonym_key": SecretStr(KEY)})
    assert pseudonym_key(by_file) == pseudonym_key(by_text)
    with pytest.raises(SettingsError, match="both set"):
        pseudonym_key(by_file.model_copy(update={"pseudonym_key": SecretStr(KEY)}))
    file.write_text("short")
    with pytest.raises(SettingsError, match="fewer than 32"):
        pseudonym_key(by_file)
    file.unlink()
    with pytest.raises(SettingsError, match="FileNotFoundError"):
        pseudonym_key(by_file)


def test_a_month_of_diagnosis_does_not_give_the_shift_away(named, login, small_warehouse) -> None:
    with small_warehouse.begin() as connection:
        connection.execute(text("INSERT INTO hospital.patient_id_map VALUES ('m1', 1), ('m2', 2)"))
        connection.execute(
            text("""
                INSERT INTO registry.load_v1 (
                    load_id, registry, file_format, file_as_of, file_sha256, mapping_sha256, code_version, is_current
                ) VALUES (gen_random_uuid(), 'r', 'csv', '2026-01-01', 's', 's', '1', true)
            """)
        )
        connection.execute(
            text("""
                INSERT INTO registry.record_v1 (
                    registry, record_number, load_id, mrn, diagnosed_on, diagnosed_precision, site_code, site,
                    tumour_usable, follow_up_usable, given
                )
                SELECT 'r', n, load_id, 'm' || n, '2023-07-01', (ARRAY['day', 'month'])[n], 'C50.9', 'breast', true,
                    false, '{}'
                FROM registry.load_v1, generate_series(1, 2) AS n
            """)
        )
    seen = rows(
        login("fahr_researcher", cohorts=GRANTED),
        "SELECT diagnosed_precision, diagnosed_on, diagnosed_years_from_index, site_code FROM fahr.researcher_tumour"
        " ORDER BY diagnosed_precision",
    )
    (shift,) = rows(small_warehouse, "SELECT date '2023-07-01' + shift_days FROM fahr.pseudonym_v1 WHERE person_id = 1")
    assert seen == [("day", *shift, -0.5, "C50"), ("month", None, -0.5, "C50")]
