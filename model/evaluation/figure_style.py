"""How figures of age and survival look, and the one kind of panel they share."""

from __future__ import annotations

from collections.abc import Sequence
from io import BytesIO

from matplotlib.axes import Axes
from matplotlib.figure import Figure

from model.evaluation.findings import Finding

ACCENT, QUIET = "#2f6f8f", "#8a8a8a"
QUARTER_COLOURS = ("#3b7ea1", "#5b9a5b", "#c78a1e", "#b5443c")


def as_png(figure: Figure) -> bytes:
    """The figure at 110 dots an inch."""
    buffer = BytesIO()
    figure.savefig(buffer, format="png", dpi=110)
    return buffer.getvalue()


def dots_with_intervals(axes: Axes, findings: Sequence[Finding | None]) -> None:
    """A row a finding, from above: its estimate as a dot, its interval as a line; nothing where there is no number."""
    for row, finding in enumerate(findings):
        if finding is None or finding.estimate is None:
            continue
        if finding.lower_95 is not None and finding.upper_95 is not None:
            axes.plot([finding.lower_95, finding.upper_95], [row, row], color=ACCENT, linewidth=1.4)
        axes.plot([finding.estimate], [row], "o", color=ACCENT, markersize=4)
    axes.set_ylim(len(findings) - 0.5, -0.5)
    axes.grid(axis="x", color="#e3e6ea", linewidth=0.8)
    axes.set_axisbelow(True)
