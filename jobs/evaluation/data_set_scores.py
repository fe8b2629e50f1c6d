"""The test split of a data set, scored by a release's networks directly: what a model is judged by before promotion."""

from __future__ import annotations

import numpy as np
import pandas as pd

from jobs.errors import ModelRefused
from jobs.evaluation.errors import NothingToEvaluate
from jobs.evaluation.scored import ScoredFaces, chosen_people
from jobs.training.crop_files import CropDataSet
from model.release import ModelRelease
from model.survival.design import Covariate
from model.training.face_set import TEST
from model.training.people import DAYS_PER_YEAR
from model.training.predict import predict_rows

SEXES = {"F": "female", "M": "male"}
AGE = Covariate("age", "age_years", "continuous", per=10.0, unit="years")
SEX = Covariate("sex", "sex", "categorical", levels=tuple(SEXES.values()), reference="female")


def score_test_split(data_set: CropDataSet, *, release: ModelRelease, most_people: int | None = None) -> ScoredFaces:
    """Score the faces that no training of this data set reads. One photo is one session: their days are not in it.

    Args:
        data_set: its test split is used.
        release: any, promoted or not; it must not have been trained on these people by another data set.
        most_people: evaluate no more than these, chosen by a hash.

    Raises:
        ModelRefused: the release has no FaceAge network.
        NothingToEvaluate: the test split is empty.
    """
    if "age" not in release.networks:
        raise ModelRefused(
            f"The model {release.model_id} has no FaceAge network.", next_step="Evaluate a release that has one."
        )
    labels = data_set.labels
    rows = np.flatnonzero(labels.split == TEST).astype(np.int64)
    if most_people is not None:
        rows = rows[np.isin(labels.subject[rows], sorted(chosen_people(pd.Series(labels.subject[rows]), most_people)))]
    if len(rows) == 0:
        raise NothingToEvaluate(
            f"The data set {data_set.data_set_id} has no photo in its test split.", next_step="Build a larger one."
        )
    photos = pd.DataFrame(
        {
            "person": labels.subject[rows],
            "session": rows,
            "age_years": labels.age_years[rows].astype(float),
            "face_age_years": predict_rows(release.network("age"), data_set.pixels, rows),
            "sex": [SEXES.get(sex) for sex in data_set.table["sex"].take(rows).to_pylist()],
        }
    )
    scores = ["face_age_years"]
    if "survival" in release.networks:
        photos["face_survival_log_risk"] = predict_rows(release.network("survival"), data_set.pixels, rows)
        scores.append("face_survival_log_risk")
    return ScoredFaces(
        model=release,
        data=f"The test split of data set {data_set.data_set_id}, which no training of it reads.",
        is_synthetic=bool(data_set.description["is_synthetic"]),
        photos=photos,
        people=_people(photos, rows, data_set, scores),
        clinical=(AGE, SEX),
        remarks=("A person's survival is counted from the earliest photo of theirs.",),
    )


def _people(photos: pd.DataFrame, rows: np.ndarray, data_set: CropDataSet, scores: list[str]) -> pd.DataFrame:
    """One row a person with known age, sex and follow-up: of the earliest photo, which has the longest follow-up."""
    labels = data_set.labels
    frame = photos.assign(followup_years=labels.followup_days[rows] / DAYS_PER_YEAR, event=labels.died[rows])
    frame = frame.dropna(subset=["followup_years", "age_years", "sex", *scores])
    earliest = frame.sort_values(["person", "followup_years"], ascending=[True, False]).drop_duplicates("person")
    return earliest[["person", "followup_years", "event", "age_years", "sex", *scores]].reset_index(drop=True)
