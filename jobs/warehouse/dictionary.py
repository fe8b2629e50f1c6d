"""The data dictionary, written from the warehouse's own catalogue: `python -m jobs.warehouse.dictionary > FILE`."""

from __future__ import annotations

import sys
from collections.abc import Iterator, Sequence
from itertools import groupby
from typing import Any

from sqlalchemy import Connection, Row, text

from jobs.settings import load_settings
from jobs.warehouse.connection import open_warehouse

SCHEMAS = ("fahr", "hospital", "registry", "fahr_stage")
ROLES = ("fahr_analyst", "fahr_researcher", "fahr_loader")

_COLUMNS = text("""
    SELECT
        namespace.nspname AS schema,
        obj_description(namespace.oid, 'pg_namespace') AS schema_comment,
        relation.relkind = 'v' AS is_view,
        relation.relname AS relation,
        obj_description(relation.oid, 'pg_class') AS relation_comment,
        ARRAY(
            SELECT role FROM unnest(CAST(:roles AS text[])) AS role
            WHERE has_table_privilege(role, relation.oid, 'SELECT')
        ) AS readers,
        attribute.attname AS column,
        format_type(attribute.atttypid, attribute.atttypmod) AS type,
        attribute.attnotnull AS is_required,
        EXISTS (
            SELECT FROM pg_index
            WHERE indrelid = relation.oid AND indisprimary AND attribute.attnum = ANY (indkey)
        ) AS is_key,
        col_description(relation.oid, attribute.attnum) AS comment
    FROM pg_namespace AS namespace
    LEFT JOIN pg_class AS relation ON relation.relnamespace = namespace.oid AND relation.relkind IN ('r', 'v')
    LEFT JOIN pg_attribute AS attribute
        ON attribute.attrelid = relation.oid AND attribute.attnum > 0 AND NOT attribute.attisdropped
    WHERE namespace.nspname = ANY (CAST(:schemas AS text[]))
    ORDER BY array_position(CAST(:schemas AS text[]), namespace.nspname::text), is_view DESC, relation.relname,
        attribute.attnum
""")

_INTRODUCTION = """\
# Data dictionary

Generated from the catalogue of the warehouse by `python -m jobs.warehouse.dictionary`; a test keeps it current.
The same words stand in the database: `\\d+ fahr.face_score` in psql, or your SQL tool's column comments.

Views are the stable interface. Tables end in `_v<N>`, are the jobs' own, and may be replaced by a next version.
Everything here is for research, not for care.
"""


def data_dictionary(connection: Connection) -> str:
    """The data dictionary as Markdown: every schema, view, table and column of ours, and which role reads it."""
    rows = connection.execute(_COLUMNS, {"schemas": list(SCHEMAS), "roles": list(ROLES)}).all()
    return "\n".join([_INTRODUCTION, *_sections(rows)]) + "\n"


def _sections(rows: Sequence[Row[Any]]) -> Iterator[str]:
    for schema, in_schema in groupby(rows, key=lambda row: row.schema):
        relations = list(in_schema)
        yield f"## Schema `{schema}`\n\n{relations[0].schema_comment}\n"
        for relation, columns in groupby(relations, key=lambda row: row.relation):
            if relation is not None:
                yield _relation(list(columns))


def _relation(columns: Sequence[Row[Any]]) -> str:
    first = columns[0]
    kind = "View" if first.is_view else "Table"
    readers = ", ".join(f"`{role}`" for role in first.readers) or "the owner only"
    lines = [
        f"### {kind} `{first.schema}.{first.relation}`\n",
        f"{first.relation_comment}\n",
        f"Read by {readers}.\n",
        "| column | type | meaning |",
        "| --- | --- | --- |",
        *(f"| `{row.column}`{_marks(row)} | {row.type} | {_cell(row.comment)} |" for row in columns),
        "",
    ]
    return "\n".join(lines)


def _marks(row: Row[Any]) -> str:
    if row.is_view:
        return ""
    return " (key)" if row.is_key else " (required)" if row.is_required else ""


def _cell(comment: str) -> str:
    return comment.replace("|", "\\|")


def main() -> None:
    """Print the dictionary of the warehouse that the settings name."""
    engine = open_warehouse(load_settings(), role=None)
    with engine.connect() as connection:
        sys.stdout.write(data_dictionary(connection))
    engine.dispose()


if __name__ == "__main__":
    main()
