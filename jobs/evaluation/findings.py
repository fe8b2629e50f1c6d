"""What every evaluation hands on: numbers, pictures, and what they are about."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Literal

EvaluationKind = Literal["age", "survival", "robustness", "saliency"]

WHOLE = "all"
"""Group and level of a number about everything that was evaluated."""


@dataclass(frozen=True, slots=True)
class Finding:
    """One number: a row of `fahr.evaluation_metric_v1`."""

    metric: str
    """What was measured, unit last: face_age_mae_years, c_index, face_age_change_years."""
    estimate: float | None
    """None where it cannot be computed; `note` then says why. Never NaN."""
    group_name: str = WHOLE
    level: str = WHOLE
    photos: int | None = None
    people: int | None = None
    events: int | None = None
    lower_95: float | None = None
    upper_95: float | None = None
    note: str | None = None


@dataclass(frozen=True, slots=True)
class Figure:
    """One plot or picture of the evaluation's page."""

    title: str
    caption: str
    """What is seen and how it was made, for somebody who has only this page."""
    png: bytes


@dataclass(frozen=True, slots=True)
class Evaluation:
    """One evaluation, ready to be published to the warehouse, CSV and a page."""

    kind: EvaluationKind
    data: str
    """What it was evaluated on, in words; no path, no person."""
    data_sha256: str
    """Fingerprint of the photos and labels evaluated."""
    is_synthetic: bool
    photos: int
    people: int
    findings: tuple[Finding, ...]
    figures: tuple[Figure, ...] = ()
    remarks: tuple[str, ...] = field(default=())
    """Sentences for the page: weaknesses found, what was left out and why."""
