"""Which views an export holds, and how their columns are typed in Parquet: declared, so that no value decides."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import pyarrow as pa
from sqlalchemy import Connection, text

OF_THE_COHORT = (
    "researcher_member", "researcher_session", "researcher_patient_risk", "researcher_tumour", "researcher_risk_model",
    "risk_coefficient", "risk_contrast", "risk_effect", "researcher_risk_flow", "researcher_risk_subgroup",
    "researcher_risk_performance", "researcher_risk_calibration", "researcher_survival_curve",
)  # fmt: skip
"""Views of which the rows of the cohort leave; where a view tells of several analyses, those of the latest."""

WHOLE = ("model_version", "reason_code", "researcher_coverage", "researcher_face_age", "researcher_evaluation",
         "researcher_evaluation_metric")  # fmt: skip
"""Views that tell of no cohort."""

_ARROW = {
    "text": pa.string(),
    "integer": pa.int32(),
    "bigint": pa.int64(),
    "smallint": pa.int16(),
    "double precision": pa.float64(),
    "boolean": pa.bool_(),
    "date": pa.date32(),
    "uuid": pa.string(),
    "jsonb": pa.string(),
    "text[]": pa.list_(pa.string()),
}
"""Types of PostgreSQL and what they become: jsonb becomes text with sorted keys."""

LEFT_OUT = ("run_id",)
"""Columns that tell when a job ran, and nothing of what it found: a repetition would change the files."""


@dataclass(frozen=True, slots=True)
class Column:
    """One column of a view, as the catalogue tells it."""

    name: str
    type: str
    meaning: str


@dataclass(frozen=True, slots=True)
class ExportedView:
    """One view of the export."""

    name: str
    meaning: str
    columns: tuple[Column, ...]
    of_the_cohort: bool

    @property
    def file(self) -> str:
        """Name of its file."""
        return f"{self.name}.parquet"

    @property
    def schema(self) -> pa.Schema:
        """The Arrow schema, with the meaning of each column in its metadata."""
        return pa.schema(
            [
                pa.field(column.name, _ARROW[column.type], metadata={"meaning": column.meaning})
                for column in self.columns
            ],
            metadata={"view": f"fahr.{self.name}", "meaning": self.meaning},
        )

    @property
    def query(self) -> str:
        """Its rows in an order that their values alone decide; takes :cohort."""
        names = {column.name for column in self.columns}
        where = ["cohort = :cohort"] * self.of_the_cohort + ["is_latest"] * (
            self.of_the_cohort and "is_latest" in names
        )
        order = [
            column.name + ' COLLATE "C"' * (column.type == "text") for column in self.columns if column.type != "text[]"
        ]
        query = f"SELECT {', '.join(column.name for column in self.columns)} FROM fahr.{self.name}"
        return query + (f" WHERE {' AND '.join(where)}" if where else "") + f" ORDER BY {', '.join(order)}"


def exported_views(connection: Connection) -> list[ExportedView]:
    """The views of an export as the catalogue describes them now.

    Raises:
        KeyError: a column has a type that no file was declared for.
    """
    views = [_view(connection, name, of_the_cohort=name in OF_THE_COHORT) for name in sorted((*OF_THE_COHORT, *WHOLE))]
    for view in views:
        _ = view.schema
    return views


_COLUMNS = text("""
    SELECT
        attribute.attname AS name, format_type(attribute.atttypid, attribute.atttypmod) AS type,
        col_description(attribute.attrelid, attribute.attnum) AS meaning,
        obj_description(attribute.attrelid, 'pg_class') AS view_meaning
    FROM pg_attribute AS attribute
    WHERE attribute.attrelid = to_regclass(:view) AND attribute.attnum > 0 AND NOT attribute.attisdropped
        AND attribute.attname <> ALL (CAST(:left_out AS text[]))
    ORDER BY attribute.attnum
""")


def _view(connection: Connection, name: str, *, of_the_cohort: bool) -> ExportedView:
    rows: Sequence = connection.execute(_COLUMNS, {"view": f"fahr.{name}", "left_out": list(LEFT_OUT)}).all()
    columns = tuple(Column(row.name, row.type, row.meaning or "") for row in rows)
    return ExportedView(name, rows[0].view_meaning, columns, of_the_cohort)
