"""The page of an external validation: one HTML file with a frozen model, and how it does on another cohort."""

from __future__ import annotations

import json
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pandas as pd
from sqlalchemy import Connection, Engine, RowMapping, text

from jobs.pages import render, replace_file, versions_of
from jobs.risk import charts
from jobs.risk.declared import load_declaration
from jobs.risk.methods import LIBRARIES
from jobs.settings import Settings
from model.survival.frozen import FrozenModel
from schemas.cohort import Cohort

METRICS = {
    "harrells_c": "Harrell's C",
    "unos_c": "Uno's C",
    "auc": "AUC",
    "calibration_slope": "Calibration slope",
    "calibration_in_the_large": "Observed / predicted",
    "integrated_calibration_index": "Integrated calibration index",
    "baseline_hazard_ratio": "Baseline hazard here / as frozen",
}
"""Metrics in the order of the table, in words."""


@dataclass(frozen=True)
class PublishedValidation:
    """The latest validation of a model of one cohort on another, as the views have it."""

    frozen: RowMapping
    first: RowMapping
    metrics: pd.DataFrame
    groups: pd.DataFrame
    flow: Sequence[RowMapping]
    is_synthetic: bool | None
    server: str


def validation_page(*, settings: Settings, engine: Engine, cohort: str, frozen_from: str) -> Path | None:
    """Write `risk-validation-<cohort>-from-<origin>.html` from the latest validation of the two, and return its path.

    Only views are read. None where there was no validation yet.

    Args:
        settings: of this process.
        engine: warehouse.
        cohort, frozen_from: names or folders of the cohorts, as for `validate`.

    Raises:
        UsageError, SettingsError: as `load_declaration`.
    """
    judged, origin = load_declaration(cohort), load_declaration(frozen_from)
    names = {"cohort": judged.declared.cohort, "frozen_from": origin.declared.cohort}
    with engine.connect().execution_options(isolation_level="REPEATABLE READ") as connection:
        published = _published(connection, names)
    if published is None:
        return None
    page = render("validation.html", _content(published, judged, origin))
    return replace_file(settings.reports / f"risk-validation-{names['cohort']}-from-{names['frozen_from']}.html", page)


def _published(connection: Connection, names: Mapping[str, str]) -> PublishedValidation | None:
    latest = _rows(
        connection,
        "SELECT validation.* FROM fahr.risk_validation AS validation JOIN fahr.run USING (run_id)"
        " WHERE cohort = :cohort AND frozen_from = :frozen_from"
        " ORDER BY validated_on DESC, started_at DESC, validation_id, metric LIMIT 1",
        names,
    )
    if not latest:
        return None
    first = latest[0]
    own = {"id": first["validation_id"]}
    frozen = _rows(
        connection, "SELECT * FROM fahr.risk_frozen_model WHERE frozen_id = :id", {"id": first["frozen_id"]}
    )[0]
    synthetic = "SELECT bool_or(trained_on_synthetic) AS told FROM fahr.model_version WHERE model_id = :id"
    groups = (
        "SELECT * FROM fahr.risk_validation_group WHERE validation_id = :id"
        " ORDER BY horizon_years, is_recalibrated, group_number"
    )
    return PublishedValidation(
        frozen=frozen,
        first=first,
        metrics=_frame(connection, "SELECT * FROM fahr.risk_validation WHERE validation_id = :id", own),
        groups=_frame(connection, groups, own),
        flow=_rows(connection, "SELECT * FROM fahr.risk_validation_flow WHERE validation_id = :id ORDER BY step", own),
        is_synthetic=_rows(connection, synthetic, {"id": frozen["model_id"]})[0]["told"],
        server=str(connection.execute(text("SHOW server_version")).scalar_one()).split()[0],
    )


def _rows(connection: Connection, query: str, values: Mapping[str, object]) -> Sequence[RowMapping]:
    return connection.execute(text(query), values).mappings().all()


def _frame(connection: Connection, query: str, values: Mapping[str, object]) -> pd.DataFrame:
    result = connection.execute(text(query), values)
    return pd.DataFrame(result.fetchall(), columns=list(result.keys()))


def _content(published: PublishedValidation, judged: Cohort, origin: Cohort) -> dict[str, Any]:
    """Everything the template shows."""
    return {
        "judged": judged.declared,
        "origin": origin.declared,
        "published": published,
        "description": origin.declared.models[published.frozen["model_name"]].description
        if published.frozen["model_name"] in origin.declared.models
        else published.frozen["model_name"],
        "coefficients": _coefficients(published, origin),
        "performance": _performance(published.metrics),
        "risks": _risks(published),
        "calibration": _calibration(published.groups),
        "versions": versions_of(LIBRARIES, published.server),
    }


def _coefficients(published: PublishedValidation, origin: Cohort) -> list[dict[str, Any]]:
    """The frozen coefficients: what was learnt there, and is not learnt here."""
    model = FrozenModel.from_json(json.dumps(published.frozen["content"]))
    covariates = origin.declared.covariates
    return [
        {
            "label": covariates[term.covariate].label if term.covariate in covariates else term.covariate,
            "level": f"{term.level} against {term.reference_level}" if term.level else term.unit,
            "log_hazard_ratio": float(beta),
            "hazard_ratio": math.exp(beta),
        }
        for term, beta in zip(model.design.terms, model.beta, strict=True)
    ]


def _performance(metrics: pd.DataFrame) -> list[dict[Any, Any]]:
    found = []
    for metric, words in METRICS.items():
        for row in metrics[metrics["metric"] == metric].sort_values("horizon_years").to_dict("records"):
            horizon = row["horizon_years"]
            found.append({**row, "label": words if pd.isna(horizon) else f"{words} at {_years(horizon)}"})
    return found


def _risks(published: PublishedValidation) -> list[dict[str, Any]]:
    """Mean predicted probability of the event, as frozen and with the new persons' baseline, beside the observed."""
    groups, metrics = published.groups, published.metrics
    large = metrics[metrics["metric"] == "calibration_in_the_large"].set_index("horizon_years")["estimate"]
    found = []
    for horizon in map(float, groups["horizon_years"].unique()):
        at = groups[groups["horizon_years"] == horizon]
        frozen, anew = _mean(at[~at["is_recalibrated"]]), _mean(at[at["is_recalibrated"]])
        ratio = large.get(horizon)
        observed = None if frozen is None or ratio is None else frozen * float(ratio)
        found.append({"horizon": _years(horizon), "frozen": frozen, "recalibrated": anew, "observed": observed})
    return found


def _mean(groups: pd.DataFrame) -> float | None:
    """Mean prediction of everybody in the groups."""
    persons = int(groups["persons"].sum())
    return float((groups["predicted"] * groups["persons"]).sum() / persons) if persons else None


def _calibration(groups: pd.DataFrame) -> list[tuple[str, Any]]:
    """A chart for each horizon and baseline."""
    found = []
    for horizon in map(float, groups["horizon_years"].unique()):
        for anew, words in ((False, "as frozen"), (True, "baseline of the new persons")):
            rows = groups[(groups["horizon_years"] == horizon) & (groups["is_recalibrated"] == anew)]
            if len(rows):
                title = f"At {_years(horizon)}, {words}"
                found.append((title, charts.calibration_plot(rows, title=title)))
    return found


def _years(horizon: float) -> str:
    return f"{horizon:g} year{'' if horizon == 1 else 's'}"
