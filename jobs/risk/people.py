"""The persons of a cohort: read from the warehouse by the declaration's SQL, checked, complete cases told apart."""

from __future__ import annotations

import hashlib
import json
import re
from datetime import date

import numpy as np
import pandas as pd
import sqlalchemy.exc
from numpy.typing import NDArray
from sqlalchemy import Connection, text

from jobs.errors import SettingsError
from jobs.risk.findings import FlowStep
from jobs.risk.landmark import from_landmark
from schemas.cohort import LEFT_OUT, MEMBER_COLUMNS, Cohort

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

    A cohort with clusters may have several rows a person; they are sorted by index date and numbered in `episode`. A
    cohort joins whole tables, and PostgreSQL knows little of tables filled an hour ago: without its nested loops, which
    it then picks for what looks small, 400 persons take 0.1 s instead of 10 s.

    Raises:
        SettingsError: the SQL fails, lacks a column, gives a person twice in a cohort without clusters, or gives a
            level, a competing event or an exclusion that is not declared.
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
    if repeated and cohort.declared.cluster is None:
        raise SettingsError(
            f"{cohort.sql_file} gives {repeated} rows too many: a person has one row.",
            next_step="Choose one row a person in the SQL (DISTINCT ON, or an aggregate), or declare a cluster.",
        )
    if people.duplicated(["person_id", "index_date"]).any():
        raise SettingsError(
            f"{cohort.sql_file} gives rows of one person with the same index_date.",
            next_step="Choose one row for each person and index date in the SQL.",
        )
    named = [LEFT_OUT] if LEFT_OUT in people.columns else []
    people = people.reindex(columns=list(dict.fromkeys([*cohort.columns, *MEMBER_COLUMNS, *named])))
    people = people.sort_values(["person_id", "index_date"], ignore_index=True)
    people.insert(1, "episode", people.groupby("person_id").cumcount() + 1)
    return _typed(people, cohort)


def complete_cases(people: pd.DataFrame, cohort: Cohort) -> tuple[pd.DataFrame, dict[str, int]]:
    """The persons every model is fitted on, and where the others went.

    Each person left out is counted once: by the name the cohort gives in its column left_out (taught_the_model), else
    by the first thing missing: follow-up, the landmark, then what the design needs, then covariates in the order of the
    declaration. Covariates whose gaps are filled may be missing.

    Returns:
        The persons, and counts: persons, those left out by name, without_followup, without_landmark, before_landmark,
        missing_<column> where there are any, analysed, events.

    Raises:
        SettingsError: as `from_landmark`.
    """
    kept, counts = followed(people, cohort)
    complete = np.ones(len(kept), dtype=bool)
    for column in _needed(people, cohort):
        lacking = complete & kept[column].isna().to_numpy()
        if lacking.any():
            counts[f"missing_{column}"] = int(lacking.sum())
            complete &= ~lacking
    kept = _rows(kept, complete).copy(deep=False)
    kept.index = pd.RangeIndex(len(kept))
    kept["event"] = kept["event"].astype(bool)
    counts["analysed"] = len(kept)
    counts["events"] = int(kept["event"].sum())
    return kept, counts


def followed(people: pd.DataFrame, cohort: Cohort) -> tuple[pd.DataFrame, dict[str, int]]:
    """The persons with follow-up, from the landmark on where there is one; and counts, as `complete_cases`."""
    counts = {"persons": len(people)}
    kept = people
    if LEFT_OUT in people.columns:
        named = people[LEFT_OUT].value_counts()
        order = [*cohort.declared.exclusions, *sorted(set(named.index) - set(cohort.declared.exclusions))]
        counts |= {str(reason): int(named[reason]) for reason in order if reason in named}
        kept = _rows(people.drop(columns=LEFT_OUT), people[LEFT_OUT].isna().to_numpy())
    has_some = (kept["followup_years"] > 0) & kept["event"].notna()
    if cohort.declared.entry is not None:
        has_some &= ~(kept[cohort.declared.entry] >= kept["followup_years"])
    counts["without_followup"] = int((~has_some).sum())
    entered, of_landmark = from_landmark(_rows(kept, has_some.to_numpy()), cohort)
    return entered, counts | of_landmark


def _rows(frame: pd.DataFrame, some: NDArray[np.bool_]) -> pd.DataFrame:
    """Some rows of a frame; all of them are the frame itself, for a million are not copied in vain."""
    return frame if some.all() else frame[some]


def flow(counts: dict[str, int], cohort: Cohort) -> tuple[FlowStep, ...]:
    """The counts of `complete_cases` as steps; an exclusion that is declared has one, whoever it left out."""
    declared = cohort.declared
    labels = {
        **declared.exclusions,
        "without_followup": "No follow-up after the index",
        "without_landmark": "No landmark of their own",
        "before_landmark": "The event or the end of follow-up came before the landmark",
    }
    for name, covariate in declared.covariates.items():
        column = f"missing_{cohort.column_of(name)}"
        labels[column] = labels.get(column, f"{covariate.label} not known")
    outside = ("persons", "analysed", "events")
    # An exclusion that left nobody out has no count, and its place in the declaration all the same.
    reasons = dict.fromkeys([*declared.exclusions, *(reason for reason in counts if reason not in outside)])
    remaining = counts["persons"]
    steps = [FlowStep(0, "persons", "In the cohort", 0, remaining)]
    for number, reason in enumerate(reasons, start=1):
        left_out = counts.get(reason, 0)
        remaining -= left_out
        label = labels.get(reason, reason.replace("_", " ").capitalize())
        steps.append(FlowStep(number, reason, label, left_out, remaining))
    return tuple(steps)


def _needed(people: pd.DataFrame, cohort: Cohort) -> tuple[str, ...]:
    """Columns in which nothing may be missing. A cohort that knows nobody's age does not ask for it."""
    declared = cohort.declared
    design = [column for column in (declared.entry, declared.cluster, declared.weights) if column is not None]
    age = ["age_years"] if people["age_years"].notna().any() else []
    needed = dict.fromkeys([*design, *age, *cohort.covariate_columns])
    return tuple(column for column in needed if column not in cohort.imputed_columns)


def fingerprint(people: pd.DataFrame) -> str:
    """SHA-256 of the rows in the order given, every float to its last bit."""
    digest = hashlib.sha256()
    for name in people.columns:
        column = people[name].to_numpy()
        values: object = []
        if column.dtype.kind == "f":
            bits = np.where(np.isnan(column), np.nan, column).astype("<f8")
        elif column.dtype.kind in "iub":
            bits = column.astype("<i8")
        else:  # texts and dates: the distinct ones as they first appear, and which of them each row has
            codes, distinct = pd.factorize(column)
            bits, values = codes.astype("<i8"), list(distinct)
        digest.update(json.dumps([name, column.dtype.kind, len(column), values], default=str).encode())
        digest.update(bits.tobytes())
    return digest.hexdigest()


def _typed(people: pd.DataFrame, cohort: Cohort) -> pd.DataFrame:
    """Numbers as float64, levels as text; a level nobody declared is a mistake in the declaration."""
    declared = cohort.declared
    numbers = {"followup_years", *MEMBER_COLUMNS}
    landmark = declared.landmark
    design = [declared.entry, declared.weights, *((landmark.column, landmark.measured_until) if landmark else ())]
    numbers |= set(filter(None, design))
    for name, covariate in declared.covariates.items():
        column = cohort.column_of(name)
        if covariate.type != "categorical":
            numbers.add(column)
            continue
        people[column] = _as_text(people[column])
        _refuse_undeclared(people[column], covariate.levels, f"covariates.{name}.levels", f"levels of {name}", cohort)
    if declared.competing is not None:
        column = declared.competing.column
        people[column] = _as_text(people[column])
        known = (declared.competing.of_interest, *declared.competing.others)
        _refuse_undeclared(people[column], known, "competing.others", "competing events", cohort)
    if declared.cluster is not None and declared.cluster != "person_id":
        people[declared.cluster] = _as_text(people[declared.cluster])
    if declared.exclusions and LEFT_OUT in people:
        reasons = tuple(declared.exclusions)
        _refuse_undeclared(people[LEFT_OUT], reasons, "exclusions", f"reasons in {LEFT_OUT}", cohort)
    for column in numbers:
        people[column] = _as_numbers(people[column], cohort)
    return people


def _as_text(column: pd.Series) -> pd.Series:
    """Values as text, missing ones as None; whole numbers without the decimal point that a missing one brings along.

    Equal texts are one object: a million of them take the room of a few, and are told apart by where they lie.
    """
    if column.dtype.kind == "f" and (column.dropna() % 1 == 0).all():
        column = column.astype("Int64")
    texts = column.map(str, na_action="ignore").astype(object).where(column.notna(), None)
    codes, distinct = pd.factorize(texts.to_numpy(dtype=object))
    return pd.Series(np.array([*distinct, None], dtype=object)[codes], index=texts.index, name=texts.name)


def _as_numbers(column: pd.Series, cohort: Cohort) -> pd.Series:
    try:
        return pd.to_numeric(column).astype(float).replace([np.inf, -np.inf], np.nan)
    except (ValueError, TypeError):
        raise SettingsError(
            f"{cohort.sql_file} gives something else than numbers in {column.name}.",
            next_step=f"Cast it in the SQL, or declare it as categorical in {cohort.yaml_file}.",
        ) from None


def _refuse_undeclared(column: pd.Series, known: tuple[str, ...], key: str, what: str, cohort: Cohort) -> None:
    undeclared = {str(value) for value in column.dropna()} - set(known)
    if undeclared:
        raise SettingsError(
            f"{cohort.sql_file} gives {len(undeclared)} {what} not declared in {cohort.yaml_file}.",
            next_step=f"Add them to {key}, or make the SQL give null for them.",
        )


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
