"""The reason codes are one list: what a stage can give is in it, once."""

from __future__ import annotations

from model.exclusions import Exclusion
from schemas.landing_rules import HEADER_PROBLEMS, LANDING
from schemas.reasons import BY_CODE, REASONS


def test_codes_are_unique_and_each_has_a_sentence():
    assert len(BY_CODE) == len(REASONS)
    assert [reason.code for reason in REASONS if not reason.meaning.endswith(".")] == []


def test_every_exclusion_of_the_science_is_a_permanent_reason():
    exclusions = {exclusion.value for exclusion in Exclusion}
    assert exclusions - BY_CODE.keys() == set()
    assert [code for code in exclusions if not BY_CODE[code].permanent] == []


def test_what_may_pass_by_itself_is_tried_again():
    transient = {reason.code for reason in REASONS if not reason.permanent}
    assert transient == {
        "file_missing",
        "unreadable_file",
        "source_unreachable",
        "access_denied",
        "not_at_hand",
        "patient_contradicted",
        "scorer_unavailable",
    }


def test_validate_gives_the_reasons_that_are_its_own():
    given = {rule.reason_code for rule in LANDING.rules if rule.reason_code}
    assert given == {reason.code for reason in REASONS if reason.stage == "validate"}
    assert set(HEADER_PROBLEMS) <= given
