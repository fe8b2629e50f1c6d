"""By which columns of a frame a Cox model is fitted, for what refits it: bootstraps, imputed data, other cohorts."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace

import pandas as pd

from model.survival.cox import CoxFit, fit_prepared, prepare
from model.survival.design import Covariate, Interaction
from model.survival.prepared import Prepared
from model.survival.sharing import remembered


@dataclass(frozen=True)
class FitColumns:
    """As `fit_cox` takes them; bootstraps and imputations fit quickly whatever `quick` says."""

    duration: str = "followup_years"
    event: str = "event"
    entry: str | None = None
    strata: tuple[str, ...] = ()
    cluster: str | None = None
    weights: str | None = None
    interactions: tuple[Interaction, ...] = ()
    quick: bool = False

    def needed(self, covariates: tuple[Covariate, ...], *others: str | None) -> list[str]:
        """Every column that a fit of these covariates reads, and others, each once."""
        own = (self.duration, self.event, self.entry, self.cluster, self.weights, *self.strata)
        return list(dict.fromkeys(filter(None, (*own, *(each.column for each in covariates), *others))))

    def fit_once(self, frame: pd.DataFrame, covariates: tuple[Covariate, ...]) -> CoxFit:
        """The same as `fit`, which within `sharing()` is done but once for the same model of the same columns.

        Raises:
            FitRefused: as `fit_cox`.
        """
        columns = tuple(frame[name].to_numpy() for name in self.needed(covariates))
        # Of so many rows as are shared, quick or not is the same.
        asked = ("fit", covariates, replace(self, quick=True))
        return remembered(asked, columns, lambda: self.fit(frame, covariates))

    def fit(
        self, frame: pd.DataFrame, covariates: tuple[Covariate, ...], *, near: Mapping[str, float] | None = None
    ) -> CoxFit:
        """Fit to `frame`; `near` as `fit_cox` takes it.

        Raises:
            FitRefused: as `fit_cox`.
        """
        return fit_prepared(self.prepare(frame, covariates), near=near, quick=self.quick)

    def prepare(self, frame: pd.DataFrame, covariates: tuple[Covariate, ...]) -> Prepared:
        """Make `frame` ready for a fit.

        Raises:
            FitRefused: as `fit_cox`.
        """
        return prepare(
            frame,
            covariates,
            duration=self.duration,
            event=self.event,
            entry=self.entry,
            strata=self.strata,
            cluster=self.cluster,
            weights=self.weights,
            interactions=self.interactions,
        )


FOLLOW_UP = FitColumns()
"""`followup_years` and `event`, and nothing else."""
