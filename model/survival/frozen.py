"""A fitted Cox model as plain data, to be applied elsewhere as it is: nothing of it is learnt anew.

The baseline is kept at the declared horizons only: event times and their steps are persons' dates, and stay at home.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
import pandas as pd

from model.survival.censoring import Floats
from model.survival.cox import CoxFit
from model.survival.design import Covariate, Design
from model.survival.encoding import Learnt
from model.survival.errors import FitRefused
from model.survival.strata import Strata

FORMAT = "frozen Cox model, version 1"


@dataclass(frozen=True)
class FrozenModel:
    """What predicts: design, coefficients, and the cumulative baseline hazard at some horizons.

    Attributes:
        design: with the scales, cut points, knots and levels learnt from the persons of the fit.
        beta, centre: log hazard ratios, and the means log-risks are relative to, (terms,).
        strata: whose baseline is whose.
        horizons_years: ascending, (horizons,).
        hazard: cumulative baseline hazard (Breslow), (strata, horizons).
        persons, events: of the fit.
    """

    design: Design
    beta: Floats
    centre: Floats
    strata: Strata
    horizons_years: tuple[float, ...]
    hazard: Floats
    persons: int
    events: int

    def log_risk(self, frame: pd.DataFrame) -> Floats:
        """Linear predictor of each person, centred on the persons of the fit; (persons,).

        Raises:
            FitRefused: a person has a level the fit has not.
        """
        return self.design.log_risk(frame, self.centre, self.beta)

    def survival(self, frame: pd.DataFrame, horizon_years: float) -> Floats:
        """Probability of each person to be free of the event at one of the horizons; (persons,).

        Raises:
            FitRefused: it is none of the model's horizons, or a person has a level or stratum the fit has not.
        """
        if horizon_years not in self.horizons_years:
            known = ", ".join(f"{horizon:g}" for horizon in self.horizons_years)
            raise FitRefused(f"the frozen model predicts for {known} years, not for {horizon_years:g}")
        hazard = self.hazard[self.strata.numbers(frame), self.horizons_years.index(horizon_years)]
        return np.asarray(np.exp(-hazard * np.exp(self.log_risk(frame))))

    def to_json(self) -> str:
        """The model as text; the same model gives the same text."""
        return json.dumps(
            {
                "format": FORMAT,
                "learnt": [asdict(learnt) for learnt in self.design.learnt],
                "interactions": self.design.interactions,
                "terms": [term.name for term in self.design.terms],
                "log_hazard_ratios": self.beta.tolist(),
                "centre": self.centre.tolist(),
                "strata": asdict(self.strata),
                "horizons_years": self.horizons_years,
                "cumulative_baseline_hazard": self.hazard.tolist(),
                "persons": self.persons,
                "events": self.events,
            },
            indent=2,
            allow_nan=False,
        )

    @classmethod
    def from_json(cls, text: str) -> FrozenModel:
        """The model again, to the bit.

        Raises:
            FitRefused: the text is no frozen model, or its parts do not fit each other.
        """
        try:
            plain = json.loads(text)
            if plain["format"] != FORMAT:
                raise FitRefused(f"not a {FORMAT}")
            design = Design.of_learnt(
                tuple(_learnt(each) for each in plain["learnt"]),
                tuple((str(one), str(other)) for one, other in plain["interactions"]),
            )
            model = cls(
                design=design,
                beta=np.array(plain["log_hazard_ratios"], dtype=float),
                centre=np.array(plain["centre"], dtype=float),
                strata=Strata(
                    tuple(plain["strata"]["columns"]), tuple(tuple(each) for each in plain["strata"]["values"])
                ),
                horizons_years=tuple(float(horizon) for horizon in plain["horizons_years"]),
                hazard=np.array(plain["cumulative_baseline_hazard"], dtype=float),
                persons=int(plain["persons"]),
                events=int(plain["events"]),
            )
            terms = [term.name for term in design.terms]
        except (KeyError, TypeError, ValueError, AttributeError) as error:
            raise FitRefused(f"not a {FORMAT}: {type(error).__name__}") from None
        shapes = (model.beta.shape, model.centre.shape, model.hazard.shape)
        expected = ((len(terms),), (len(terms),), (len(model.strata.values), len(model.horizons_years)))
        if terms != plain["terms"] or shapes != expected:
            raise FitRefused(f"not a {FORMAT}: its parts do not fit each other")
        return model


def freeze(fit: CoxFit, horizons_years: Sequence[float]) -> FrozenModel:
    """A fitted model as plain data.

    Raises:
        FitRefused: nobody (of a stratum) was followed to a horizon.
    """
    for baseline in fit.baselines:
        if max(horizons_years) > baseline.longest_followup:
            raise FitRefused(f"nobody was followed for {max(horizons_years):g} years")
    return FrozenModel(
        design=fit.design,
        beta=fit.beta,
        centre=fit.centre,
        strata=Strata(fit.strata, tuple(baseline.stratum for baseline in fit.baselines)),
        horizons_years=tuple(float(horizon) for horizon in horizons_years),
        hazard=np.array(
            [[baseline.cumulative_hazard(horizon) for horizon in horizons_years] for baseline in fit.baselines]
        ),
        persons=fit.persons,
        events=fit.events,
    )


def _learnt(plain: dict[str, Any]) -> Learnt:
    declared: dict[str, Any] = dict(plain["covariate"])
    declared |= {name: tuple(value) for name, value in declared.items() if isinstance(value, list)}
    return Learnt(
        covariate=Covariate(**declared),
        scale=float(plain["scale"]),
        cuts=tuple(plain["cuts"]),
        levels=tuple(plain["levels"]),
        knots=tuple(plain["knots"]),
    )
