"""The main tables as files: CSV with every digit for a statistician, LaTeX for a paper, Word for its co-authors."""

from __future__ import annotations

import csv
import io
from collections.abc import Callable, Mapping
from pathlib import Path

import pandas as pd
from sqlalchemy import Engine

from jobs.pages import replace_file
from jobs.risk.declared import load_declaration
from jobs.risk.docx_tables import as_docx
from jobs.risk.page_data import Published, read_published
from jobs.risk.paper_tables import PaperTable, paper_tables
from jobs.settings import Settings
from schemas.cohort import Cohort

_SPECIAL = {
    "\\": r"\textbackslash{}", "&": r"\&", "%": r"\%", "$": r"\$", "#": r"\#", "_": r"\_", "{": r"\{", "}": r"\}",
    "~": r"\textasciitilde{}", "^": r"\textasciicircum{}", "<": r"$<$", ">": r"$>$", "−": r"$-$", "≈": r"$\approx$",
    "≤": r"$\le$",
    "–": "--",
}  # fmt: skip


def risk_files(*, settings: Settings, engine: Engine, cohort: str, file_format: str) -> list[Path]:
    """Write the main tables of the latest analysis into the reports' folder, and return their paths.

    Args:
        settings: of this process.
        engine: warehouse; only views are read.
        cohort: name or folder of a cohort.
        file_format: a key of `FORMATS`.

    Raises:
        UsageError, SettingsError: as `load_declaration`.
    """
    declaration = load_declaration(cohort)
    with engine.connect().execution_options(isolation_level="REPEATABLE READ") as connection:
        published = read_published(connection, declaration)
    if published is None:
        return []
    contents = FORMATS[file_format](published, declaration, settings.small_cell)
    return [replace_file(settings.reports / name, content) for name, content in contents.items()]


def _as_csv(published: Published, cohort: Cohort, small_cell: int) -> dict[str, str]:
    """A file for each view, as it stands in the warehouse; the first columns say what it is of."""
    frames = {
        "flow": published.flow,
        "hazard-ratios": published.coefficients,
        "contrasts": published.contrasts,
        "diagnostics": published.diagnostics,
        "subgroups": published.subgroups,
        "performance": published.performance,
    }
    return {f"risk-{cohort.declared.cohort}-{name}.csv": _csv_of(frame) for name, frame in frames.items() if len(frame)}


def _csv_of(frame: pd.DataFrame) -> str:
    told = io.StringIO()
    writer = csv.writer(told)
    writer.writerow(frame.columns)
    for row in frame.astype(object).where(frame.notna(), None).itertuples(index=False, name=None):
        writer.writerow(row)
    return told.getvalue()


def _as_latex(published: Published, cohort: Cohort, small_cell: int) -> dict[str, str]:
    """One file to \\input: a table environment each, with the rules of booktabs."""
    tables = paper_tables(published, cohort, small_cell=small_cell)
    head = (
        f"% Analysis {published.analysis_id} of the cohort {cohort.declared.cohort}. Needs \\usepackage{{booktabs}}.\n"
    )
    return {f"risk-{cohort.declared.cohort}.tex": head + "\n".join(_latex_of(table) for table in tables)}


def _latex_of(table: PaperTable) -> str:
    columns = "l" * min(len(table.head), 2) + "r" * max(len(table.head) - 2, 0)
    lines = [
        "\\begin{table}",
        f"\\caption{{{_latex(table.caption)}}}\\label{{tab:{table.name.replace('_', '-')}}}",
        f"\\begin{{tabular}}{{{columns}}}",
        "\\toprule",
        _latex_row(table.head),
        "\\midrule",
        *map(_latex_row, table.rows),
        "\\bottomrule",
        "\\end{tabular}",
        *([f"\\par\\smallskip\\footnotesize {_latex(table.note)}"] if table.note else []),
        "\\end{table}",
        "",
    ]
    return "\n".join(lines)


def _latex_row(cells: tuple[str, ...]) -> str:
    return " & ".join(map(_latex, cells)) + r" \\"


def _latex(words: str) -> str:
    return "".join(_SPECIAL.get(letter, letter) for letter in words.replace("<=", "≤"))


def _as_docx(published: Published, cohort: Cohort, small_cell: int) -> dict[str, bytes]:
    return {f"risk-{cohort.declared.cohort}.docx": as_docx(published, cohort, small_cell)}


FORMATS: dict[str, Callable[[Published, Cohort, int], Mapping[str, str | bytes]]] = {
    "csv": _as_csv,
    "latex": _as_latex,
    "docx": _as_docx,
}
"""What `fahr risk --format` offers."""
