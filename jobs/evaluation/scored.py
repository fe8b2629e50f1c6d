"""Scores beside labels, wherever they come from: what the evaluations of age and survival take."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass, field

import pandas as pd

from jobs.evaluation.findings import EvaluatedModel, Finding
from jobs.risk.people import fingerprint
from model.survival.design import Covariate

QUICK_PEOPLE = 300
"""People in a quick evaluation, chosen by a hash."""

YOUNGEST_YEARS, OLDEST_YEARS = 0.0, 120.0
"""An age outside is a mistake in the record."""


@dataclass(frozen=True)
class ScoredFaces:
    """Photos of people whom the model was not trained on, with its scores and what is known of them."""

    model: EvaluatedModel
    data: str
    """What they are, in words; no path, no person."""
    is_synthetic: bool
    photos: pd.DataFrame
    """One row a photo: `person`, `session` (whole numbers), `age_years` (NaN where unknown), `face_age_years`; optional
    `sex`, `skin_tone`, `photo_source` (words or None)."""
    people: pd.DataFrame
    """One row a person whose survival is known: `person`, `followup_years`, `event`, the columns of the scores and of
    `clinical`, none missing; optional `age_years`, `sex`, `site`, `stage`, `true_log_risk`."""
    clinical: tuple[Covariate, ...] = ()
    """What is known of a person without a photo."""
    left_out: Mapping[str, int] = field(default_factory=dict)
    """Photos, or people of the cohort, that are not evaluated, by reason."""
    remarks: tuple[str, ...] = ()

    @property
    def sha256(self) -> str:
        """Fingerprint of every number above."""
        return hashlib.sha256((fingerprint(self.photos) + fingerprint(self.people)).encode()).hexdigest()

    def left_out_findings(self) -> list[Finding]:
        """A count a reason, as findings: small counts are then kept from researchers like any other."""
        return [
            Finding("not_evaluated", float(count), "left_out", reason, photos=count)
            for reason, count in sorted(self.left_out.items())
            if count
        ]


def chosen_people(persons: pd.Series, most: int) -> set[int]:
    """At most `most` of the persons, by a hash of the number: the same ones each time."""
    distinct = sorted(set(persons), key=lambda person: hashlib.sha256(str(person).encode()).digest())
    return {int(person) for person in distinct[:most]}
