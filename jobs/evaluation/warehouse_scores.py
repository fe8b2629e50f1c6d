"""Published scores of people the model was not trained on, with labels from the hospital's records."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date

import pandas as pd
from sqlalchemy import Connection, Engine, text

from jobs.errors import ModelRefused
from jobs.evaluation.errors import NothingToEvaluate
from jobs.evaluation.scored import OLDEST_YEARS, YOUNGEST_YEARS, ScoredFaces, chosen_people
from jobs.risk import load_declaration, model_covariates
from jobs.risk.people import check_tables, complete_cases, read_people
from jobs.warehouse.synthetic import is_synthetic
from model.evaluation.survival import SCORES
from model.survival.design import Covariate
from schemas.cohort import LEFT_OUT, Cohort


@dataclass(frozen=True)
class PublishedModel:
    """A model that has scored photos here."""

    model_id: str
    preprocessing_id: str
    weights_sha256: str
    trained_on_synthetic: bool
    is_current: bool


def read_warehouse_scores(
    engine: Engine, *, night: date, model_id: str | None, cohort: str, most_people: int | None = None
) -> ScoredFaces:
    """Scores by networks that had not seen the person (`fahr.face_score_unseen`), and the cohort's survival.

    Age, sex and source belong to photos; survival and covariates to people of the cohort, at their index session.

    Args:
        engine: warehouse, as fahr_loader.
        night: photos, follow-up and covariates up to the end of this day.
        model_id: a model that has scored photos here; None: the current one.
        cohort: name or folder of a cohort.
        most_people: evaluate at most so many people.

    Raises:
        ModelRefused: no model of this name has scored photos here, or none at all.
        NothingToEvaluate: no photo has a score of a network that had not seen the person, and an age.
        SettingsError, UsageError: the cohort is wrong, is not there, or reads tables that are not there.
    """
    declaration = load_declaration(cohort)
    # One snapshot: a night published in between must not give some photos and not their people.
    with engine.connect().execution_options(isolation_level="REPEATABLE READ") as connection:
        model = _model(connection, model_id)
        check_tables(connection, declaration)
        photos, left_out = _photos(connection, model, night)
        people = _people(connection, model, declaration, night)
        is_demo = is_synthetic(connection)
    if photos.empty:
        gone = ", ".join(f"{reason} {count}" for reason, count in left_out.items() if count) or "none was scored"
        raise NothingToEvaluate(
            f"No photo scored by {model.model_id} can be evaluated ({gone}).",
            next_step="Score photos of people the model was not trained on (`fahr nightly`); or --folder, --drawn.",
        )
    people, lost = _complete(people, declaration)
    left_out |= lost
    if most_people is not None:
        kept = chosen_people(photos["person"], most_people)
        photos = photos[photos["person"].isin(kept)].reset_index(drop=True)
        people = people[people["person"].isin(kept)].reset_index(drop=True)
    return ScoredFaces(
        model=model,
        data=f"Published scores of this warehouse, photos up to {night}; survival of the cohort"
        f" {declaration.declared.cohort}.",
        is_synthetic=is_demo,
        photos=photos,
        people=people,
        clinical=clinical_covariates(declaration),
        left_out=left_out,
    )


def clinical_covariates(declaration: Cohort) -> tuple[Covariate, ...]:
    """The covariates of the cohort's models that are no biomarker."""
    modelled = {name for model in declaration.declared.models.values() for name in model.covariates}
    return tuple(
        covariate
        for name, covariate in model_covariates(declaration).items()
        if name in modelled and covariate.column not in SCORES
    )


def _model(connection: Connection, model_id: str | None) -> PublishedModel:
    row = connection.execute(_MODEL, {"model_id": model_id}).first()
    if row is not None:
        return PublishedModel(*row)
    if model_id is None:
        raise ModelRefused(
            "No model has scored photos here yet.",
            next_step="Run `fahr nightly`; or evaluate a release on --folder or --drawn.",
        )
    raise ModelRefused(
        f"No model {model_id} has scored photos here.",
        next_step="SELECT model_id FROM fahr.model_version shows which have.",
    )


def _photos(connection: Connection, model: PublishedModel, night: date) -> tuple[pd.DataFrame, dict[str, int]]:
    """Photos that can be evaluated, and how many cannot, by reason."""
    connection.execute(text("SET LOCAL enable_nestloop = off; SET LOCAL jit = off"))
    result = connection.execute(
        _PHOTOS, {"model_id": model.model_id, "preprocessing_id": model.preprocessing_id, "night": night}
    )
    frame = pd.DataFrame(result.fetchall(), columns=list(result.keys()))
    for column in ("age_years", "face_age_years", "face_survival_log_risk"):
        frame[column] = pd.to_numeric(frame[column]).astype(float)
    counts: dict[str, int] = {}
    for reason, is_lost in (
        ("taught_the_model", lambda rows: rows["withheld"].astype(bool)),
        ("person_unknown", lambda rows: rows["person"].isna()),
        ("age_unknown", lambda rows: rows["age_years"].isna()),
        ("age_impossible", lambda rows: ~rows["age_years"].between(YOUNGEST_YEARS, OLDEST_YEARS)),
    ):
        lost = is_lost(frame)
        counts[reason] = int(lost.sum())
        frame = frame[~lost]
    frame = frame.drop(columns="withheld").reset_index(drop=True)
    frame["person"] = frame["person"].astype("int64")
    frame["session"] = pd.factorize(frame["session"])[0]
    return frame, counts


def _people(connection: Connection, model: PublishedModel, declaration: Cohort, night: date) -> pd.DataFrame:
    """The cohort's people. Another model's scores are taken at the same index; who lacks them is left out later."""
    people = read_people(connection, declaration, night)
    if model.is_current:
        return people
    result = connection.execute(_SESSIONS, {"model_id": model.model_id, "preprocessing_id": model.preprocessing_id})
    sessions = pd.DataFrame(result.fetchall(), columns=list(result.keys()))
    others = [column for column in (*SCORES, LEFT_OUT) if column in people]
    people = people.drop(columns=others).merge(sessions, on=["person_id", "index_date"], how="left")
    for column in SCORES:
        people[column] = pd.to_numeric(people[column]).astype(float)
    return people


def _complete(people: pd.DataFrame, declaration: Cohort) -> tuple[pd.DataFrame, dict[str, int]]:
    """People of whom everything is known, and how many are not, by reason.

    A release without a survival network gives nobody that score: then it is not asked for.
    """
    absent = [column for column in SCORES if people[column].isna().all()]
    kept, counts = complete_cases(people.fillna(dict.fromkeys(absent, 0.0)), declaration)
    kept = kept.drop(columns=absent).rename(columns={"person_id": "person"})
    lost = {
        f"person_{reason}": count
        for reason, count in counts.items()
        if reason not in ("persons", "analysed", "events") and count
    }
    return kept, lost


_MODEL = text(
    """
    SELECT model_id, preprocessing_id, weights_sha256, trained_on_synthetic, is_current
    FROM fahr.model_version
    WHERE CASE WHEN CAST(:model_id AS text) IS NULL THEN is_current ELSE model_id = :model_id END
    ORDER BY is_current DESC, registered_on DESC, preprocessing_id
    LIMIT 1
    """
)

_PHOTOS = text(
    """
    SELECT
        score.content_sha256,
        score.person_id AS person,
        score.session_id AS session,
        score.age_at_photo_years AS age_years,
        score.face_age_years,
        score.face_survival_log_risk,
        sex.member AS sex,
        score.source AS photo_source,
        score.face_age_withheld AS withheld
    FROM fahr.face_score_unseen AS score
    LEFT JOIN cdm.person USING (person_id)
    LEFT JOIN fahr.concept_set AS sex ON sex.concept_set = 'sex' AND sex.concept_id = person.gender_concept_id
    WHERE score.model_id = :model_id AND score.preprocessing_id = :preprocessing_id AND score.captured_on <= :night
        AND (score.face_age_years IS NOT NULL OR score.face_age_withheld)
    ORDER BY score.content_sha256, score.photo_id
    """
)

_SESSIONS = text(
    """
    SELECT person_id, session_on AS index_date, face_age_years, face_survival_log_risk
    FROM fahr.session_score_unseen
    WHERE model_id = :model_id AND preprocessing_id = :preprocessing_id AND person_id IS NOT NULL
    """
)
