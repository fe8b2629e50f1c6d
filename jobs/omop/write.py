"""Write the scores to an OMOP CDM, and take them out again: each in one transaction, a second time without effect."""

from __future__ import annotations

import logging
from collections.abc import Iterator
from contextlib import contextmanager
from importlib.resources import files

import sqlalchemy.exc
from sqlalchemy import Connection, Engine, text

from jobs import audit
from jobs.errors import LockHeld, SettingsError
from jobs.omop.cdm_schema import WRITTEN_TABLES, check_name, enter, is_prepared
from jobs.omop.persons import copy_persons, remove_persons
from jobs.omop.register import concepts_to_write, register, unregister
from jobs.omop.statements import DELETES, UPSERTS
from jobs.settings import Settings
from schemas.migrations import execute_script
from schemas.written_concepts import load_written_concepts

log = logging.getLogger("fahr.omop")


def write(*, settings: Settings, engine: Engine, schema: str) -> dict[str, int]:
    """Make the schema hold the scores of the current model, and nothing older of ours.

    Args:
        settings: where the ids of our concepts begin.
        engine: warehouse, as fahr_loader, with the right to write the tables of the schema.
        schema: the hospital's CDM, or a schema that `prepare` made.

    Returns:
        Counts: rows of each kind that stand there now, by table, and added, changed, removed.

    Raises:
        UsageError: the name cannot be that of a CDM.
        SettingsError: tables or rights are missing, concept ids are taken, or a constraint refuses a row.
        LockHeld: another write is at work.
    """
    check_name(schema)
    declared = load_written_concepts(settings.omop_first_concept_id)
    counts = dict.fromkeys(("added", "changed", "removed"), 0)
    with _transaction(engine, schema) as connection:
        prepared = is_prepared(connection, schema)
        if prepared:
            for effect, persons in copy_persons(connection).items():
                counts[effect] += persons
        # After the copies: a domain that the hospital has is not ours.
        register(connection, declared)
        concepts = concepts_to_write(connection, declared)
        execute_script(connection, files("jobs.omop").joinpath("wanted.sql").read_text())
        for _, statement in DELETES:
            counts["removed"] += connection.execute(text(statement), concepts).rowcount
        for statements in UPSERTS.values():
            for effect, statement in statements:
                counts[effect] += connection.execute(text(statement), concepts).rowcount
        if prepared:
            counts["removed"] += remove_persons(connection, only_unwanted=True)
        counts |= _standing(connection)
        if counts["added"] or counts["changed"] or counts["removed"]:
            audit.record(connection, action="omop_write", subject=schema, counts=counts)
    log.info("scores in the schema %s: %s", schema, counts)
    return counts


def remove(*, settings: Settings, engine: Engine, schema: str) -> dict[str, int]:
    """Take everything of ours out of the schema, our concepts included.

    Returns:
        Counts: removed rows, by table, and concepts.

    Raises:
        UsageError, SettingsError, LockHeld: as `write`.
    """
    check_name(schema)
    declared = load_written_concepts(settings.omop_first_concept_id)
    with _transaction(engine, schema) as connection:
        concepts = {str(role): declared.id_of(role) for role in declared.concepts}
        execute_script(connection, _NOTHING_WANTED)
        counts = {table: connection.execute(text(statement), concepts).rowcount for table, statement in DELETES}
        if is_prepared(connection, schema):
            counts["person"] = remove_persons(connection, only_unwanted=False)
        counts["concepts"] = unregister(connection, declared)
        if any(counts.values()):
            audit.record(connection, action="omop_remove", subject=schema, counts=counts)
    log.info("removed from the schema %s: %s", schema, counts)
    return counts


_NOTHING_WANTED = """
    CREATE TEMPORARY TABLE wanted_series (person_id integer, taken_on date, source text, series_uid text)
        ON COMMIT DROP;
    CREATE TEMPORARY TABLE wanted_score (person_id integer, taken_on date, role text) ON COMMIT DROP;
"""


def _standing(connection: Connection) -> dict[str, int]:
    """Rows that are wanted, which by now are those that stand there."""
    series, scores = connection.execute(
        text("SELECT (SELECT count(*) FROM wanted_series), (SELECT count(*) FROM wanted_score)")
    ).one()
    return {"measurements": scores, "image_series": series}


@contextmanager
def _transaction(engine: Engine, schema: str) -> Iterator[Connection]:
    """One transaction on the schema's tables, alone; what the database refuses is told without its values."""
    try:
        with engine.begin() as connection:
            lock = connection.execute(
                text("SELECT pg_try_advisory_xact_lock(hashtext(:lock))"), {"lock": f"fahr:omop:{schema}"}
            )
            if not lock.scalar_one():
                raise LockHeld("Scores are being written to this schema already.", next_step="Wait until that ends.")
            enter(connection, schema)
            # Ids are given out by counting on from the highest: nobody else may add a row meanwhile.
            connection.execute(text(f"LOCK TABLE {', '.join(WRITTEN_TABLES)} IN SHARE ROW EXCLUSIVE MODE"))
            yield connection
    except sqlalchemy.exc.DBAPIError as error:
        raise _refused(error, schema) from None


def _refused(error: sqlalchemy.exc.DBAPIError, schema: str) -> Exception:
    sqlstate = getattr(error.orig, "sqlstate", None) or ""
    diagnosis = getattr(error.orig, "diag", None)
    if sqlstate == "42501":
        return SettingsError(
            f"The role fahr_loader may not write all tables of {schema}.",
            next_step="Grant SELECT, INSERT, UPDATE, DELETE on the tables that docs/omop.md names.",
        )
    if sqlstate.startswith("23"):
        return SettingsError(
            f"The constraint {getattr(diagnosis, 'constraint_name', None)} of {schema} refuses a row.",
            next_step="Nothing was written. See what the constraint asks for, and docs/omop.md.",
        )
    if sqlstate == "22003":
        return SettingsError(
            f"The highest id in a table of {schema} leaves no room for more.", next_step="See the ids of its tables."
        )
    return error
