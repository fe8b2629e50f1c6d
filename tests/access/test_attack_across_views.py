"""The subtraction attack across views: totals of one view less cells of another tell no more of a small cell.

Everything that a researcher is shown of an analysis, of evaluations and of the archive goes into one linear programme.
A small cell is found out when one of the counts 1 to 9 is no longer possible for it.
"""

from __future__ import annotations

import random
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

import pytest
from asking import rows
from linear_attack import SMALL_CELL, Attack
from sqlalchemy import Engine, text

GROUPS = 50
PERSONS = 400
Login = Callable[..., Engine]


def test_the_attack_finds_what_totals_and_other_views_tell() -> None:
    one = Attack()
    one.adds_up("all", ["a", "b"])
    one.is_shown("all", 100)
    one.is_shown("a", 100)
    assert one.bounds("b") == (0, 4)
    assert one.finds_out("b", 3)
    two = Attack()
    two.adds_up("all", ["a", "b", "c"])
    two.is_shown("all", 100)
    two.is_shown("a", 70)
    assert two.bounds("b") == (0, 34)
    assert not two.finds_out("b", 5)
    two.is_shown("c", 25)
    assert two.bounds("b") == (0, 11)


@dataclass
class Level:
    """A level of a group in truth: events of any cause, and of one."""

    persons: int
    events: int
    of_cause: int


@dataclass
class Group:
    """A way to split the persons of the analysis; not everybody's level is listed."""

    name: str
    listed: dict[str, Level] = field(default_factory=dict)
    unlisted: Level | None = None


def _groups(chance: random.Random) -> list[Group]:
    """Groups of PERSONS persons: levels of every size, events rare, frequent and nearly everybody's."""
    return [(_any_group if number % 2 else _group_of_three)(chance, f"g{number}") for number in range(GROUPS)]


def _any_group(chance: random.Random, name: str) -> Group:
    group = Group(name)
    left = PERSONS
    for level in range(chance.randint(2, 6)):
        persons = min(left, chance.choice([chance.randint(1, 14), chance.randint(10, 90)]))
        group.listed[f"l{level}"] = _level(chance, persons)
        left -= persons
    if left and chance.random() < 0.7:
        group.listed["rest"] = _level(chance, left)
    elif left:
        group.unlisted = _level(chance, left)
    return group


def _group_of_three(chance: random.Random, name: str) -> Group:
    """One level is small. Beside it each table alone would hide another: the next in size, or that of few events."""
    small, middle = chance.randint(1, 6), chance.randint(40, 80)
    large = PERSONS - small - middle
    levels = {
        "small": Level(small, small, small),
        "middle": Level(middle, middle // 2, middle // 3),
        "large": Level(large, large // 2, 9),
    }
    return Group(name, levels)


def _level(chance: random.Random, persons: int) -> Level:
    events = round(persons * chance.choice([0.03, 0.4, 0.5, 0.6, 0.97]))
    return Level(persons, events, round(events * chance.choice([0.1, 0.5, 0.5, 0.9])))


def _total(group: Group) -> Level:
    whole = [*group.listed.values(), *([group.unlisted] if group.unlisted else [])]
    return Level(PERSONS, sum(one.events for one in whole), sum(one.of_cause for one in whole))


@pytest.fixture
def split_analyses(small_warehouse: Engine) -> dict[str, Group]:
    """An analysis a group, told by two tables: subgroups of events of any cause, performance of those of one, too."""
    groups = _groups(random.Random(11))
    with small_warehouse.begin() as connection:
        for group in groups:
            total = _total(group)
            told = {("all", "all"): total} | {(group.name, level): one for level, one in group.listed.items()}
            for model in ("any_cause", "one_cause"):
                connection.execute(
                    text("""
                        INSERT INTO fahr.risk_model_v1 (
                            analysis_id, model_name, cohort, endpoint, description, status, persons, events, ties,
                            model_id, declaration_sha256, data_sha256, code_version, fitted_on, run_id
                        )
                        SELECT :analysis, :model, 'split', endpoint, description, status, :persons, :events, ties,
                            model_id, declaration_sha256, data_sha256, code_version, fitted_on, run_id
                        FROM fahr.risk_model_v1 LIMIT 1
                    """),
                    {
                        "analysis": group.name,
                        "model": model,
                        "persons": total.persons,
                        "events": total.events if model == "any_cause" else total.of_cause,
                    },
                )
            for (name, level), one in told.items():
                facts = {"analysis": group.name, "group": name, "level": level, "persons": one.persons}
                connection.execute(
                    text("""
                        INSERT INTO fahr.risk_subgroup_v1 (
                            analysis_id, model_name, exposure, group_name, level, label, unit, persons, events, status,
                            status_reason, run_id
                        )
                        SELECT :analysis, 'any_cause', 'face_age_years', :group, :level, label, unit, :persons, :events,
                            'refused', 'a test', run_id
                        FROM fahr.risk_subgroup_v1 LIMIT 1
                    """),
                    facts | {"events": one.events},
                )
                connection.execute(
                    text("""
                        INSERT INTO fahr.risk_performance_v1 (
                            analysis_id, model_name, metric, group_name, level, persons, events, estimate, run_id
                        )
                        SELECT :analysis, :model, 'harrells_c', :group, :level, :persons, :events, 0.7, run_id
                        FROM fahr.risk_performance_v1 LIMIT 1
                    """),
                    [
                        facts | {"model": "any_cause", "events": one.events},
                        facts | {"model": "one_cause", "events": one.of_cause},
                    ],
                )
    return {group.name: group for group in groups}


def test_no_small_cell_of_an_analysis_follows_from_all_its_tables_together(split_analyses, login: Login) -> None:
    researcher = login("fahr_researcher")
    told = rows(
        researcher,
        "SELECT analysis_id, model_name, 'all', persons, events FROM fahr.researcher_risk_model WHERE cohort = 'split'"
        " UNION ALL SELECT analysis_id, model_name, level, persons, events FROM fahr.researcher_risk_subgroup"
        " WHERE cohort = 'split'"
        " UNION ALL SELECT analysis_id, model_name, level, persons, events FROM fahr.researcher_risk_performance"
        " WHERE cohort = 'split'",
    )
    shown = {(analysis, level) for analysis, _, level, *_ in told if level != "all"}
    found, small = [], 0
    for name, group in split_analyses.items():
        attack = _attack_on(group)
        for analysis, model, level, persons, events in told:
            if analysis == name and persons is not None:
                attack.is_shown(("persons", level), persons)
                attack.is_shown((model, level), events)
                attack.lies_between((f"not {model}", level), SMALL_CELL, float("inf"))
        true = _counts(group)
        small += sum(0 < number < SMALL_CELL for number in true.values())
        found += [(name, count, number) for count, number in true.items() if attack.finds_out(count, number)]
    assert small > 2 * GROUPS
    assert len(shown) >= 10
    assert found == []


def _attack_on(group: Group) -> Attack:
    """How the counts of a group add up."""
    attack = Attack()
    levels = [*group.listed, "unlisted"]
    for kind in ("persons", "any_cause", "one_cause", "not any_cause", "not one_cause"):
        attack.adds_up((kind, "all"), [(kind, level) for level in levels])
    for level in ("all", *levels):
        for model in ("any_cause", "one_cause"):
            attack.adds_up(("persons", level), [(model, level), (f"not {model}", level)])
        attack.adds_up(("any_cause", level), [("one_cause", level), ("another cause", level)])
    return attack


def _counts(group: Group) -> Mapping[tuple[str, str], int]:
    levels = group.listed | ({"unlisted": group.unlisted} if group.unlisted else {})
    return {
        count: number
        for level, one in levels.items()
        for count, number in (
            (("persons", level), one.persons),
            (("any_cause", level), one.events),
            (("one_cause", level), one.of_cause),
            (("not any_cause", level), one.persons - one.events),
            (("not one_cause", level), one.persons - one.of_cause),
        )
    }


@pytest.fixture
def split_evaluations(small_warehouse: Engine) -> dict[str, Group]:
    """An evaluation a group: one metric tells of deaths, one of people alone."""
    groups = _groups(random.Random(12))
    with small_warehouse.begin() as connection:
        for group in groups:
            total = _total(group)
            connection.execute(
                text("""
                    INSERT INTO fahr.evaluation_v1 (
                        evaluation_id, kind, model_id, preprocessing_id, weights_sha256, data, data_sha256, method,
                        remarks, is_synthetic, photos, people, evaluated_on, code_version, run_id
                    )
                    SELECT :name, 'survival', 'new-2', 'p1', 'w', :name, 's', '', '{}', true, :persons, :persons,
                        '2026-03-01', '1', run_id
                    FROM fahr.run_v1 LIMIT 1
                """),
                {"name": group.name, "persons": total.persons},
            )
            told = {("all", "all"): total} | {(group.name, level): one for level, one in group.listed.items()}
            connection.execute(
                text("""
                    INSERT INTO fahr.evaluation_metric_v1 (
                        evaluation_id, metric, group_name, level, photos, people, events, estimate
                    ) VALUES (:name, :metric, :group, :level, :persons, :persons, :events, 0.7)
                """),
                [
                    {"name": group.name, "metric": metric, "group": name, "level": level, "persons": one.persons}
                    | {"events": one.events if metric == "c_index" else None}
                    for (name, level), one in told.items()
                    for metric in ("c_index", "face_age_mae_years")
                ],
            )
    return {group.name: group for group in groups}


def test_no_small_cell_of_an_evaluation_follows_from_all_its_metrics_together(split_evaluations, login: Login) -> None:
    """Also those who survived: they are the people less the deaths."""
    told = rows(
        login("fahr_researcher"),
        "SELECT evaluation_id, level, people, events FROM fahr.researcher_evaluation_metric"
        " UNION ALL SELECT evaluation_id, 'all', people, NULL FROM fahr.researcher_evaluation",
    )
    found, small = [], 0
    for name, group in split_evaluations.items():
        attack = _attack_on(group)
        for evaluation, level, people, events in told:
            if evaluation == name and people is not None:
                attack.is_shown(("persons", level), people)
                if events is not None:
                    attack.is_shown(("any_cause", level), events)
        true = {count: number for count, number in _counts(group).items() if "one_cause" not in count[0]}
        small += sum(0 < number < SMALL_CELL for number in true.values())
        found += [(name, count, number) for count, number in true.items() if attack.finds_out(count, number)]
    assert small > GROUPS
    assert len({(name, level) for name, level, *_ in told}) > 20
    assert found == []


def test_no_small_group_of_a_calibration_follows_from_the_others_and_from_the_whole(
    small_warehouse: Engine, login: Login
) -> None:
    """Also where somebody knows how many of the whole had the event by the horizon."""
    chance = random.Random(13)
    true: dict[tuple[str, int, str], int] = {}
    with small_warehouse.begin() as connection:
        for number in range(GROUPS):
            name, sizes = (
                f"c{number}",
                [chance.choice([chance.randint(3, 30), 40]) for _ in range(chance.randint(2, 10))],
            )
            early = [round(size * chance.choice([0.05, 0.3, 0.5])) for size in sizes]
            late = [
                sooner + (size - sooner) // chance.choice([2, 20]) for size, sooner in zip(sizes, early, strict=True)
            ]
            connection.execute(
                text("""
                    INSERT INTO fahr.risk_model_v1 (
                        analysis_id, model_name, cohort, endpoint, description, status, persons, events, ties, model_id,
                        declaration_sha256, data_sha256, code_version, fitted_on, run_id
                    )
                    SELECT :name, 'm', 'calibrated', endpoint, description, status, :persons, :events, ties, model_id,
                        declaration_sha256, data_sha256, code_version, fitted_on, run_id
                    FROM fahr.risk_model_v1 LIMIT 1
                """),
                {"name": name, "persons": sum(sizes), "events": sum(late)},
            )
            for horizon, events in ((1, early), (3, late)):
                connection.execute(
                    text("""
                        INSERT INTO fahr.risk_calibration_v1
                        SELECT :name, 'm', :horizon, :group, :persons, :events, 0.5, :observed, 0, 1, run_id
                        FROM fahr.run_v1 LIMIT 1
                    """),
                    [
                        {"name": name, "horizon": horizon, "group": group, "persons": size, "events": dead}
                        | {"observed": dead / size}
                        for group, (size, dead) in enumerate(zip(sizes, events, strict=True), start=1)
                    ],
                )
                for group, (size, dead) in enumerate(zip(sizes, events, strict=True), start=1):
                    true[name, group, "persons"] = size
                    true[name, group, f"dead {horizon}"] = dead
                    true[name, group, f"alive {horizon}"] = size - dead
    researcher = login("fahr_researcher")
    wholes = rows(researcher, "SELECT analysis_id, persons FROM fahr.researcher_risk_model WHERE cohort = 'calibrated'")
    told = rows(
        researcher,
        "SELECT analysis_id, horizon_years, group_number, persons, observed FROM fahr.researcher_risk_calibration"
        " WHERE cohort = 'calibrated'",
    )
    found = []
    for name, whole in wholes:
        groups = sorted({group for analysis, group, _ in true if analysis == name})
        attack = Attack()
        if whole is not None:
            attack.is_shown((name, "all", "persons"), whole)
        attack.adds_up((name, "all", "persons"), [(name, group, "persons") for group in groups])
        for horizon in (1, 3):
            dead = sum(true[name, group, f"dead {horizon}"] for group in groups)
            if min(dead, sum(true[name, group, "persons"] for group in groups) - dead) >= SMALL_CELL:
                # Nearly the exact number: no view shows it, but somebody may have it from elsewhere.
                attack.lies_between((name, "all", f"dead {horizon}"), dead - 2, dead + 2)
            attack.adds_up((name, "all", f"dead {horizon}"), [(name, group, f"dead {horizon}") for group in groups])
            for group in groups:
                attack.adds_up(
                    (name, group, "persons"), [(name, group, f"dead {horizon}"), (name, group, f"alive {horizon}")]
                )
        for group in groups:
            attack.adds_up((name, group, "dead 3"), [(name, group, "dead 1"), (name, group, "later")])
        for analysis, horizon, group, persons, observed in told:
            if analysis == name:
                attack.is_shown((name, group, "persons"), persons)
                attack.lies_between(
                    (name, group, f"dead {horizon:g}"),
                    max(SMALL_CELL, (observed - 0.005) * (persons - 2)),
                    (observed + 0.005) * (persons + 2),
                )
                attack.lies_between((name, group, f"alive {horizon:g}"), SMALL_CELL, float("inf"))
        mine = {count: number for count, number in true.items() if count[0] == name}
        found += [(count, number) for count, number in mine.items() if attack.finds_out(count, number)]
    assert len(told) > GROUPS
    assert found == []
