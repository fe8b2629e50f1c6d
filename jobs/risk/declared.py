"""A cohort's declaration as the job and the statistics take it."""

from __future__ import annotations

from jobs.errors import SettingsError, UsageError
from model.survival.design import Covariate
from schemas.cohort import COHORTS, Cohort, DeclarationError, load_cohort


def load_declaration(cohort: str) -> Cohort:
    """A cohort by its name under schemas/cohorts, or by the path of its folder.

    Raises:
        UsageError: there is no such cohort.
        SettingsError: its declaration is wrong; says where.
    """
    known = cohort in {path.name for path in COHORTS.iterdir()}
    try:
        return load_cohort(cohort)
    except DeclarationError as error:
        if known or "/" in cohort:
            raise SettingsError(str(error), next_step="Correct the declaration; see docs/statistics.md.") from None
        raise UsageError(str(error), next_step="Name one of them, or the folder of your own.") from None


def model_covariates(declaration: Cohort) -> dict[str, Covariate]:
    """The declared covariates as the statistics take them, by name."""
    found = {}
    for name, covariate in declaration.declared.covariates.items():
        options = {"knots": covariate.knots} if covariate.knots is not None else {}
        scale, points = declaration.fixed.get(name, (None, ()))
        found[name] = Covariate(
            name=name,
            column=declaration.column_of(name),
            kind=covariate.type,
            per=_per(covariate.type, covariate.per),
            unit=covariate.unit,
            levels=covariate.levels,
            reference=covariate.reference,
            cuts=covariate.cuts,
            transform=covariate.transform,
            scale=scale,
            points=points,
            **options,
        )
    return found


def _per(kind: str, per: str | float | None) -> float | None:
    """How much one unit is: None is one standard deviation, which only continuous covariates may be told in."""
    if kind == "continuous":
        return per if isinstance(per, float) else None
    return 1.0
