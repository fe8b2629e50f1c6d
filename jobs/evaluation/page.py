"""The page of an evaluation: one HTML file that needs nothing but itself, with numbers and pictures and no person."""

from __future__ import annotations

import base64
import math
from dataclasses import dataclass
from datetime import date

from jinja2 import Environment, PackageLoader, StrictUndefined
from markupsafe import Markup

from jobs.evaluation.findings import WHOLE, EvaluatedModel, Evaluation, Finding
from jobs.runs import code_version

TITLES = {
    "age": "FaceAge against age",
    "survival": "Survival",
    "robustness": "Robustness",
    "saliency": "Where the networks look",
}
COUNTS = {"photos": "Photos", "people": "People", "events": "Deaths"}

WIDEST_TABLE = 5
"""Metrics side by side; more of them make another table."""

WORDS = {
    "face_age": "FaceAge",
    "face_survival": "FaceSurvival",
    "mae": "mean absolute error",
    "sd": "SD",
    "uno_c_index": "Uno's C-index",
    "c_index": "C-index",
    "pearson_r": "Pearson's r",
    "icc": "ICC(1,1)",
    "auc": "AUC",
    "brier": "Brier",
    "cox": "Cox",
    "aic": "AIC",
    "p_value": "p",
}
UNITS = ("years", "share", "px", "degrees", "percent")
QUANTITIES = (["at"], ["per"])
"""A unit after one of these and a number belongs to them: at 5 years, per 10 years."""


@dataclass(frozen=True, slots=True)
class _Table:
    """Metrics of one group side by side, a row a level."""

    group_name: str
    metrics: tuple[str, ...]
    rows: tuple[tuple[str, tuple[Finding | None, ...]], ...]

    @property
    def counts(self) -> tuple[str, ...]:
        """Which counts some level has."""
        return tuple(name for name in COUNTS if any(self.count(row, name) is not None for _, row in self.rows))

    def count(self, row: tuple[Finding | None, ...], name: str) -> int | None:
        """A count (photos, people, events) of a level, where its metrics agree on one."""
        counts = {getattr(finding, name) for finding in row if finding is not None}
        return counts.pop() if len(counts) == 1 else None


def render_page(evaluation: Evaluation, *, model: EvaluatedModel, evaluation_id: str, night: date) -> str:
    """The page as HTML: figures as data URLs, no script, nothing to fetch."""
    environment = Environment(
        loader=PackageLoader("jobs", "templates"),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.filters["thousands"] = lambda count: f"{count:,}".replace(",", "\N{NARROW NO-BREAK SPACE}")
    environment.filters["number"] = readable_number
    environment.filters["words"] = readable_name
    environment.filters["known_words"] = known_words
    whole = [finding for finding in evaluation.findings if finding.group_name == WHOLE]
    style = Markup(environment.loader.get_source(environment, "report.css")[0]) if environment.loader else ""
    return environment.get_template("evaluation.html").render(
        style=style,
        title=TITLES[evaluation.kind],
        evaluation=evaluation,
        evaluation_id=evaluation_id,
        model=model,
        night=night,
        code_version=code_version(),
        whole=whole,
        counts=[name for name in COUNTS if any(getattr(finding, name) is not None for finding in whole)],
        titles_of_counts=COUNTS,
        tables=_tables(evaluation.findings),
        figures=[(figure, base64.b64encode(figure.png).decode()) for figure in evaluation.figures],
    )


def _tables(findings: tuple[Finding, ...]) -> list[_Table]:
    """Tables of everything that is split by a group, groups and levels in the order they were found."""
    tables = []
    for group in dict.fromkeys(finding.group_name for finding in findings if finding.group_name != WHOLE):
        of_group = [finding for finding in findings if finding.group_name == group]
        metrics = tuple(dict.fromkeys(finding.metric for finding in of_group))
        for start in range(0, len(metrics), WIDEST_TABLE):
            chosen = metrics[start : start + WIDEST_TABLE]
            found = {(f.level, f.metric): f for f in of_group if f.metric in chosen}
            levels = dict.fromkeys(level for level, _ in found)
            rows = tuple((level, tuple(found.get((level, metric)) for metric in chosen)) for level in levels)
            tables.append(_Table(group, chosen, rows))
    return tables


def readable_name(name: str) -> str:
    """face_age_mae_years -> FaceAge mean absolute error, years."""
    parts = name.split("_")
    unit = parts[-1] if parts[-1] in UNITS and parts[-3:-2] not in QUANTITIES else None
    told = name.removesuffix(f"_{unit}")
    told = known_words(told)
    told = told[:1].upper() + told[1:]
    return told if unit is None else f"{told}, {unit}"


def known_words(name: str) -> str:
    """face_age_quartile -> FaceAge quartile."""
    padded = f"_{name}_"
    for known, words in WORDS.items():
        padded = padded.replace(f"_{known}_", f"_{words}_")
    return padded.strip("_").replace("_", " ")


def readable_number(value: float | None) -> str:
    """Three significant places, at least two decimals below 100: 4.31, 0.742, 0.0031, 128."""
    if value is None:
        return "–"
    if value == 0:
        return "0"
    if 0 < abs(value) < 1e-4:
        return f"{value:.1e}".replace("-", "−")
    decimals = max(0, 2 - math.floor(math.log10(abs(value)))) if abs(value) < 100 else 0
    return f"{value:.{min(decimals, 5)}f}".replace("-", "−")
