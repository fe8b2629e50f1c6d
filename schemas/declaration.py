"""What a `cohort.yaml` may say: its keys, their types and defaults. Contradictions: schemas/contradictions.py."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field, StringConstraints

Name = Annotated[str, StringConstraints(pattern=r"^[a-z][a-z0-9_]*$", max_length=63)]
Table = Annotated[str, StringConstraints(pattern=r"^[a-z_][a-z0-9_]*\.[a-z_][a-z0-9_]*$")]
Words = Annotated[str, StringConstraints(min_length=1)]
Positive = Annotated[float, Field(gt=0)]

Method = Literal["cox", "cause_specific", "fine_gray"]


class _Declared(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class Endpoint(_Declared):
    """The event whose hazard is modelled, where its clock starts, and when survival is predicted and judged."""

    name: Words
    origin: Words
    horizons_years: tuple[Positive, ...] = Field(default=(1.0, 3.0), min_length=1)


class DeclaredCovariate(_Declared):
    """A covariate: which column of the SQL, and how it enters a model."""

    label: Words
    type: Literal["continuous", "categorical", "quartile", "spline", "cut"]
    column: Name | None = None
    transform: Literal["log", "sqrt"] | None = None
    per: Literal["SD"] | Positive | None = None
    unit: str = ""
    levels: tuple[str, ...] = ()
    reference: str | None = None
    knots: Annotated[int, Field(ge=3, le=7)] | None = None
    cuts: tuple[float, ...] = ()

    @property
    def has_levels(self) -> bool:
        """Whether it splits the persons into groups."""
        return self.type in ("categorical", "quartile", "cut")


class Competing(_Declared):
    """Events that end follow-up before the endpoint can happen: a column that names each person's, null if censored."""

    column: Name
    of_interest: Words
    others: tuple[Words, ...] = Field(min_length=1)


class Landmark(_Declared):
    """From when persons count: a time after the origin, the same for all (`years`) or each one's own (`column`).

    Only who is still followed then enters, and follow-up starts there. `measured_until` is the column of when the
    newest measurement behind the covariates was made, in years after the origin: never after the landmark.
    """

    years: Positive | None = None
    column: Name | None = None
    measured_until: Name


class Missing(_Declared):
    """What becomes of persons of whom a covariate is not known: left out (0), or completed `impute` times."""

    impute: int = Field(default=0, ge=0, le=1_000)
    only: tuple[Name, ...] = ()
    seed: int = Field(default=20260301, ge=0)


class DeclaredModel(_Declared):
    """A model: its covariates, in the order of the table, and how they are fitted."""

    description: Words
    covariates: tuple[Name, ...] = Field(min_length=1)
    strata: tuple[Name, ...] = ()
    method: Method = "cox"


class Comparison(_Declared):
    """Two nested models, and what the larger one's covariates add."""

    label: Words
    smaller: Name
    larger: Name


class Subgroups(_Declared):
    """Within which groups the exposures' hazard ratios are told, adjusted for the other covariates of a model."""

    model: Name
    by: tuple[Name, ...] = Field(min_length=1)
    exposures: tuple[Name, ...] = Field(min_length=1)


class Prediction(_Declared):
    """The model behind `fahr.patient_risk`, and how many folds cross-fit it."""

    model: Name
    folds: int = Field(ge=2, le=50)


class DeclaredResampling(_Declared):
    """How bootstrap intervals are made: how many resamples of persons (0: none), and the seed that fixes them."""

    repeats: int = Field(default=200, ge=0, le=10_000)
    seed: int = Field(default=20260301, ge=0)


class CohortFile(_Declared):
    """The content of `cohort.yaml`."""

    cohort: Name
    title: Words
    reads: tuple[Table, ...] = ()
    endpoint: Endpoint
    entry: Name | None = None
    cluster: Name | None = None
    weights: Name | None = None
    landmark: Landmark | None = None
    missing: Missing = Missing()
    competing: Competing | None = None
    exclusions: dict[Name, Words] = Field(default_factory=dict)
    covariates: dict[Name, DeclaredCovariate] = Field(min_length=1)
    models: dict[Name, DeclaredModel] = Field(min_length=1)
    comparisons: dict[Name, Comparison] = Field(default_factory=dict)
    subgroups: Subgroups | None = None
    prediction: Prediction
    curves: tuple[Name, ...] = ()
    adjusted_curves: dict[Name, Name] = Field(default_factory=dict)
    resampling: DeclaredResampling = DeclaredResampling()
