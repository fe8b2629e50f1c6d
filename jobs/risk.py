"""Fit the Cox models a cohort declares, and write the risk tables.

An analysis is one declaration on one state of the data by one version of the code; its id is their fingerprint. The
same data give the same id and the same numbers, and a rerun that would repeat the latest analysis leaves no trace.
"""

from __future__ import annotations

import hashlib
import logging
from datetime import date

import pandas as pd
from sqlalchemy import Connection, Engine, text

from jobs.errors import SettingsError, UsageError
from jobs.releases import scored_model_id
from jobs.risk_people import check_tables, complete_cases, fingerprint, read_people
from jobs.risk_tables import Analysis, ModelResult, write_analysis
from jobs.runs import code_version, recorded_run
from jobs.settings import Settings
from model.survival.cox import fit_cox
from model.survival.cross_fitting import cross_fitted_risk
from model.survival.design import Covariate, quarter_of, quartile_cuts
from model.survival.errors import FitRefused
from model.survival.kaplan_meier import kaplan_meier
from schemas.cohort import COHORTS, Cohort, DeclarationError, load_cohort

log = logging.getLogger("fahr.risk")

HORIZONS_YEARS = (1.0, 3.0)
"""Horizons of fahr.patient_risk, which has a column for each."""


def risk(*, settings: Settings, engine: Engine, night: date, cohort: str = "cancer_photo") -> dict[str, int]:
    """Fit the models of `cohort` on what was known on `night` and publish their tables in one transaction.

    Args:
        settings: of this process.
        engine: warehouse, as fahr_loader.
        night: scores, follow-up and covariates up to the end of this day are used.
        cohort: name of a folder under schemas/cohorts, or path of a folder with cohort.sql and cohort.yaml.

    Returns:
        Counts: persons, without_followup, missing_<covariate>, analysed, events, models_fitted, models_refused,
        predicted. Empty when the latest analysis is of the same data, or nothing has been scored yet.

    Raises:
        UsageError: there is no such cohort.
        SettingsError: the declaration is wrong, or a table it reads is missing; says which.
        LockHeld: another risk run is at work.
    """
    declaration = load_declaration(cohort)
    with recorded_run(engine, stage="risk", logical_date=night, lock="risk", model_id=_current_model(engine)) as run:
        # One snapshot: a score published in between must not make the model and its rows disagree.
        with engine.connect().execution_options(isolation_level="REPEATABLE READ") as connection:
            model_id = scored_model_id(connection)
            if model_id is None:
                log.warning("no photo has been scored yet: there is nothing to analyse")
                run.nothing_to_do()
                return {}
            check_tables(connection, declaration)
            people = read_people(connection, declaration, night)
            data_sha256 = fingerprint(people)
            analysis_id = _analysis_id(declaration.sha256, data_sha256, model_id, code_version())
            repeats = _repeats(connection, declaration, analysis_id, night)
        if repeats:
            run.nothing_to_do()
            return {}
        analysis = _analyse(people, declaration, analysis_id, data_sha256, model_id)
        run.counts.update(analysis.counts)
        with run.publish() as connection:
            write_analysis(connection, analysis, declaration, run_id=run.run_id, night=night)
    return analysis.counts


def model_covariates(declaration: Cohort) -> dict[str, Covariate]:
    """The declared covariates as the statistics take them, by name."""
    return {
        name: Covariate(
            name=name,
            column=declaration.column_of(name),
            kind=covariate.type,
            per=covariate.per if isinstance(covariate.per, float) else None,
            unit=covariate.unit,
            levels=covariate.levels,
            reference=covariate.reference,
        )
        for name, covariate in declaration.declared.covariates.items()
    }


def load_declaration(cohort: str) -> Cohort:
    """A cohort by its name under schemas/cohorts, or by the path of its folder.

    Raises:
        UsageError: there is no such cohort.
        SettingsError: its declaration is wrong; says where.
    """
    known = cohort in {path.name for path in COHORTS.iterdir()}
    try:
        return load_cohort(cohort)
    except DeclarationError as error:
        if known or "/" in cohort:
            raise SettingsError(str(error), next_step="Correct the declaration; see docs/statistics.md.") from None
        raise UsageError(str(error), next_step="Name one of them, or the folder of your own.") from None


def _current_model(engine: Engine) -> str | None:
    with engine.connect() as connection:
        return scored_model_id(connection)


def _repeats(connection: Connection, declaration: Cohort, analysis_id: str, night: date) -> bool:
    """Whether writing this analysis would change nothing: it is the latest of its cohort, or a later night has one.

    Data that went back to what they were give an old id again: it is written anew, and is the latest.
    """
    known = connection.execute(
        text(
            "SELECT fitted_on, analysis_id FROM fahr.latest_analysis WHERE cohort = :cohort"
            " AND EXISTS (SELECT FROM fahr.risk_model_v1 WHERE analysis_id = :analysis_id)"
        ),
        {"cohort": declaration.declared.cohort, "analysis_id": analysis_id},
    ).first()
    return known is not None and (known.analysis_id == analysis_id or night < known.fitted_on)


def _analysis_id(*parts: str) -> str:
    return hashlib.sha256("\n".join(parts).encode()).hexdigest()[:16]


def _analyse(people: pd.DataFrame, declaration: Cohort, analysis_id: str, data_sha256: str, model_id: str) -> Analysis:
    """Everything the tables hold, computed before anything is written."""
    members, counts = complete_cases(people, declaration)
    covariates = model_covariates(declaration)
    models = {
        name: _fit(members, tuple(covariates[covariate] for covariate in model.covariates))
        for name, model in declaration.declared.models.items()
    }
    predicting = declaration.declared.prediction
    predictions, models[predicting.model] = _predict(members, declaration, covariates, models[predicting.model])
    counts["models_fitted"] = sum(result.fit is not None for result in models.values())
    counts["models_refused"] = len(models) - counts["models_fitted"]
    counts["predicted"] = len(predictions)
    return Analysis(
        analysis_id=analysis_id,
        data_sha256=data_sha256,
        model_id=model_id,
        members=members,
        counts=counts,
        models=models,
        curves={name: _curves(members, covariates[name]) for name in declaration.declared.curves},
        predictions=predictions,
    )


def _fit(members: pd.DataFrame, covariates: tuple[Covariate, ...]) -> ModelResult:
    try:
        fit = fit_cox(members, covariates)
    except FitRefused as refusal:
        return ModelResult(fit=None, reason=str(refusal))
    return ModelResult(fit=fit, reason="; ".join(fit.warnings) or None)


def _predict(
    members: pd.DataFrame, declaration: Cohort, covariates: dict[str, Covariate], result: ModelResult
) -> tuple[pd.DataFrame, ModelResult]:
    """Cross-fitted predictions, and the model's result with the reason where there are none."""
    if result.fit is None:
        return members.iloc[:0], result
    predicting = declaration.declared.prediction
    terms = tuple(covariates[name] for name in declaration.declared.models[predicting.model].covariates)
    try:
        predictions = cross_fitted_risk(members, terms, folds=predicting.folds, horizons_years=HORIZONS_YEARS)
    except FitRefused as refusal:
        reasons = [*filter(None, [result.reason]), f"no predictions: {refusal}"]
        return members.iloc[:0], ModelResult(fit=result.fit, reason="; ".join(reasons))
    return predictions, result


def _curves(members: pd.DataFrame, covariate: Covariate) -> dict[str, pd.DataFrame]:
    """A Kaplan-Meier curve for each level or quarter that somebody has."""
    if members.empty:
        return {}
    values = members[covariate.column].to_numpy()
    strata = quarter_of(values, quartile_cuts(values)) if covariate.kind == "quartile" else values
    return {
        str(stratum): kaplan_meier(
            members.loc[strata == stratum, "followup_years"].to_numpy(),
            members.loc[strata == stratum, "event"].to_numpy(),
        )
        for stratum in sorted(set(strata))
    }
