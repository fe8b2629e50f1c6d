"""External validation: a model fitted on one cohort, frozen, and judged on another as it is."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator
from dataclasses import asdict, replace
from datetime import date
from typing import Any
from uuid import UUID

import pandas as pd
from sqlalchemy import Connection, Engine, text

from jobs.errors import SettingsError, UsageError
from jobs.releases import scored_model_id
from jobs.risk.declared import load_declaration
from jobs.risk.findings import FlowStep
from jobs.risk.models import columns_of, covariates_of, frame_of
from jobs.risk.people import check_tables, complete_cases, fingerprint, flow, read_people
from jobs.runs import code_version, recorded_run
from jobs.settings import Settings
from jobs.warehouse.connection import copy_rows
from model.errors import NotComputable
from model.survival.errors import FitRefused
from model.survival.external import ExternalValidation, validate_externally
from model.survival.fit_columns import FitColumns
from model.survival.frozen import FrozenModel, freeze
from schemas.cohort import Cohort
from schemas.declaration import Missing


def validate(*, settings: Settings, engine: Engine, night: date, cohort: str, frozen_from: str) -> dict[str, int]:
    """Fit the prediction model of one cohort, freeze it, and judge it on another; publish both in one transaction.

    Args:
        settings: of this process.
        engine: warehouse, as fahr_loader.
        night: what was known up to the end of this day is used, of both cohorts.
        cohort: name or folder of the cohort it is judged on; its SQL gives the columns of the other's model.
        frozen_from: name or folder of the cohort it is fitted on.

    Returns:
        Counts: fitted_on, persons, events, metrics, not_computable. Empty when this was published already.

    Raises:
        UsageError: there is no such cohort, or both are one.
        SettingsError: a declaration is wrong, a column is missing, or the data cannot support the model.
        LockHeld: another risk run is at work.
    """
    judged, origin = load_declaration(cohort), load_declaration(frozen_from)
    if judged.sha256 == origin.sha256:
        raise UsageError(
            "A model is not validated on the cohort it was fitted on.",
            next_step="Name two cohorts; `fahr risk --cohort` measures one by cross-fitting.",
        )
    with recorded_run(engine, stage="risk", logical_date=night, lock="risk") as run:
        with engine.connect().execution_options(isolation_level="REPEATABLE READ") as connection:
            model_id = scored_model_id(connection) if origin.reads_scores else None
            of_origin, origin_sha256, _ = _members(connection, origin, night)
            of_judged, judged_sha256, steps = _members(connection, judged, night)
        frozen = _frozen(of_origin, origin)
        content = frozen.to_json()
        frozen_id = _fingerprint(content)
        validation_id = _fingerprint(frozen_id, judged.sha256, judged_sha256, code_version())
        if _is_published(engine, validation_id):
            run.nothing_to_do()
            return {}
        found = _judged(frozen, of_judged, judged, origin)
        metrics = [*_metrics(found), *_baseline(frozen, found)]
        run.counts = {
            "fitted_on": frozen.persons,
            "persons": found.persons,
            "events": found.events,
            "metrics": len(metrics),
            "not_computable": sum(row["estimate"] is None for row in metrics),
        }
        about = {
            "declaration_sha256": judged.sha256, "data_sha256": judged_sha256, "code_version": code_version(),
            "validated_on": night,
        }  # fmt: skip
        rows = [
            {"validation_id": validation_id, "frozen_id": frozen_id, "cohort": judged.declared.cohort, **row, **about}
            for row in metrics
        ]
        groups = [{"validation_id": validation_id, **row} for row in _groups(found)]
        flow_rows = [{"validation_id": validation_id, **asdict(step)} for step in steps]
        model_row = {
            "frozen_id": frozen_id, "cohort": origin.declared.cohort, "model_name": origin.declared.prediction.model,
            "content": json.dumps(json.loads(content)), "persons": frozen.persons, "events": frozen.events,
            "model_id": model_id, "declaration_sha256": origin.sha256, "data_sha256": origin_sha256,
            "code_version": code_version(),
        }  # fmt: skip
        with run.publish() as connection:
            known = connection.execute(
                text("SELECT 1 FROM fahr.risk_frozen_model_v1 WHERE frozen_id = :id"), {"id": frozen_id}
            ).first()
            _write(connection, "risk_frozen_model_v1", [] if known else [model_row], run.run_id)
            _write(connection, "risk_validation_v1", rows, run.run_id)
            _write(connection, "risk_validation_group_v1", groups, run.run_id)
            _write(connection, "risk_validation_flow_v1", flow_rows, run.run_id)
    return run.counts


def _members(connection: Connection, cohort: Cohort, night: date) -> tuple[pd.DataFrame, str, tuple[FlowStep, ...]]:
    """The complete cases, also of a cohort that fills gaps: a frozen model is one model, and asks for every value."""
    check_tables(connection, cohort)
    people = read_people(connection, cohort, night)
    of_complete = replace(cohort, declared=cohort.declared.model_copy(update={"missing": Missing()}))
    members, counts = complete_cases(people, of_complete)
    return members, fingerprint(people), flow(counts, of_complete)


def _frozen(members: pd.DataFrame, origin: Cohort) -> FrozenModel:
    model = origin.declared.models[origin.declared.prediction.model]
    try:
        fit = columns_of(origin, model).fit(frame_of(members, origin, model), covariates_of(origin, model))
        return freeze(fit, origin.declared.endpoint.horizons_years)
    except FitRefused as reason:
        raise SettingsError(
            f"The model {origin.declared.prediction.model} of {origin.declared.cohort} cannot be frozen: {reason}.",
            next_step=f"Name another model in `prediction` of {origin.yaml_file}, or other horizons.",
        ) from None


def _judged(frozen: FrozenModel, members: pd.DataFrame, judged: Cohort, origin: Cohort) -> ExternalValidation:
    """The frozen model on the other cohort's members, by the columns of its own declaration."""
    model = origin.declared.models[origin.declared.prediction.model]
    needed = {covariate.column for covariate in covariates_of(origin, model)}
    needed |= {origin.column_of(name) for name in model.strata}
    missing = sorted(needed - set(members.columns))
    if missing:
        raise SettingsError(
            f"The cohort {judged.declared.cohort} has no {', '.join(missing)}, which the frozen model needs.",
            next_step=f"Give it in {judged.sql_file}, under the same name and in the same unit, and declare it.",
        )
    if judged.declared.weights is not None:
        raise SettingsError(
            f"The cohort {judged.declared.cohort} declares weights, and a validation takes none.",
            next_step=f"Judge the model on a cohort without weights; copy {judged.yaml_file} and leave them out.",
        )
    try:
        return validate_externally(frozen, members, columns=FitColumns(entry=judged.declared.entry))
    except (FitRefused, NotComputable) as reason:
        raise SettingsError(
            f"The frozen model cannot be judged on {judged.declared.cohort}: {reason}.",
            next_step="Look at the cohort's flow table, and whether both name their levels alike.",
        ) from None


def _metrics(found: ExternalValidation) -> Iterator[dict[str, Any]]:
    """A row for each number, or for why there is none."""
    notes = dict(note.split(": ", 1) for note in found.notes)

    def row(
        metric: str, horizon: float | None, estimate: float | None, note_of: str, *bounds: float | None
    ) -> dict[str, Any]:
        lower, upper = bounds or (None, None)
        return {
            "metric": metric, "horizon_years": horizon, "persons": found.persons, "events": found.events,
            "estimate": estimate, "lower_95": lower, "upper_95": upper,
            "note": None if estimate is not None else notes.get(note_of, "not computable"),
        }  # fmt: skip

    yield row("harrells_c", None, found.harrells_c, "harrells_c")
    slope = found.slope
    yield (
        row("calibration_slope", None, None, "slope")
        if slope is None
        else row("calibration_slope", None, slope.slope, "slope", slope.ci_lower, slope.ci_upper)
    )
    for at in found.horizons:
        name = f"at {at.horizon_years:g} years"
        yield row("auc", at.horizon_years, at.auc, f"auc {name}")
        yield row("unos_c", at.horizon_years, at.unos_c, f"unos_c {name}")
        large = at.in_the_large
        yield (
            row("calibration_in_the_large", at.horizon_years, None, f"in_the_large {name}")
            if large is None
            else row("calibration_in_the_large", at.horizon_years, large.ratio, "", large.ci_lower, large.ci_upper)
        )
        ici = at.curve.ici if at.curve else None
        yield row("integrated_calibration_index", at.horizon_years, ici, f"curve {name}")


def _baseline(frozen: FrozenModel, found: ExternalValidation) -> Iterator[dict[str, Any]]:
    """Cumulative baseline hazard of the new persons over the frozen one; of a stratified model there are several."""
    anew = found.recalibrated
    if len(frozen.strata.values) > 1:
        return
    for place, horizon in enumerate(frozen.horizons_years):
        ratio = None
        if anew is not None and horizon in anew.horizons_years and frozen.hazard[0, place] > 0:
            ratio = float(anew.hazard[0, anew.horizons_years.index(horizon)] / frozen.hazard[0, place])
        yield {
            "metric": "baseline_hazard_ratio", "horizon_years": horizon, "persons": found.persons,
            "events": found.events, "estimate": ratio, "lower_95": None, "upper_95": None,
            "note": None if ratio is not None else "nobody was followed that long",
        }  # fmt: skip


def _groups(found: ExternalValidation) -> Iterator[dict[str, Any]]:
    for at in found.horizons:
        for is_recalibrated, groups in ((False, at.groups), (True, at.recalibrated_groups)):
            for group in groups or ():
                told = asdict(group)
                yield {
                    "horizon_years": at.horizon_years,
                    "is_recalibrated": is_recalibrated,
                    "group_number": told.pop("number"),
                    **told,
                }


def _is_published(engine: Engine, validation_id: str) -> bool:
    with engine.connect() as connection:
        return (
            connection.execute(
                text("SELECT 1 FROM fahr.risk_validation_v1 WHERE validation_id = :id LIMIT 1"), {"id": validation_id}
            ).first()
            is not None
        )


def _write(connection: Connection, table: str, rows: list[dict[str, Any]], run_id: UUID) -> None:
    if rows:
        columns = [*rows[0], "run_id"]
        copy_rows(connection, f"fahr.{table}", columns, ((*row.values(), run_id) for row in rows))


def _fingerprint(*parts: str) -> str:
    return hashlib.sha256("\n".join(parts).encode()).hexdigest()[:16]
