"""Whether Cox models of completed data sets may be believed: tests pooled by D1, other numbers by their mean."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace

import numpy as np

from jobs.risk.diagnostics import hazard_tests, not_tested, other_checks
from jobs.risk.findings import Diagnostic
from jobs.risk.models import ModelResult
from jobs.risk.pooled_rows import pooled_by
from model.errors import NotComputable
from model.survival.cox import CoxFit
from model.survival.errors import FitRefused
from model.survival.pooled_tests import Estimate, pooled_estimates


def pooled_diagnostics(of_each: Sequence[Mapping[str, ModelResult]]) -> list[Diagnostic]:
    """The diagnostics of every Cox model that all data sets could fit.

    Args:
        of_each: the models' results on each data set.
    """
    found: list[Diagnostic] = []
    for name in of_each[0]:
        fits = [result.cox for each in of_each if (result := each[name]).cox is not None]
        if len(fits) == len(of_each):
            try:
                found += _hazards(name, fits)
            except (FitRefused, NotComputable) as reason:
                found.append(not_tested(name, str(reason)))
            found += _others(name, fits)
    return found


def _hazards(name: str, fits: Sequence[CoxFit]) -> list[Diagnostic]:
    """A score test is Wald's of a one-step estimate, which is pooled as any other."""
    found = []
    tests = [list(hazard_tests(fit)) for fit in fits]
    if len({tuple((diagnostic, term) for diagnostic, term, _ in of_fit) for of_fit in tests}) > 1:
        raise NotComputable("the imputed data sets do not have the same levels")
    for of_each in zip(*tests, strict=True):
        diagnostic, term, _ = of_each[0]
        test = pooled_estimates([Estimate((term,), one.change, one.covariance) for *_, one in of_each])
        found.append(
            Diagnostic(
                name,
                diagnostic,
                term,
                test.chi_squared,
                test.degrees,
                test.p_value,
                denominator_degrees=test.denominator_degrees,
                note=f"pooled over {len(fits)} completed data sets",
            )
        )
    return found


def _others(name: str, fits: Sequence[CoxFit]) -> list[Diagnostic]:
    rows = [list(other_checks(name, fit)) for fit in fits]
    return pooled_by(lambda row: (row.diagnostic, row.term), rows, _mean)


def _mean(found: Sequence[Diagnostic]) -> Diagnostic:
    values = [row.value for row in found if row.value is not None]
    mean = float(np.mean(values)) if values else None
    return replace(found[0], value=mean, note=f"mean over {len(found)} completed data sets")
