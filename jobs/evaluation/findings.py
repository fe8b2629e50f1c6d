"""What every evaluation hands on: numbers, pictures, and what they are about."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Literal, Protocol

from model.evaluation.findings import WHOLE, Finding

__all__ = ["WHOLE", "EvaluatedModel", "Evaluation", "EvaluationKind", "Figure", "Finding"]

EvaluationKind = Literal["age", "survival", "robustness", "saliency"]


class EvaluatedModel(Protocol):
    """What an evaluation must know of the model it is about: a `ModelRelease`, or a model the warehouse knows."""

    @property
    def model_id(self) -> str: ...

    @property
    def preprocessing_id(self) -> str: ...

    @property
    def weights_sha256(self) -> str: ...

    @property
    def trained_on_synthetic(self) -> bool: ...


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
    method: str = ""
    """How, where it changes the numbers: resamplings, seed, steps. Part of the evaluation's id."""
