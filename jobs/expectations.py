"""Great Expectations suites made from declared rules.

Great Expectations takes seconds to import, so it is imported inside the functions that need it.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from schemas.rules import Aggregate, Between, Columns, InSet, NotNull, Number, Predicate, RowCount, Rule, Suite, Unique

if TYPE_CHECKING:
    from great_expectations import ExpectationSuite
    from great_expectations.expectations.expectation import Expectation


def expectation_suite(suite: Suite, parameters: Mapping[str, Number]) -> ExpectationSuite:
    """The Great Expectations suite that says what `suite` says."""
    keep_usage_private()
    import great_expectations as gx

    return gx.ExpectationSuite(
        name=suite.name,
        expectations=[
            expectation
            for rule in suite.rules
            for expectation in _expectations(rule.bound(parameters), suite.key, parameters)
        ],
    )


def _expectations(rule: Rule, key: str, parameters: Mapping[str, Number]) -> list[Expectation]:
    """The expectations that together say what a rule says."""
    import great_expectations.expectations as gxe

    from jobs.row_expectation import ExpectRowsToSatisfyCondition

    told: dict[str, Any] = {
        "severity": rule.severity,
        "description": f"{rule.name}: {rule.meaning}",
        "meta": {"rule": rule.name, "reason_code": rule.reason_code},
    }
    match rule.condition:
        case NotNull(column):
            return [gxe.ExpectColumnValuesToNotBeNull(column=column, **told)]
        case Between(column, at_least, at_most, above, below):
            return [
                gxe.ExpectColumnValuesToBeBetween(
                    column=column,
                    min_value=at_least if above is None else above,
                    max_value=at_most if below is None else below,
                    strict_min=above is not None,
                    strict_max=below is not None,
                    **told,
                )
            ]
        case InSet(column, values):
            return [gxe.ExpectColumnValuesToBeInSet(column=column, value_set=list(values), **told)]
        case Predicate(sql):
            return [ExpectRowsToSatisfyCondition(column=key, condition_sql=sql, **told)]
        case Columns(types):
            names = [name for name, _ in types]
            return [gxe.ExpectTableColumnsToMatchSet(column_set=names, exact_match=True, **told)] + [
                gxe.ExpectColumnValuesToBeOfType(column=name, type_=kind, **told) for name, kind in types
            ]
        case RowCount(equals=str(name)):
            return [gxe.ExpectTableRowCountToEqual(value=int(parameters[name]), **told)]
        case RowCount(at_least=name):
            fewest = 1 if name is None else int(parameters[name])
            return [gxe.ExpectTableRowCountToBeBetween(min_value=fewest, **told)]
        case Unique((column,)):
            return [gxe.ExpectColumnValuesToBeUnique(column=column, **told)]
        case Unique(columns):
            return [gxe.ExpectCompoundColumnsToBeUnique(column_list=list(columns), **told)]
        case Aggregate(sql, by):
            groups = f"GROUP BY {', '.join(by)} " if by else ""
            query = f"SELECT 1 AS broken FROM {{batch}} {groups}HAVING NOT coalesce({sql}, false)"
            return [gxe.UnexpectedRowsExpectation(unexpected_rows_query=query, **told)]


def keep_usage_private() -> None:
    """Great Expectations reports its use to its makers unless told otherwise before it is imported."""
    if "great_expectations" not in sys.modules:
        os.environ["GX_ANALYTICS_ENABLED"] = "False"
