"""The rule vocabulary: a rule that makes no sense cannot be declared."""

from __future__ import annotations

import pytest

from schemas.landing_rules import LANDING, LANDING_BEFORE_TWINS
from schemas.rules import Aggregate, Between, InSet, NotNull, RowCount, Rule, Suite, reason_sql
from schemas.staged_rules import STAGED


def test_a_rule_that_sets_rows_aside_names_a_known_reason():
    with pytest.raises(ValueError, match="reason"):
        Rule("x", NotNull("a"), "A.", severity="warning")
    with pytest.raises(ValueError, match="reason"):
        Rule("x", NotNull("a"), "A.", severity="warning", reason_code="bad_luck")
    with pytest.raises(ValueError, match="reason"):
        Rule("x", NotNull("a"), "A.", severity="critical", reason_code="no_face")


def test_a_rule_over_a_whole_data_set_cannot_set_rows_aside():
    with pytest.raises(ValueError, match="reason"):
        Rule("x", RowCount(), "A.", severity="warning", reason_code="no_face")


def test_a_suite_names_each_rule_once():
    rule = Rule("x", NotNull("a"), "A.")
    with pytest.raises(ValueError, match="name"):
        Suite("s", (rule, rule), key="a")


def test_numbers_known_later_are_filled_in_and_must_be_given():
    rule = Rule("x", Aggregate("count(*) >= {fewest}"), "A.")
    assert rule.bound({"fewest": 3}).condition == Aggregate("count(*) >= 3")
    with pytest.raises(KeyError):
        rule.bound({})


def test_text_in_sql_is_quoted():
    assert InSet("a", ("it's", "b")).broken_sql == "NOT coalesce(a IN ('it''s', 'b'), true)"


def test_the_reason_is_that_of_the_first_broken_rule():
    rules = (
        Rule("later", Between("a", at_most=1), "A."),
        Rule("small", Between("a", at_least=0), "A.", severity="warning", reason_code="source_too_small"),
        Rule("none", NotNull("a"), "A.", severity="warning", reason_code="unknown_patient"),
    )
    assert reason_sql(rules) == (
        "CASE WHEN NOT coalesce(a >= 0, true) THEN 'source_too_small' WHEN a IS NULL THEN 'unknown_patient' END"
    )


def test_a_photos_own_rules_come_before_those_that_look_at_other_photos():
    row_rules = [rule for rule in LANDING.rules if rule.reason_code]
    assert row_rules[: len(LANDING_BEFORE_TWINS.rules)] == list(LANDING_BEFORE_TWINS.rules)
    assert [rule.name for rule in row_rules[-2:]] == ["bytes_of_another_patient", "duplicate_bytes"]


def test_every_rule_of_what_is_published_must_hold():
    assert {rule.severity for rule in STAGED.rules} == {"critical"}
