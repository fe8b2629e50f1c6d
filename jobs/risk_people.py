"""The persons of a cohort: read from the warehouse by the declaration's SQL, checked, complete cases told apart."""

from __future__ import annotations

import hashlib
import json
import re
from datetime import date

import pandas as pd
import sqlalchemy.exc
from sqlalchemy import Connection, text

from jobs.errors import SettingsError
from schemas.cohort import LEFT_OUT, Cohort

STATEMENT_IS_WRONG = "42"
"""Class of the SQLSTATEs whose messages name identifiers of the statement and never a value of the data."""


def check_tables(connection: Connection, cohort: Cohort) -> None:
    """See that every table the declaration reads is there and may be read.

    Raises:
        SettingsError: names what is missing, or what the role may not read.
    """
    found = connection.execute(
        text(
            "SELECT nspname || '.' || relname AS table_name, has_schema_privilege(nsp.oid, 'USAGE')"
            " AND has_table_privilege(rel.oid, 'SELECT') AS may_read"
            " FROM pg_class AS rel JOIN pg_namespace AS nsp ON nsp.oid = relnamespace"
            " WHERE nspname || '.' || relname = ANY(:tables)"
        ),
        {"tables": list(cohort.declared.reads)},
    )
    readable = {row.table_name: row.may_read for row in found}
    missing = [table for table in cohort.declared.reads if table not in readable]
    if missing:
        raise SettingsError(
            f"The cohort {cohort.declared.cohort} reads tables the warehouse does not have: {', '.join(missing)}.",
            next_step="Load the hospital's OMOP CDM 5.4 tables into the schema cdm, then run `fahr warehouse migrate`.",
        )
    forbidden = [table for table, may_read in readable.items() if not may_read]
    if forbidden:
        raise SettingsError(
            f"The role of the job may not read {', '.join(sorted(forbidden))}.",
            next_step="Run `fahr warehouse migrate`, which grants it, as the owner of those tables.",
        )


def read_people(connection: Connection, cohort: Cohort, night: date) -> pd.DataFrame:
    """One row a person as the cohort's SQL gives it, sorted by person_id; missing values are NaN or None.

    A cohort joins whole tables, and PostgreSQL knows little of tables filled an hour ago: without its nested loops,
    which it then picks for what looks small, 400 persons take 0.1 s instead of 10 s.

    Raises:
        SettingsError: the SQL fails, lacks a column, gives a person twice, or gives a level that is not declared.
    """
    try:
        connection.execute(text("SET LOCAL enable_nestloop = off; SET LOCAL jit = off"))
        result = connection.execute(text(cohort.sql), {"night": night})
        people = pd.DataFrame(result.fetchall(), columns=list(result.keys()))
    except sqlalchemy.exc.DBAPIError as error:
        raise _sql_failed(cohort, error) from None
    missing = [column for column in cohort.columns if column not in people.columns]
    if missing:
        raise SettingsError(
            f"{cohort.sql_file} gives no column {', '.join(missing)}.",
            next_step=f"Add it to the SQL, or take the covariate out of {cohort.yaml_file}.",
        )
    repeated = int(people["person_id"].duplicated().sum())
    if repeated:
        raise SettingsError(
            f"{cohort.sql_file} gives {repeated} rows too many: a person has one row.",
            next_step="Choose one row a person in the SQL (DISTINCT ON, or an aggregate).",
        )
    named = [LEFT_OUT] if LEFT_OUT in people.columns else []
    people = people[[*cohort.columns, *named]].sort_values("person_id", ignore_index=True)
    return _typed(people, cohort)


def complete_cases(people: pd.DataFrame, cohort: Cohort) -> tuple[pd.DataFrame, dict[str, int]]:
    """The persons every model is fitted on, and where the others went.

    Each person left out is counted once: by the name the cohort gives in its column left_out (taught_the_model), else
    by the first thing missing: follow-up, then covariates in the order of the declaration.

    Returns:
        The complete cases, and counts: persons, those left out by name, without_followup, missing_<column> where there
        are any, analysed, events.
    """
    counts = {"persons": len(people)}
    kept = people
    if LEFT_OUT in people.columns:
        named = people[LEFT_OUT].value_counts().sort_index()
        counts |= {str(reason): int(count) for reason, count in named.items()}
        kept = people[people[LEFT_OUT].isna()].drop(columns=LEFT_OUT)
    followed = (kept["followup_years"] > 0) & kept["event"].notna()
    counts["without_followup"] = int((~followed).sum())
    kept = kept[followed]
    for column in dict.fromkeys(("age_years", *cohort.covariate_columns)):
        known = kept[column].notna()
        if not known.all():
            counts[f"missing_{column}"] = int((~known).sum())
        kept = kept[known]
    kept = kept.reset_index(drop=True).assign(event=lambda frame: frame["event"].astype(bool))
    counts["analysed"] = len(kept)
    counts["events"] = int(kept["event"].sum())
    return kept, counts


def fingerprint(people: pd.DataFrame) -> str:
    """SHA-256 of the rows in the order given, every float to its last bit."""
    rows = people.astype(object).where(people.notna(), None).to_numpy().tolist()
    told = json.dumps([list(people.columns), rows], default=str, separators=(",", ":"), allow_nan=False)
    return hashlib.sha256(told.encode()).hexdigest()


def _typed(people: pd.DataFrame, cohort: Cohort) -> pd.DataFrame:
    """Numbers as float64, levels as text; a level nobody declared is a mistake in the declaration."""
    numbers = {"followup_years", "age_years", "face_age_years", "face_survival_log_risk"}
    for name, covariate in cohort.declared.covariates.items():
        column = cohort.column_of(name)
        if covariate.type != "categorical":
            numbers.add(column)
            continue
        people[column] = people[column].astype(object).where(people[column].notna(), None)
        undeclared = sorted({str(level) for level in people[column].dropna()} - set(covariate.levels))
        if undeclared:
            raise SettingsError(
                f"{cohort.sql_file} gives {len(undeclared)} levels of {name} not declared in {cohort.yaml_file}.",
                next_step=f"Add them to covariates.{name}.levels, or make the SQL give null for them.",
            )
    for column in numbers:
        people[column] = pd.to_numeric(people[column]).astype(float)
    return people


def _sql_failed(cohort: Cohort, error: sqlalchemy.exc.DBAPIError) -> SettingsError:
    """What PostgreSQL said, with the line of the file; without its words where they could quote the data."""
    diagnosis = getattr(error.orig, "diag", None)
    sqlstate = getattr(error.orig, "sqlstate", None) or ""
    position = getattr(diagnosis, "statement_position", None)
    line = ""
    if position:
        as_sent = re.sub(r"(?<!:):night\b", "$1::DATE", cohort.sql)
        line = f":{as_sent[: int(position)].count(chr(10)) + 1}"
    says = f": {diagnosis.message_primary}" if diagnosis and sqlstate.startswith(STATEMENT_IS_WRONG) else ""
    return SettingsError(
        f"{cohort.sql_file}{line} fails with {type(error.orig).__name__}{says}.",
        next_step="Run the file in psql with a date for :night, and correct it.",
    )
