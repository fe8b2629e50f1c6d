"""The subtraction attack: adding up what researchers are shown tells no more of a small cell than that it is small.

The attacker knows every margin, every rounded count that is shown, and how rounding works; hidden cells are bounded by
what is left of the total. A small cell is found out when fewer counts are possible for it than before.
"""

from __future__ import annotations

import json
import random
from collections import defaultdict
from collections.abc import Mapping
from dataclasses import dataclass, field

import pytest
from asking import rows
from sqlalchemy import Engine, text

SMALL_CELL = 10
ROUNDING = 2
"""A count shown as a multiple of five is at most so far from the true one."""
MARGINS = 60
WHOLE = ("all", "all")
Cells = Mapping[tuple, Mapping[str, int]]
"""Counts by the key of the margin, and then by level."""
Totals = Mapping[tuple, int]


@dataclass
class Margin:
    """One total, and the cells that add up to it: true counts, and what is shown of them (None: hidden)."""

    total_shown: float | None
    true: dict[str, int] = field(default_factory=dict)
    shown: dict[str, int | None] = field(default_factory=dict)
    slack: int = ROUNDING

    def possible(self, cell: str) -> tuple[float, float]:
        """Least and most that a hidden cell can be."""
        if self.total_shown is None:
            return 0, float("inf")
        visible = [count for count in self.shown.values() if count is not None]
        least_others = sum(max(0, count - self.slack) for count in visible)
        most_others = sum(count + self.slack for count in visible)
        hidden_others = sum(count is None for name, count in self.shown.items() if name != cell)
        most = self.total_shown + self.slack - least_others
        least = 0 if hidden_others else max(0, self.total_shown - self.slack - most_others)
        return least, most

    def found_out(self) -> list[str]:
        """Small cells for which fewer than SMALL_CELL - 1 of the counts 1 to SMALL_CELL - 1 are still possible."""
        found = []
        for cell, count in self.true.items():
            if self.shown[cell] is None and 0 < count < SMALL_CELL:
                least, most = self.possible(cell)
                if least > 1 or most < SMALL_CELL - 1:
                    found.append(cell)
        return found


def margins(true: Cells, shown: Cells, true_totals: Totals, totals: Totals) -> list[Margin]:
    """Every margin; what its levels lack of the total (people of whom it is not known) is a hidden cell."""
    found = []
    for key, cells in true.items():
        whole = dict(cells)
        unlisted = true_totals.get(key[:-1], 0) - sum(cells.values())
        if unlisted > 0:
            whole["not listed"] = unlisted
        found.append(Margin(totals.get(key[:-1]), whole, {cell: shown.get(key, {}).get(cell) for cell in whole}))
    return found


def test_the_attack_works_on_tables_that_hide_small_cells_alone() -> None:
    assert Margin(100, {"a": 93, "b": 7}, {"a": 93, "b": None}, slack=0).found_out() == ["b"]
    assert Margin(100, {"a": 94, "b": 3, "c": 3}, {"a": 94, "b": None, "c": None}, slack=0).found_out() == ["b", "c"]
    assert Margin(100, {"a": 97, "b": 3}, {"a": 100, "b": None}).found_out() == ["b"]
    assert Margin(100, {"a": 70, "b": 25, "c": 5}, {"a": 70, "b": None, "c": None}).found_out() == []


@pytest.fixture
def many_margins(small_warehouse: Engine) -> Engine:
    """Groups of every kind: with one small cell, several, none, levels that are not listed, one level alone."""
    chance = random.Random(5)
    subgroups, evaluations = [], []
    for number in range(MARGINS):
        levels = chance.randint(1, 6)
        sizes = _split(chance, 400, levels + chance.randint(0, 1))[:levels]
        left = 200
        for level, persons in enumerate(sizes):
            events = min(left, round(persons * chance.choice([0.03, 0.4, 0.5, 0.6, 0.97])))
            left -= events
            subgroups.append({"group_name": f"g{number}", "level": f"l{level}", "persons": persons, "events": events})
            evaluations.append({**subgroups[-1], "photos": persons + chance.randint(0, 9)})
    with small_warehouse.begin() as connection:
        for table in ("risk_subgroup_v1", "risk_performance_v1"):
            connection.execute(text(f"UPDATE fahr.{table} SET persons = 400, events = 200 WHERE level = 'all'"))
        connection.execute(
            text("""
                INSERT INTO fahr.risk_subgroup_v1 (
                    analysis_id, model_name, exposure, group_name, level, label, unit, persons, events, status,
                    status_reason, run_id
                )
                SELECT analysis_id, model_name, exposure, :group_name, :level, label, unit, :persons, :events,
                    'refused', 'a test', run_id
                FROM fahr.risk_subgroup_v1 WHERE analysis_id = 'second' AND level = 'all'
            """),
            subgroups,
        )
        connection.execute(
            text("""
                INSERT INTO fahr.risk_performance_v1 (
                    analysis_id, model_name, metric, group_name, level, persons, events, estimate, run_id
                )
                SELECT analysis_id, model_name, metric, :group_name, :level, :persons, :events, 0.7, run_id
                FROM fahr.risk_performance_v1 WHERE analysis_id = 'second' AND level = 'all'
            """),
            subgroups,
        )
        connection.execute(
            text("""
                INSERT INTO fahr.evaluation_v1 (
                    evaluation_id, kind, model_id, preprocessing_id, weights_sha256, data, data_sha256, method, remarks,
                    is_synthetic, photos, people, evaluated_on, code_version, run_id
                )
                SELECT 'e', 'survival', 'new-2', 'p1', 'w', 'd', 's', '', '{}', true, 700, 400, '2026-03-01', '1',
                    run_id
                FROM fahr.run_v1 LIMIT 1
            """)
        )
        connection.execute(
            text("""
                INSERT INTO fahr.evaluation_metric_v1 (
                    evaluation_id, metric, group_name, level, photos, people, events, estimate
                ) VALUES ('e', 'c_index', :group_name, :level, :photos, :persons, :events, 0.7)
            """),
            [*evaluations, {"group_name": "all", "level": "all", "photos": 700, "persons": 400, "events": 200}],
        )
    return small_warehouse


def _split(chance: random.Random, total: int, parts: int) -> list[int]:
    """Parts of 1 or more that add up to the total; about half of them small."""
    sizes = [chance.choice([chance.randint(1, 14), chance.randint(10, 60)]) for _ in range(parts - 1)]
    return [*sizes, total - sum(sizes)]


@pytest.mark.parametrize(
    ("truth", "view", "key", "counts"),
    [
        ("risk_subgroup", "researcher_risk_subgroup", "analysis_id, model_name, exposure", ("persons", "events")),
        (
            "risk_performance",
            "researcher_risk_performance",
            "analysis_id, model_name, metric || coalesce(horizon_years, 0)",
            ("persons", "events"),
        ),
        ("evaluation_metric", "researcher_evaluation_metric", "evaluation_id, metric", ("people", "photos", "events")),
    ],
)
def test_no_small_cell_follows_from_the_cells_beside_it(many_margins, login, truth, view, key, counts) -> None:
    researcher = login("fahr_researcher")
    for count in counts:
        query = f"SELECT {key}, group_name, level, {count} FROM fahr.{{}}"
        true, true_totals = _tables(rows(many_margins, query.format(truth)))
        shown, totals = _tables(rows(researcher, query.format(view)))
        attacked = margins(true, shown, true_totals, totals)
        assert len(attacked) >= MARGINS
        assert sum(None in margin.shown.values() for margin in attacked) > 20
        assert sum(any(margin.shown.values()) for margin in attacked) > 10
        assert [margin for margin in attacked if margin.found_out()] == []
        for margin in attacked:
            assert all(
                margin.shown[cell] is None or (margin.shown[cell] >= SMALL_CELL and margin.shown[cell] % 5 == 0)
                for cell in margin.true
            )


def _tables(found: list[tuple]) -> tuple[dict[tuple, dict[str, int]], dict[tuple, int]]:
    """Counts by key with group, then level; and the totals by key."""
    cells: dict[tuple, dict[str, int]] = defaultdict(dict)
    totals = {}
    for *key, group, level, count in found:
        if (group, level) == WHOLE:
            totals[tuple(key)] = count
        else:
            cells[*key, group][level] = count
    return cells, totals


def test_no_level_is_hidden_alone_while_its_total_and_all_others_are_shown(many_margins, login) -> None:
    key = "analysis_id, model_name, exposure"
    query = f"SELECT {key}, group_name, level, persons FROM fahr.{{}}"
    true, totals = _tables(rows(many_margins, query.format("risk_subgroup")))
    shown, _ = _tables(rows(login("fahr_researcher"), query.format("researcher_risk_subgroup")))
    for group, cells in true.items():
        hidden = [count for level, count in cells.items() if level not in shown.get(group, {})]
        unlisted = totals[group[:-1]] - sum(cells.values())
        if hidden:
            assert len(hidden) + (unlisted > 0) > 1 or len(cells) == 1
            assert sum(hidden) + unlisted >= SMALL_CELL or len(hidden) == len(cells)


@pytest.mark.parametrize("seed", range(3))
def test_no_small_step_of_a_flow_follows_from_the_steps_beside_it(small_warehouse, login, seed: int) -> None:
    chance = random.Random(seed)
    flows = {}
    with small_warehouse.begin() as connection:
        for number in range(20):
            left_out = [
                chance.choice([0, chance.randint(1, 9), chance.randint(10, 60)]) for _ in range(chance.randint(1, 6))
            ]
            remaining = [sum(left_out) + chance.choice([chance.randint(1, 9), 80, 300])]
            for lost in left_out:
                remaining.append(remaining[-1] - lost)
            flows[f"flow{number}"] = (left_out, remaining)
            connection.execute(
                text("""
                    INSERT INTO fahr.risk_flow_v1 (
                        analysis_id, step, reason, label, left_out, remaining, cohort, run_id
                    )
                    SELECT :analysis, :step, 'r', 'r', :left_out, :remaining, 'cancer_photo', run_id
                    FROM fahr.run_v1 WHERE stage = 'risk' LIMIT 1
                """),
                [
                    {"analysis": f"flow{number}", "step": step, "left_out": lost, "remaining": kept}
                    for step, (lost, kept) in enumerate(zip([0, *left_out], remaining, strict=True))
                ],
            )
    query = (
        "SELECT analysis_id, step, left_out, remaining FROM fahr.researcher_risk_flow WHERE analysis_id LIKE 'flow%'"
    )
    seen: dict[str, dict[int, tuple]] = defaultdict(dict)
    for analysis, step, *counts in rows(login("fahr_researcher"), query):
        seen[analysis][step] = tuple(counts)
    for analysis, (left_out, remaining) in flows.items():
        steps = seen[analysis]
        last = len(left_out)
        true = {f"step {step}": lost for step, lost in enumerate(left_out, start=1)} | {"end": remaining[-1]}
        shown = {f"step {step}": steps[step][0] for step in range(1, last + 1)} | {"end": steps[last][1]}
        assert all(shown[cell] is None or true[cell] == 0 or shown[cell] >= SMALL_CELL for cell in true)
        for cell, count in true.items():
            assert (shown[cell] is None) or count == 0 or count >= SMALL_CELL
        assert Margin(steps[0][1], true, shown).found_out() == [], json.dumps([left_out, remaining, steps])
        if None in shown.values():
            # Nothing between tells one step from another.
            assert all(steps[step][1] is None for step in range(1, last))


def test_no_count_researchers_see_is_exact(many_margins, login) -> None:
    """Wherever a row is not one person's, counts of persons, photos and events are multiples of five."""
    researcher = login("fahr_researcher")
    columns = rows(
        researcher,
        "SELECT table_name, column_name FROM information_schema.columns WHERE table_schema = 'fahr'"
        " AND column_name IN ('persons', 'people', 'photos', 'events', 'at_risk', 'left_out', 'remaining')"
        " AND table_name <> 'researcher_session'",
    )
    assert len(columns) > 12
    for view, column in columns:
        counts = [count for (count,) in rows(researcher, f"SELECT {column} FROM fahr.{view}")]
        assert all(count is None or count % 5 == 0 for count in counts), (view, column)
