"""Covariates that are not known of everybody: how many lack what, and their gaps filled where that is declared."""

from __future__ import annotations

import pandas as pd

from jobs.errors import SettingsError
from jobs.risk.findings import MissingColumn
from model.errors import NotComputable
from model.survival.imputation import Imputed, impute
from schemas.cohort import Cohort

CENSORED = "censored"
"""Stands for no event, where events compete and their kind helps to fill gaps."""


def missing_columns(followed: pd.DataFrame, cohort: Cohort) -> list[MissingColumn]:
    """How many of those followed lack each covariate, and what becomes of them.

    Args:
        followed: the persons before any is left out for a covariate.
        cohort: what was declared.
    """
    found = []
    for column in cohort.covariate_columns:
        missing = int(followed[column].isna().sum())
        filled = "imputed" if column in cohort.imputed_columns else "left_out"
        label = next(
            covariate.label
            for name, covariate in cohort.declared.covariates.items()
            if cohort.column_of(name) == column
        )
        found.append(MissingColumn(column, label, len(followed), missing, filled if missing else "complete"))
    return found


def completed(members: pd.DataFrame, cohort: Cohort) -> tuple[pd.DataFrame, ...]:
    """The members with every gap filled, as often as declared; none where there is nothing to fill.

    Raises:
        SettingsError: a covariate is known of too few persons to be filled.
    """
    if not members[list(cohort.imputed_columns)].isna().any(axis=None):
        return ()
    try:
        return filled(members, cohort, knows_outcome=True)
    except NotComputable as reason:
        raise SettingsError(
            f"The gaps of {cohort.declared.cohort} cannot be filled: {reason}.",
            next_step=f"Name the covariates to be filled in missing.only of {cohort.yaml_file}, or leave missing out.",
        ) from None


def filled(members: pd.DataFrame, cohort: Cohort, *, knows_outcome: bool) -> tuple[pd.DataFrame, ...]:
    """`completed`, also where nothing is missing of these members.

    Args:
        members: some of them.
        cohort: what was declared.
        knows_outcome: whether survival helps to fill the gaps. It has to where a model is fitted, and must not where
            somebody's survival is predicted.

    Raises:
        NotComputable: a covariate is known of too few persons to be filled.
    """
    declared = cohort.declared
    predictors: tuple[Imputed, ...] = ()
    frame = members
    if declared.competing is not None and knows_outcome:
        column = declared.competing.column
        frame = members.assign(**{column: members[column].fillna(CENSORED)})
        predictors = (Imputed(column, "level"),)
    frames = impute(
        frame,
        _columns(cohort),
        repeats=declared.missing.impute,
        seed=declared.missing.seed,
        predictors=predictors,
        entry=declared.entry,
        knows_outcome=knows_outcome,
    )
    columns = list(cohort.imputed_columns)
    return tuple(members.assign(**{column: one[column] for column in columns}) for one in frames)


def _columns(cohort: Cohort) -> tuple[Imputed, ...]:
    """Every column of the models, as a number or as levels."""
    levels = {
        cohort.column_of(name)
        for name, covariate in cohort.declared.covariates.items()
        if covariate.type == "categorical"
    }
    return tuple(Imputed(column, "level" if column in levels else "number") for column in cohort.covariate_columns)
