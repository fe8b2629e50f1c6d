"""The main tables of a cohort as a paper prints them: words in cells, ready for whatever sets them in type."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import pandas as pd

from jobs.forest import SPLINE
from jobs.pages import decimals, p_value
from jobs.risk.characteristics import characteristics
from jobs.risk.findings import ALL
from jobs.risk.page_data import Published
from schemas.cohort import Cohort

Rows = tuple[tuple[str, ...], ...]


@dataclass(frozen=True)
class PaperTable:
    """One table: its name, caption, head, rows, and what must be known to read it."""

    name: str
    caption: str
    head: tuple[str, ...]
    rows: Rows
    note: str


def paper_tables(published: Published, cohort: Cohort, *, small_cell: int) -> list[PaperTable]:
    """Flow, characteristics, hazard ratios, nested tests, subgroups, performance; without those that have no rows."""
    title = cohort.declared.title
    tables = [
        PaperTable(
            "flow", f"{title}: who was analysed", ("Step", "Left out", "Remaining"), tuple(_flow(published)), ""
        ),
        *_characteristics(published, cohort, small_cell),
        PaperTable(
            "hazard_ratios",
            f"{title}: hazard ratios of {cohort.declared.endpoint.name}",
            ("Model", "Covariate", "Unit or level", "HR (95 % CI)", "p"),
            tuple(_ratios(published)),
            f"{_intervals(published)}; p values are not adjusted for multiplicity. Splines are not shown.",
        ),
        PaperTable(
            "nested_models",
            f"{title}: what is added to a smaller model",
            ("Comparison", "chi-squared (df)", "p", "p, Holm", "Change of AIC", "Gain in C (95 % CI)"),
            tuple(_nested(published)),
            "Gain in Harrell's C of cross-fitted predictions, bootstrap interval.",
        ),
        PaperTable(
            "subgroups",
            f"{title}: hazard ratios within subgroups",
            ("Exposure", "Group", "Level", "Persons", "Events", "HR (95 % CI)", "Interaction p", "p, Holm"),
            tuple(_subgroups(published, cohort, small_cell)),
            "From one model with an interaction for each group. Groups with few persons are not shown.",
        ),
        PaperTable(
            "performance",
            f"{title}: performance on persons the models were not fitted on",
            ("Model", "Measure", "Horizon, years", "Estimate (95 % CI)"),
            tuple(_performance(published)),
            "Cross-fitted predictions; apparent and corrected concordance by Harrell's bootstrap.",
        ),
    ]
    return [table for table in tables if table.rows]


def _intervals(published: Published) -> str:
    imputations = next((model["imputations"] for model in published.models if model["imputations"]), None)
    if imputations is None:
        return "Wald intervals"
    return f"Pooled over {imputations} completed data sets by Rubin's rules, Student's intervals"


def _flow(published: Published) -> Iterator[tuple[str, ...]]:
    for step in published.flow.to_dict("records"):
        yield step["label"], str(step["left_out"]) if step["step"] else "", str(step["remaining"])


def _characteristics(published: Published, cohort: Cohort, small_cell: int) -> Iterator[PaperTable]:
    if published.members.empty:
        return
    found = characteristics(published.members, cohort, small_cell=small_cell)
    by = f", by quarter or level of {found.split_by}" if found.split_by else ""
    yield PaperTable(
        "characteristics",
        f"{cohort.declared.title}: characteristics{by}",
        ("Characteristic", "", *found.columns),
        tuple((label, level or "", *cells) for label, level, cells in found.rows),
        "Follow-up by the reverse Kaplan-Meier estimate.",
    )


def _ratios(published: Published) -> Iterator[tuple[str, ...]]:
    for model in published.models:
        own = published.coefficients[published.coefficients["model_name"] == model["model_name"]]
        bent = set(own.loc[own["unit"].str.startswith(SPLINE), "covariate"]) if len(own) else set()
        for row in own[~own["covariate"].isin(bent)].to_dict("records"):
            level = f"{row['level']} against {row['reference_level']}" if isinstance(row["level"], str) else row["unit"]
            yield model["description"], row["label"], level, _ratio(row), p_value(row["p_value"])


def _nested(published: Published) -> Iterator[tuple[str, ...]]:
    found = published.contrasts
    for row in found[found["kind"] == "nested"].to_dict("records"):
        if row["status"] != "computed":
            yield row["label"], row["status_reason"], "", "", "", ""
            continue
        yield (
            row["label"],
            f"{row['chi_squared']:.1f} ({int(row['degrees'])})",
            p_value(row["p_value"]),
            p_value(row["p_value_holm"]),
            decimals(row["delta_aic"], 1),
            _with_interval(row, "delta_concordance", "delta_concordance_lower", "delta_concordance_upper", 3),
        )


def _subgroups(published: Published, cohort: Cohort, small_cell: int) -> Iterator[tuple[str, ...]]:
    found = published.subgroups
    enough = found[["persons", "events"]].min(axis=1) >= small_cell
    for row in found[enough & (found["status"] == "computed")].to_dict("records"):
        covariates = cohort.declared.covariates
        group = "Everybody" if row["group_name"] == ALL else covariates[row["group_name"]].label
        yield (
            f"{covariates[row['exposure']].label} {row['unit']}",
            group,
            "" if row["level"] == ALL else row["level"],
            str(row["persons"]),
            str(row["events"]),
            _ratio(row),
            p_value(row["interaction_p_value"]),
            p_value(row["interaction_p_value_holm"]),
        )


def _performance(published: Published) -> Iterator[tuple[str, ...]]:
    descriptions = {model["model_name"]: model["description"] for model in published.models}
    rows = published.performance
    for row in rows[rows["group_name"] == ALL].to_dict("records"):
        horizon = "" if pd.isna(row["horizon_years"]) else f"{row['horizon_years']:g}"
        metric = row["metric"].replace("_", " ")
        if pd.isna(row["estimate"]):
            yield descriptions[row["model_name"]], metric, horizon, row["note"]
            continue
        told = _with_interval(row, "estimate", "lower_95", "upper_95", 3)
        yield descriptions[row["model_name"]], metric, horizon, told


def _ratio(row: dict[Any, Any]) -> str:
    return _with_interval(row, "hazard_ratio", "ci_lower", "ci_upper", 2)


def _with_interval(row: dict[Any, Any], estimate: str, lower: str, upper: str, places: int) -> str:
    told = decimals(row[estimate], places)
    if pd.isna(row[lower]) or pd.isna(row[upper]):
        return told
    return f"{told} ({decimals(row[lower], places)} to {decimals(row[upper], places)})"
