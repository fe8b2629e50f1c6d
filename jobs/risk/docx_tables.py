"""The main tables as a Word document, for the co-author who writes in it."""

from __future__ import annotations

import io
import zipfile

from docx import Document
from docx.document import Document as DocumentObject
from docx.enum.section import WD_ORIENT
from docx.enum.text import WD_ALIGN_PARAGRAPH
from docx.oxml import OxmlElement
from docx.shared import Cm, Pt
from docx.table import Table

from jobs.risk.page_data import Published
from jobs.risk.paper_tables import PaperTable, paper_tables
from schemas.cohort import Cohort

NOT_FOR_CARE = "Research only, not for clinical use."
SYNTHETIC = "The scores are of a model trained on synthetic, drawn faces: of real people they mean nothing."
NOBODYS_RISK = (
    "A hazard ratio compares groups of this cohort. It is nobody's personal risk, and no cause follows from it."
)

A4_LANDSCAPE = (Cm(29.7), Cm(21.0))
MARGIN, SIZE_OF_TABLES = Cm(2), Pt(8)
STYLE = "Light Shading"
LEFT_ALIGNED = 2
"""Columns of words; the others hold numbers, which stand to the right."""

FIRST_DAY_OF_ZIP = (1980, 1, 1, 0, 0, 0)


def as_docx(published: Published, cohort: Cohort, small_cell: int) -> bytes:
    """Title, what the numbers are not for, every main table with its caption and note, and what they are of.

    The same analysis gives the same bytes.
    """
    document = Document()
    _landscape(document)
    document.core_properties.title = cohort.declared.title
    document.core_properties.author = ""
    document.core_properties.comments = ""
    document.add_heading(cohort.declared.title, level=1)
    told = [NOT_FOR_CARE, *([SYNTHETIC] if published.is_synthetic else []), NOBODYS_RISK]
    document.add_paragraph().add_run(" ".join(told)).bold = True
    endpoint = cohort.declared.endpoint
    document.add_paragraph(f"Endpoint: {endpoint.name}, counted from the {endpoint.origin}.")
    for number, table in enumerate(paper_tables(published, cohort, small_cell=small_cell), start=1):
        _add(document, table, number)
    first = published.models[0]
    document.add_paragraph(
        f"Analysis {published.analysis_id} of the cohort {cohort.declared.cohort}, {first['fitted_on']:%-d %B %Y}."
        + (f" Scores of {first['model_id']}." if first["model_id"] else "")
    )
    written = io.BytesIO()
    document.save(written)
    return _undated(written.getvalue())


def _landscape(document: DocumentObject) -> None:
    section = document.sections[0]
    section.orientation = WD_ORIENT.LANDSCAPE
    section.page_width, section.page_height = A4_LANDSCAPE
    section.left_margin = section.right_margin = section.top_margin = section.bottom_margin = MARGIN


def _add(document: DocumentObject, content: PaperTable, number: int) -> None:
    caption = document.add_paragraph(f"Table {number}. {content.caption}", style="Caption")
    caption.paragraph_format.keep_with_next = True
    table = document.add_table(rows=1 + len(content.rows), cols=len(content.head), style=STYLE)
    # Cells are fetched a row at a time: python-docx walks the whole table for a single one.
    for row, words in zip(table.rows, (content.head, *content.rows), strict=True):
        for column, (cell, word) in enumerate(zip(row.cells, words, strict=True)):
            paragraph = cell.paragraphs[0]
            paragraph.add_run(word).font.size = SIZE_OF_TABLES
            if column >= LEFT_ALIGNED:
                paragraph.alignment = WD_ALIGN_PARAGRAPH.RIGHT
    _repeat_head(table)
    document.add_paragraph().add_run(content.note).font.size = SIZE_OF_TABLES


def _repeat_head(table: Table) -> None:
    """On every page the table runs over."""
    properties = table.rows[0]._tr.get_or_add_trPr()
    properties.append(OxmlElement("w:tblHeader"))


def _undated(package: bytes) -> bytes:
    """The same package without the time at which its parts were packed."""
    written = io.BytesIO()
    with (
        zipfile.ZipFile(io.BytesIO(package)) as source,
        zipfile.ZipFile(written, "w", zipfile.ZIP_DEFLATED) as target,
    ):
        for name in source.namelist():
            target.writestr(zipfile.ZipInfo(name, FIRST_DAY_OF_ZIP), source.read(name), zipfile.ZIP_DEFLATED)
    return written.getvalue()
