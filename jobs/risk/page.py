"""The page of a cohort: one HTML file that needs nothing but itself, with tables and charts and no single person."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import pandas as pd
from sqlalchemy import Engine

from jobs import report_charts
from jobs.forest import forest
from jobs.pages import render, replace_file, thousands, versions_of
from jobs.risk import charts
from jobs.risk.characteristics import characteristics, told_counts
from jobs.risk.declared import load_declaration
from jobs.risk.findings import ALL
from jobs.risk.methods import LIBRARIES, equation, methods
from jobs.risk.page_data import Published, read_published
from jobs.settings import Settings
from schemas.cohort import Cohort

METRICS = {
    "harrells_c": "Harrell's C, cross-fitted",
    "unos_c": "Uno's C",
    "auc": "AUC",
    "brier": "Brier score",
    "integrated_brier": "Integrated Brier score",
    "calibration_in_the_large": "Observed / predicted",
    "calibration_slope": "Calibration slope",
    "integrated_calibration_index": "Integrated calibration index",
    "apparent_c": "Harrell's C, apparent",
    "c_optimism": "Optimism of it",
    "corrected_c": "Harrell's C, corrected for optimism",
    "corrected_slope": "Slope, corrected for optimism",
}
"""Metrics in the order of the table, in words."""

METHODS = {
    "kaplan_meier": "as observed (Kaplan-Meier)",
    "adjusted": "adjusted: everybody given each level in turn",
    "cumulative_incidence": "free of the event of interest (Aalen-Johansen)",
}


def risk_page(*, settings: Settings, engine: Engine, cohort: str) -> Path | None:
    """Write `risk-<cohort>.html` into the reports' folder from the latest analysis, and return its path.

    Only views are read, so that the page says what somebody finds in SQL. None where the cohort has no analysis yet.

    Raises:
        UsageError, SettingsError: as `load_declaration`.
    """
    declaration = load_declaration(cohort)
    with engine.connect().execution_options(isolation_level="REPEATABLE READ") as connection:
        published = read_published(connection, declaration)
    if published is None:
        return None
    page = render("risk.html", content(published, declaration, small_cell=settings.small_cell))
    return replace_file(settings.reports / f"risk-{declaration.declared.cohort}.html", page)


def content(published: Published, cohort: Cohort, *, small_cell: int) -> dict[str, Any]:
    """Everything the template shows."""
    first = published.models[0]
    versions = versions_of(LIBRARIES, published.server)
    return {
        "title": cohort.declared.title,
        "cohort": cohort.declared.cohort,
        "endpoint": cohort.declared.endpoint,
        "published": published,
        "first": first,
        "is_outdated": first["declaration_sha256"] != cohort.sha256,
        "flow": published.flow.to_dict("records"),
        "missing": _missing(published.missing, small_cell),
        "characteristics": None
        if published.members.empty
        else characteristics(published.members, cohort, small_cell=small_cell),
        "exposures": forest(_exposures(published, cohort), published.models),
        "full": forest(published.coefficients, published.models),
        "nested": sorted(_of_kind(published.contrasts, "nested"), key=_declared_place(cohort)),
        "of_covariates": _of_kind(published.contrasts, "joint", "trend", "nonlinearity"),
        "descriptions": {model["model_name"]: model["description"] for model in published.models},
        "curves": _curves(published.curves, cohort),
        "adjusted_intervals": _adjusted_intervals(published.curves),
        "effects": _effects(published.effects, cohort),
        "subgroups": _subgroups(published, cohort, small_cell),
        "performance": _performance(published, cohort),
        "by_group": _by_group(published, cohort, small_cell),
        "calibration": _by_horizon(published.calibration, cohort, charts.calibration_plot, "Calibration"),
        "decisions": _by_horizon(published.decisions, cohort, charts.decision_plot, "Decision curve"),
        "prediction_model": cohort.declared.prediction.model,
        "tests": _tests(published.diagnostics),
        "influence": _influence(published.diagnostics, cohort),
        "over_time": _over_time(published, cohort),
        "equations": _equations(published),
        "methods": methods(cohort, versions),
        "versions": versions,
    }


def _missing(missing: pd.DataFrame, small_cell: int) -> list[dict[str, str]]:
    """Covariates that are not known of everybody; a small count is not told."""
    words = {"left_out": "left out", "imputed": "imputed"}
    return [
        {
            "label": row["label"],
            "count": f"< {small_cell}"
            if row["missing"] < small_cell
            else f"{thousands(row['missing'])} ({100 * row['missing'] / row['persons']:.0f} %)",
            "handling": words[row["handling"]],
        }
        for row in missing[missing["missing"] > 0].to_dict("records")
    ]


def _exposures(published: Published, cohort: Cohort) -> pd.DataFrame:
    """The coefficients a reader looks for first: of what is compared, in subgroups or between models."""
    declared = cohort.declared
    wanted = set(declared.subgroups.exposures) if declared.subgroups else set()
    for comparison in declared.comparisons.values():
        smaller = declared.models[comparison.smaller].covariates
        wanted |= set(declared.models[comparison.larger].covariates) - set(smaller)
    columns = {cohort.column_of(name) for name in wanted}
    named = {name for name in declared.covariates if cohort.column_of(name) in columns}
    found = published.coefficients
    return found[found["covariate"].isin(named)] if named else found


def _declared_place(cohort: Cohort) -> Callable[[Mapping[Any, Any]], int]:
    """Sorts nested tests as they are declared; those of an earlier declaration last."""
    names = list(cohort.declared.comparisons)
    return lambda row: names.index(row["contrast"]) if row["contrast"] in names else len(names)


def _of_kind(contrasts: pd.DataFrame, *kinds: str) -> Sequence[Mapping[Any, Any]]:
    return contrasts[contrasts["kind"].isin(kinds)].to_dict("records")


def _curves(curves: pd.DataFrame, cohort: Cohort) -> list[tuple[str, Any]]:
    """Title and chart of every stratifier and method."""
    found = []
    for stratifier in dict.fromkeys(curves["stratifier"]):
        for method, words in METHODS.items():
            chosen = curves[(curves["stratifier"] == stratifier) & (curves["method"] == method)]
            if chosen.empty:
                continue
            title = f"By {_label(cohort, stratifier)}, {words}"
            by_stratum = {str(stratum): curve for stratum, curve in chosen.groupby("stratum", sort=True)}
            found.append((title, report_charts.survival_curves(by_stratum, title=title, origin=_origin(cohort))))
    return found


def _adjusted_intervals(curves: pd.DataFrame) -> bool | None:
    """Whether adjusted curves have intervals, which over imputed data they have not; None where there are no such."""
    adjusted = curves[curves["method"] == "adjusted"]
    return None if adjusted.empty else bool(adjusted["ci_lower"].notna().any())


def _origin(cohort: Cohort) -> str:
    return "index" if cohort.declared.landmark is None else "landmark"


def _label(cohort: Cohort, name: str) -> str:
    covariate = cohort.declared.covariates[name]
    return f"quarter of {covariate.label}" if covariate.type == "quartile" else covariate.label


def _effects(effects: pd.DataFrame, cohort: Cohort) -> list[tuple[str, Any]]:
    found = []
    for (_, name), effect in effects.groupby(["model_name", "covariate"], sort=False):
        covariate = cohort.declared.covariates[str(name)]
        title = (
            f"{covariate.label} against its median, {effect['reference_value'].iloc[0]:.3g} {covariate.unit}".strip()
        )
        axis = f"{covariate.label}, {covariate.unit}" if covariate.unit else covariate.label
        found.append((title, charts.effect_plot(effect, x_label=axis, title=title)))
    return found


def _subgroups(published: Published, cohort: Cohort, small_cell: int) -> list[dict[str, Any]]:
    """A forest plot for each exposure, its groups in the order of the declaration; of small levels nothing is told."""
    found = []
    for exposure, rows in published.subgroups.groupby("exposure", sort=False):
        told = rows[rows["status"] == "computed"]
        if told.empty:
            continue
        limits = report_charts.forest_scale(float(told["ci_lower"].min()), float(told["ci_upper"].max()))
        groups = []
        for group in (ALL, *(cohort.declared.subgroups.by if cohort.declared.subgroups else ())):
            of_group = rows[rows["group_name"] == group].to_dict("records")
            label = cohort.declared.covariates[group].label if group != ALL else "Everybody"
            _tell_counts(of_group, small_cell)
            for row in of_group:
                row["picture"] = _picture(row, limits)
            if of_group:
                groups.append({"label": label, "name": group, "rows": _in_order(of_group, group, cohort)})
        label = cohort.declared.covariates[str(exposure)].label
        found.append(
            {"exposure": f"{label} {rows['unit'].iloc[0]}", "groups": groups, "axis": report_charts.forest_axis(limits)}
        )
    return found


def _tell_counts(rows: list[dict[Any, Any]], small_cell: int) -> None:
    """Persons and events of a group's levels as they may be told, as in table 1; a small level has no numbers."""
    for count in ("persons", "events"):
        told = told_counts([int(row[count]) for row in rows], None, small_cell)
        for row, words in zip(rows, told, strict=True):
            row[f"{count}_told"] = words
    for row in rows:
        if min(row["persons"], row["events"]) < small_cell:
            row |= {"status": "small", "status_reason": "few persons or events", "estimate": None, "note": "few events"}


def _in_order(rows: list[dict[Any, Any]], group: str, cohort: Cohort) -> list[dict[Any, Any]]:
    """Levels as declared; those of cuts and quarters sort by the text before their first number, then by it."""
    levels = cohort.declared.covariates[group].levels if group != ALL else ()
    return sorted(rows, key=lambda row: levels.index(row["level"]) if row["level"] in levels else _first_number(row))


def _first_number(row: dict[Any, Any]) -> float:
    """50 of "<=50", 50.5 of "(50, 60]", 80.5 of "> 80"."""
    digits = "".join(c if c.isdigit() or c == "." else " " for c in row["level"]).split()
    return float(digits[0]) + (0.0 if row["level"].startswith("<") else 0.5) if digits else 0.0


def _picture(row: dict[Any, Any], limits: tuple[float, float, list[float]]) -> Any:
    if row["status"] != "computed":
        return ""
    return report_charts.forest_row(row["hazard_ratio"], row["ci_lower"], row["ci_upper"], limits)


def _performance(published: Published, cohort: Cohort) -> dict[str, Any]:
    """Metrics by model, everybody."""
    rows = published.performance[published.performance["group_name"] == ALL]
    names = [name for name in cohort.declared.models if name in set(rows["model_name"])]
    table = []
    for metric, words in METRICS.items():
        of_metric = rows[rows["metric"] == metric]
        for horizon in dict.fromkeys(None if pd.isna(one) else one for one in of_metric["horizon_years"]):
            at = of_metric["horizon_years"].isna() if horizon is None else of_metric["horizon_years"] == horizon
            cells = {row["model_name"]: row for row in of_metric[at].to_dict("records")}
            label = words if horizon is None else f"{words} at {horizon:g} year{'' if horizon == 1 else 's'}"
            table.append((label, [cells.get(name) for name in names]))
    notes = [row["note"] for _, cells in table for row in cells if row is not None and pd.isna(row["estimate"])]
    return {"models": names, "rows": table, "notes": list(dict.fromkeys(notes))}


def _by_group(published: Published, cohort: Cohort, small_cell: int) -> list[tuple[str, list[dict[Any, Any]]]]:
    """Harrell's C within groups."""
    rows = published.performance
    found = []
    for group in cohort.declared.subgroups.by if cohort.declared.subgroups else ():
        of_group = rows[rows["group_name"] == group].to_dict("records")
        _tell_counts(of_group, small_cell)
        if of_group:
            found.append((cohort.declared.covariates[group].label, _in_order(of_group, group, cohort)))
    return found


def _by_horizon(frame: pd.DataFrame, cohort: Cohort, chart: Any, words: str) -> list[tuple[str, Any]]:
    """A chart for each horizon, of the model behind the patients' predictions."""
    chosen = frame[frame["model_name"] == cohort.declared.prediction.model]
    found = []
    for horizon, rows in chosen.groupby("horizon_years"):
        title = f"{words} at {horizon:g} year{'' if horizon == 1 else 's'}"
        found.append((title, chart(rows, title=title)))
    return found


def _tests(diagnostics: pd.DataFrame) -> dict[str, list[Mapping[Any, Any]]]:
    """Tests of proportional hazards by model: whole model first, then covariates and terms."""
    rows = diagnostics[diagnostics["diagnostic"].str.startswith("proportional_hazards")]
    return {
        str(name): sorted(of_model.to_dict("records"), key=lambda row: (row["term"] != ALL, row["diagnostic"]))
        for name, of_model in rows.groupby("model_name", sort=False)
    }


def _influence(diagnostics: pd.DataFrame, cohort: Cohort) -> Sequence[Mapping[Any, Any]]:
    chosen = diagnostics[diagnostics["model_name"] == cohort.declared.prediction.model]
    return chosen[chosen["diagnostic"] == "largest_dfbetas"].to_dict("records")


def _over_time(published: Published, cohort: Cohort) -> list[tuple[str, Any]]:
    """Charts of the coefficients of the prediction model."""
    model = cohort.declared.prediction.model
    estimates = published.coefficients[published.coefficients["model_name"] == model].set_index("term")
    found = []
    rows = published.over_time[published.over_time["model_name"] == model]
    for term in estimates.index:
        periods = rows[rows["term"] == term]
        if len(periods) > 1:
            words = _term_words(estimates.loc[term])
            estimate = float(estimates.loc[term, "log_hazard_ratio"])
            found.append(
                (
                    words,
                    charts.over_time_plot(periods, estimate, title=f"{words} over follow-up", origin=_origin(cohort)),
                )
            )
    return found


def _term_words(coefficient: pd.Series) -> str:
    level = coefficient["level"]
    return f"{coefficient['label']}: {level.replace('_', ' ')}" if isinstance(level, str) else str(coefficient["label"])


def _equations(published: Published) -> list[tuple[str, str]]:
    found = []
    for model in published.models:
        own = published.coefficients[published.coefficients["model_name"] == model["model_name"]]
        if len(own):
            found.append((model["description"], equation(own, tuple(model["strata"]))))
    return found
