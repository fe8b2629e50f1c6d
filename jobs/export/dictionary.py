"""The data dictionary of an export: every file and column, in the words of the warehouse's catalogue."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from jobs.export.views import ExportedView

_INTRODUCTION = """\
# Data dictionary of the export of cohort `{cohort}`

Research use only, not for care. Each file is a view of the warehouse as a researcher sees it: persons under pseudonyms,
dates shifted by a number of days that is the same for all dates of a person, small cells left out, other counts rounded
to five. Intervals between dates of one person are true; calendar dates, and intervals between persons, are not.
{synthetic}
To see that no file was changed: `sha256sum -c SHA256SUMS`.
"""

_SYNTHETIC = """
**Nothing here is about people.** {reason}
"""


def export_dictionary(
    cohort: str, views: Sequence[ExportedView], rows: Mapping[str, int], synthetic: Sequence[str]
) -> str:
    """The dictionary as Markdown.

    Args:
        cohort: name of the cohort.
        views: what was exported.
        rows: rows of each file.
        synthetic: why the numbers say nothing of people; empty where they do.
    """
    notice = _SYNTHETIC.format(reason=" ".join(synthetic)) if synthetic else ""
    parts = [_INTRODUCTION.format(cohort=cohort, synthetic=notice)]
    for view in views:
        parts += [
            f"## `{view.file}`\n",
            f"{view.meaning} {rows[view.file]} rows.\n",
            "| column | type | meaning |",
            "| --- | --- | --- |",
            *(
                f"| `{column.name}` | {field.type} | {column.meaning.replace('|', chr(92) + '|')} |"
                for column, field in zip(view.columns, view.schema, strict=True)
            ),
            "",
        ]
    return "\n".join(parts)
