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
from threadpoolctl import threadpool_limits

from jobs import audit
from jobs.merges import kept_persons
from jobs.opt_outs import refusing_persons, remove_from_risk_tables
from jobs.releases import scored_model_id
from jobs.risk.curves import curves
from jobs.risk.declared import load_declaration
from jobs.risk.fitted import fitted_to
from jobs.risk.imputed import fitted_to_imputed
from jobs.risk.missing import completed, missing_columns
from jobs.risk.people import check_tables, complete_cases, fingerprint, flow, followed, read_people
from jobs.risk.spread import mapper_of
from jobs.risk.tables import Analysis, write_analysis
from jobs.runs import code_version, recorded_run
from jobs.settings import Settings
from jobs.spark import LazySpark
from model.survival.mapping import mapping_by
from model.survival.sharing import sharing
from schemas.cohort import Cohort

log = logging.getLogger("fahr.risk")


def risk(
    *, settings: Settings, engine: Engine, night: date, cohort: str = "cancer_photo", spark: LazySpark | None = None
) -> dict[str, int]:
    """Fit the models of `cohort` on what was known on `night` and publish their tables in one transaction.

    Args:
        settings: of this process.
        engine: warehouse, as fahr_loader.
        night: scores, follow-up and covariates up to the end of this day are used.
        cohort: name of a folder under schemas/cohorts, or path of a folder with cohort.sql and cohort.yaml.
        spark: where resamples, refits and subgroups of a large cohort are spread over, where it is a cluster; a local
            one stands for as many processes of this machine. None: all is done in this process.

    Returns:
        Counts: persons, without_followup, missing_<covariate>, imputed_<covariate>, analysed, events, models_fitted,
        models_refused, predicted; refused_meanwhile where rows of persons who refuse were left out, who are in the
        numbers of the analysis still. Empty when the latest analysis is of the same data, or a cohort that reads scores
        finds none yet.

    Raises:
        UsageError: there is no such cohort.
        SettingsError: the declaration is wrong, or a table it reads is missing; says which.
        LockHeld: another risk run is at work.
        DatasetRejected: merges of persons go round in a circle.
    """
    declaration = load_declaration(cohort)
    scored_by = _current_model(engine) if declaration.reads_scores else None
    with recorded_run(engine, stage="risk", logical_date=night, lock="risk", model_id=scored_by) as run:
        # One snapshot: a score published in between must not make the model and its rows disagree.
        with engine.connect().execution_options(isolation_level="REPEATABLE READ") as connection:
            model_id = scored_model_id(connection) if declaration.reads_scores else None
            if model_id is None and declaration.reads_scores:
                log.warning("no photo has been scored yet: there is nothing to analyse")
                run.nothing_to_do()
                return {}
            check_tables(connection, declaration)
            people = read_people(connection, declaration, night)
            data_sha256 = fingerprint(people)
            analysis_id = _analysis_id(declaration.sha256, data_sha256, model_id or "no scores", code_version())
            repeats = _repeats(connection, declaration, analysis_id, night)
            kept = kept_persons(connection, night)
        if repeats:
            run.nothing_to_do()
            return {}
        with mapping_by(mapper_of(settings, spark)):
            analysis = analyse(people, declaration, analysis_id, data_sha256, model_id)
        run.counts.update(analysis.counts)
        with run.publish() as connection:
            write_analysis(connection, analysis, declaration, run_id=run.run_id, night=night)
            # Who refused while the models were fitted: the night's follow may have passed already.
            if refused := remove_from_risk_tables(connection, refusing_persons(connection, night, kept)):
                run.counts["refused_meanwhile"] = len(refused)
            audit.record(connection, action="risk_publish", subject=analysis_id, run_id=run.run_id, counts=run.counts)
    return run.counts


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


@threadpool_limits.wrap(limits=1)
@sharing()
def analyse(people: pd.DataFrame, cohort: Cohort, analysis_id: str, data_sha256: str, model_id: str | None) -> Analysis:
    """Everything the tables hold, computed before anything is written.

    Args:
        people: as `read_people` gives them.
        cohort: what was declared.
        analysis_id, data_sha256, model_id: of the analysis; None where the cohort reads no scores.

    Raises:
        SettingsError: as `jobs.risk.missing.completed`.
    """
    members, counts = complete_cases(people, cohort)
    steps = flow(counts, cohort)
    missing = missing_columns(followed(people, cohort)[0], cohort)
    frames = completed(members, cohort)
    counts |= {f"imputed_{one.column_name}": one.missing for one in missing if one.handling == "imputed"}
    fitted = fitted_to_imputed(frames, members, cohort) if frames else fitted_to(members, cohort)
    models = dict(fitted.models)
    for name, reason in fitted.no_curves.items():
        models[name] = models[name].with_doubts(reason)
    predicted = fitted.predictions[cohort.declared.prediction.model]
    behind = models[cohort.declared.prediction.model]
    if behind.fit is not None and predicted.reason is not None:
        models[cohort.declared.prediction.model] = behind.with_doubts(f"no predictions: {predicted.reason}")
    counts["models_fitted"] = sum(result.fit is not None for result in models.values())
    counts["models_refused"] = len(models) - counts["models_fitted"]
    table = None if predicted.predictions is None else predicted.table()
    counts["predicted"] = 0 if table is None else len(table)
    return Analysis(
        analysis_id=analysis_id,
        data_sha256=data_sha256,
        model_id=model_id,
        members=members,
        counts=counts,
        flow=steps,
        missing=missing,
        models=models,
        concordances=fitted.concordances,
        curves=[*curves(members, cohort), *fitted.curves],
        contrasts=fitted.contrasts,
        diagnostics=fitted.diagnostics,
        subgroups=fitted.subgroups,
        effects=fitted.effects,
        over_time=fitted.over_time,
        performance=fitted.judged.measured,
        decisions=fitted.judged.decisions,
        calibration=fitted.judged.calibration,
        predicted=table,
    )
