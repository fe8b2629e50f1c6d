"""The vocabulary in which a data set's rules are declared, once, for everything that judges by them.

A rule is a name, a condition, and what follows from breaking it. From the same rules come the Great Expectations suite
(`jobs.gates`) and, here, one SQL expression that tells each row's failed rules. The SQL is the part that Spark and
PostgreSQL share. What a null means is part of each condition, so that both read it alike:

- `NotNull`: a null breaks it.
- `Between`, `InSet`: a null keeps it. They judge values; whether there must be one is another rule.
- `Predicate`: an SQL condition must be true; false and null break it.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from typing import Literal

from schemas.reasons import BY_CODE

Level = Literal["row", "dataset"]
Severity = Literal["critical", "warning"]
Number = int | float


@dataclass(frozen=True)
class NotNull:
    """The column has a value in every row."""

    column: str

    @property
    def broken_sql(self) -> str:
        """SQL that is true for a row that breaks the condition, false for any other, never null."""
        return f"{self.column} IS NULL"


@dataclass(frozen=True)
class Between:
    """The column's values lie in a range whose ends belong to it, unless they are said to be excluded."""

    column: str
    at_least: Number | None = None
    at_most: Number | None = None
    above: Number | None = None
    below: Number | None = None

    @property
    def broken_sql(self) -> str:
        """SQL that is true for a row that breaks the condition, false for any other, never null."""
        bounds = {">=": self.at_least, "<=": self.at_most, ">": self.above, "<": self.below}
        kept = " AND ".join(f"{self.column} {sign} {bound}" for sign, bound in bounds.items() if bound is not None)
        return f"NOT coalesce({kept}, true)"


@dataclass(frozen=True)
class InSet:
    """The column's values are among a few known ones."""

    column: str
    values: tuple[str, ...]

    @property
    def broken_sql(self) -> str:
        """SQL that is true for a row that breaks the condition, false for any other, never null."""
        return f"NOT coalesce({self.column} IN ({sql_list(self.values)}), true)"


@dataclass(frozen=True)
class Predicate:
    """An SQL condition over the columns of one row is true."""

    sql: str

    @property
    def broken_sql(self) -> str:
        """SQL that is true for a row that breaks the condition, false for any other, never null."""
        return f"NOT coalesce({self.sql}, false)"


RowCondition = NotNull | Between | InSet | Predicate


@dataclass(frozen=True)
class Columns:
    """The data set has exactly these columns, of these types (by the name of Spark's type class)."""

    types: tuple[tuple[str, str], ...]


@dataclass(frozen=True)
class RowCount:
    """The data set has rows: as many as the parameter `equals` says, or at least as many as `at_least` says, or any."""

    equals: str | None = None
    at_least: str | None = None


@dataclass(frozen=True)
class Unique:
    """No two rows agree in all of these columns."""

    columns: tuple[str, ...]


@dataclass(frozen=True)
class Aggregate:
    """An SQL condition over aggregates is true, for the whole data set or for each group of it.

    `{name}` in the SQL stands for a number that is known only when the rule is applied.
    """

    sql: str
    by: tuple[str, ...] = ()


DatasetCondition = Columns | RowCount | Unique | Aggregate


@dataclass(frozen=True)
class Rule:
    """One thing that must hold, and what follows if it does not."""

    name: str
    """How it is called in Data Docs and in `fahr.quarantine`; unique in its data set."""

    condition: RowCondition | DatasetCondition
    """What must hold."""

    meaning: str
    """The rule in a sentence, for the reader of the Data Docs."""

    severity: Severity = "critical"
    """`critical`: breaking it stops the stage. `warning`: the rows that break it are set aside with the reason code."""

    reason_code: str | None = None
    """Why a row that breaks it is quarantined; rules of severity `warning` have one."""

    def __post_init__(self) -> None:
        """Refuse a rule whose consequence is not clear."""
        if (self.severity == "warning") != (self.reason_code is not None):
            raise ValueError(f"The rule {self.name} needs a reason code if, and only if, it sets rows aside.")
        if self.reason_code is not None and (self.level == "dataset" or self.reason_code not in BY_CODE):
            raise ValueError(f"The rule {self.name} cannot give the reason {self.reason_code}.")

    @property
    def level(self) -> Level:
        """Whether it judges each row or the data set as a whole."""
        return "row" if isinstance(self.condition, RowCondition) else "dataset"

    def bound(self, parameters: Mapping[str, Number]) -> Rule:
        """This rule with the numbers that are known only when it is applied."""
        if isinstance(self.condition, Aggregate):
            return replace(self, condition=replace(self.condition, sql=self.condition.sql.format_map(parameters)))
        return self


@dataclass(frozen=True)
class Suite:
    """The rules of one data set, in the order in which a row's reason is looked for."""

    name: str
    rules: tuple[Rule, ...]
    key: str
    """A column that is never null."""

    def __post_init__(self) -> None:
        """Refuse two rules of one name."""
        names = [rule.name for rule in self.rules]
        if len(set(names)) != len(names):
            raise ValueError(f"The suite {self.name} has two rules of one name.")


def failed_rules_sql(rules: Iterable[Rule]) -> str:
    """Spark SQL: the names of the row rules that a row breaks, in the order of the rules; empty if it breaks none."""
    names = ", ".join(f"CASE WHEN {sql} THEN '{rule.name}' END" for rule, sql in _row_rules(rules))
    return f"filter(array({names}), name -> name IS NOT NULL)"


def reason_sql(rules: Iterable[Rule]) -> str:
    """SQL: the reason code of the first rule that a row breaks and that gives one; null if it breaks none."""
    cases = " ".join(f"WHEN {sql} THEN '{rule.reason_code}'" for rule, sql in _row_rules(rules) if rule.reason_code)
    return f"CASE {cases} END"


def sql_list(values: Iterable[str]) -> str:
    """Text values as an SQL list, without its parentheses."""
    return ", ".join("'" + value.replace("'", "''") + "'" for value in values)


def _row_rules(rules: Iterable[Rule]) -> Iterable[tuple[Rule, str]]:
    for rule in rules:
        if isinstance(rule.condition, RowCondition):
            yield rule, rule.condition.broken_sql
