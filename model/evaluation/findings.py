"""One number of an evaluation: what it is about, its interval, and why it is missing where it is."""

from __future__ import annotations

import math
from dataclasses import dataclass

WHOLE = "all"
"""Group and level of a number about everything that was evaluated."""


@dataclass(frozen=True, slots=True)
class Finding:
    """One number: a row of `fahr.evaluation_metric_v1`."""

    metric: str
    """What was measured, unit last: face_age_mae_years, c_index, face_age_change_years."""
    estimate: float | None
    """None where it cannot be computed; `note` then says why. Never NaN, never infinite."""
    group_name: str = WHOLE
    level: str = WHOLE
    photos: int | None = None
    people: int | None = None
    events: int | None = None
    lower_95: float | None = None
    upper_95: float | None = None
    note: str | None = None

    def __post_init__(self) -> None:
        """Refuse what no reader could interpret. Raises ValueError."""
        for value in (self.estimate, self.lower_95, self.upper_95):
            if value is not None and not math.isfinite(value):
                raise ValueError(f"{self.metric} of {self.group_name} {self.level} is not a finite number")
        if self.estimate is None and not self.note:
            raise ValueError(f"{self.metric} of {self.group_name} {self.level} has neither a number nor a reason")
