"""The schema that scores are written to: OMOP CDM 5.4 with the two tables of the Medical Imaging extension."""

from __future__ import annotations

import re

from sqlalchemy import (
    Column,
    Connection,
    Date,
    DateTime,
    Engine,
    ForeignKey,
    Integer,
    MetaData,
    String,
    Table,
    Text,
    inspect,
    text,
)
from sqlalchemy.schema import CreateSchema
from sqlalchemy_omopcdm import OMOPCDMModelBase

from jobs import audit
from jobs.errors import SettingsError, UsageError
from jobs.runs import code_version

NOT_OURS_TO_FILL = ("fahr", "fahr_stage", "hospital", "registry", "demo", "public", "information_schema")

WRITTEN_TABLES = ("measurement", "procedure_occurrence", "image_occurrence", "image_feature")
VOCABULARY_TABLES = ("concept", "vocabulary", "domain", "concept_class")
NEEDED_TABLES = (*WRITTEN_TABLES, *VOCABULARY_TABLES, "person", "visit_occurrence")


def check_name(schema: str) -> None:
    """See that a name can be that of a CDM.

    Raises:
        UsageError: it is no plain lower-case name, or belongs to something else.
    """
    if not re.fullmatch(r"[a-z_][a-z0-9_]{0,62}", schema) or schema in NOT_OURS_TO_FILL or schema.startswith("pg_"):
        raise UsageError(
            "This cannot be the schema of an OMOP CDM.",
            next_step="Name the hospital's CDM, or a schema of its own such as omop_results.",
        )


def prepare(engine: Engine, schema: str) -> dict[str, int]:
    """Create a results schema: the 39 tables of CDM 5.4 and the imaging tables, with all their keys.

    Args:
        engine: warehouse, as a login that may create schemas and owns `fahr`.
        schema: its name. A schema that is there already gets the imaging tables only, if it lacks them.

    Returns:
        Counts: tables_created.

    Raises:
        UsageError: the name cannot be that of a CDM.
    """
    check_name(schema)
    with engine.begin() as connection:
        inspector = inspect(connection)
        is_new = schema not in inspector.get_schema_names()
        if is_new:
            connection.execute(CreateSchema(schema))
            connection.execute(
                text("INSERT INTO fahr.omop_schema_v1 (schema_name, code_version) VALUES (:schema, :version)"),
                {"schema": schema, "version": code_version()},
            )
        before = set(inspector.get_table_names(schema))
        wanted = metadata(schema)
        imaging = [table for table in wanted.tables.values() if table.name.startswith("image_")]
        if not is_new and (lacking := sorted(set(NEEDED_TABLES) - before - {table.name for table in imaging})):
            raise UsageError(
                f"The schema {schema} is there, and is no CDM 5.4: it lacks {', '.join(lacking)}.",
                next_step="Name the hospital's CDM, or a schema that is not there yet.",
            )
        wanted.create_all(connection, tables=None if is_new else imaging)
        created = set(inspect(connection).get_table_names(schema)) - before
        for table in [wanted.tables[f"{schema}.{name}"] for name in sorted(created)]:
            connection.execute(text(f"GRANT SELECT, INSERT, UPDATE, DELETE ON {table.fullname} TO fahr_loader"))
        if created:
            connection.execute(text(f"GRANT USAGE ON SCHEMA {schema} TO fahr_loader"))
            audit.record(connection, action="omop_prepare", subject=schema, counts={"tables_created": len(created)})
    return {"tables_created": len(created)}


def metadata(schema: str) -> MetaData:
    """The 39 tables of CDM 5.4 (sqlalchemy-omopcdm equals the official DDL) and the imaging tables, in a schema."""
    tables = MetaData(schema=schema)
    for table in OMOPCDMModelBase.metadata.tables.values():
        table.to_metadata(tables, schema=schema)
    _imaging_tables(tables)
    return tables


def _imaging_tables(tables: MetaData) -> None:
    """Medical Imaging CDM extension for 5.4 (Park et al. 2024, OHDSI Medical Imaging working group)."""

    def to(table: str) -> ForeignKey:
        return ForeignKey(f"{tables.schema}.{table}.{table}_id")

    Table(
        "image_occurrence",
        tables,
        Column("image_occurrence_id", Integer, primary_key=True, autoincrement=False),
        Column("person_id", Integer, to("person"), nullable=False, index=True),
        Column("procedure_occurrence_id", Integer, to("procedure_occurrence"), nullable=False, index=True),
        Column("visit_occurrence_id", Integer, to("visit_occurrence")),
        Column("anatomic_site_concept_id", Integer, to("concept")),
        Column("wadors_uri", Text),
        Column("local_path", Text),
        Column("image_occurrence_date", Date, nullable=False),
        Column("image_study_uid", String(250), nullable=False),
        Column("image_series_uid", String(250), nullable=False),
        Column("modality_concept_id", Integer, to("concept"), nullable=False),
    )
    Table(
        "image_feature",
        tables,
        Column("image_feature_id", Integer, primary_key=True, autoincrement=False),
        Column("person_id", Integer, to("person"), nullable=False, index=True),
        Column("image_occurrence_id", Integer, to("image_occurrence"), nullable=False, index=True),
        Column("image_feature_event_field_concept_id", Integer, to("concept")),
        Column("image_feature_event_id", Integer),
        Column("image_feature_concept_id", Integer, to("concept"), nullable=False),
        Column("image_feature_type_concept_id", Integer, to("concept"), nullable=False),
        Column("image_finding_concept_id", Integer, to("concept")),
        Column("image_finding_id", Integer),
        Column("anatomic_site_concept_id", Integer, to("concept")),
        Column("alg_system", Text),
        Column("alg_datetime", DateTime),
    )


def is_prepared(connection: Connection, schema: str) -> bool:
    """Whether `prepare` made the schema; then persons are copied to it, too."""
    return connection.execute(
        text("SELECT EXISTS (SELECT FROM fahr.omop_schema_v1 WHERE schema_name = :schema)"), {"schema": schema}
    ).scalar_one()


def enter(connection: Connection, schema: str) -> None:
    """Let plain table names mean those of the schema, for the transaction; names of functions stay PostgreSQL's own.

    Raises:
        SettingsError: a table that is needed is missing.
    """
    found = connection.execute(
        text(
            "SELECT relname FROM pg_class JOIN pg_namespace ON pg_namespace.oid = relnamespace"
            " WHERE nspname = :schema AND relkind IN ('r', 'p') AND relname = ANY (:tables)"
        ),
        {"schema": schema, "tables": list(NEEDED_TABLES)},
    ).scalars()
    if missing := sorted(set(NEEDED_TABLES) - set(found)):
        raise SettingsError(
            f"The schema {schema} lacks tables that scores are written to: {', '.join(missing)}.",
            next_step=f"Run `fahr omop prepare --schema {schema}`.",
        )
    connection.execute(
        text("SELECT set_config('search_path', 'pg_catalog, ' || quote_ident(:schema), true)"), {"schema": schema}
    )
