"""A Great Expectations expectation that every row satisfies an SQL condition.

`UnexpectedRowsExpectation` says the same with two queries for each condition. This one is a column map expectation, so
that the conditions of a whole suite are counted in one pass over the data, on Spark and on PostgreSQL alike. Imported
only where a suite is made: Great Expectations takes seconds to import.
"""

from __future__ import annotations

from typing import Any, ClassVar

import sqlalchemy as sa
from great_expectations.execution_engine import SparkDFExecutionEngine, SqlAlchemyExecutionEngine
from great_expectations.expectations.expectation import ColumnMapExpectation
from great_expectations.expectations.metrics.map_metric_provider import (
    ColumnMapMetricProvider,
    column_condition_partial,
)


class RowSatisfiesCondition(ColumnMapMetricProvider):
    """The rows in which an SQL condition is true; where it is false or null, the row is unexpected."""

    condition_metric_name = "column_values.row_satisfies_condition"
    condition_value_keys = ("condition_sql",)

    @column_condition_partial(engine=SparkDFExecutionEngine)
    def _spark(cls, column: Any, condition_sql: str, **kwargs: Any) -> Any:
        from pyspark.sql import functions as F

        return F.expr(f"coalesce({condition_sql}, false)")

    @column_condition_partial(engine=SqlAlchemyExecutionEngine)
    def _sqlalchemy(cls, column: Any, condition_sql: str, **kwargs: Any) -> Any:
        return sa.literal_column(f"coalesce({condition_sql}, false)", sa.Boolean)


class ExpectRowsToSatisfyCondition(ColumnMapExpectation):
    """Expect an SQL condition over the columns of a row to be true in every row.

    `column` is a column without nulls: rows in which it is null are not judged.
    """

    condition_sql: str

    map_metric = "column_values.row_satisfies_condition"
    args_keys = ("column", "condition_sql")
    success_keys = ("condition_sql", "mostly")
    library_metadata: ClassVar[dict[str, Any]] = {"maturity": "production", "tags": [], "contributors": []}
