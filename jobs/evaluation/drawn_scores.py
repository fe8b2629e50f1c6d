"""Drawn faces of people that no training ever uses, scored by the networks directly: here the truth is known."""

from __future__ import annotations

import numpy as np
import pandas as pd

from jobs.errors import ModelRefused
from jobs.evaluation.scored import ScoredFaces
from jobs.settings import Settings
from model.release import ModelRelease
from model.survival.design import Covariate
from model.training.crops import cached_crops
from model.training.people import DAYS_PER_YEAR, UNSEEN_SEEDS, People, simulate_people
from model.training.predict import predict

SEED = 1
"""Of who is drawn and how (ours); the same people each time."""

SEX = Covariate("sex", "sex", "categorical", levels=("female", "male"), reference="female")

SKIN_TONES = ((1 / 3, "light"), (2 / 3, "medium"), (1.0, "dark"))
"""Thirds of the drawing's own scale (ours)."""


def score_drawn(count: int, photos_each: int, *, settings: Settings, release: ModelRelease) -> ScoredFaces:
    """Draw people with identity seeds that neither training nor a manifest's metrics use, and score them.

    Age is held against the biological age that was drawn, survival against the linear predictor it was simulated from.
    Crops are kept under FAHR_HOME/training.

    Raises:
        ModelRefused: the release has no FaceAge network.
    """
    if "age" not in release.networks:
        raise ModelRefused(
            f"The model {release.model_id} has no FaceAge network.", next_step="Evaluate a release that has one."
        )
    people = simulate_people(count, UNSEEN_SEEDS, SEED)
    crops = cached_crops(people, photos_each, SEED, settings.home / "training", caption="drawing unseen people")
    photos = _photos(people, crops.person, predict(release.network("age"), crops.pixels))
    scores = ["face_age_years"]
    if "survival" in release.networks:
        photos["face_survival_log_risk"] = predict(release.network("survival"), crops.pixels)
        scores.append("face_survival_log_risk")
    return ScoredFaces(
        model=release,
        data=f"Drawn faces of {count} people whom no training used, {photos_each} photos each; age is the biological"
        " age that was drawn.",
        is_synthetic=True,
        photos=photos,
        people=_people(people, photos, scores),
        clinical=(SEX,),
        left_out={"not_one_face": count * photos_each - len(photos)},
        remarks=(
            "An error on drawings measures how far the drawing can be read, and says nothing about faces of people.",
        ),
    )


def _photos(people: People, person: np.ndarray, face_age: np.ndarray) -> pd.DataFrame:
    latents = [people.latents[index] for index in person]
    return pd.DataFrame(
        {
            "person": person,
            "session": person,
            "age_years": people.biological_ages[person].astype(float),
            "face_age_years": face_age,
            "sex": [_sex(one.sex) for one in latents],
            "skin_tone": [_skin_tone(one.skin_tone) for one in latents],
        }
    )


def _people(people: People, photos: pd.DataFrame, scores: list[str]) -> pd.DataFrame:
    """One row a person with a photo: median scores, simulated survival, and the truth."""
    frame = photos.groupby("person", as_index=False)[scores].median()
    index = frame["person"].to_numpy()
    return frame.assign(
        followup_years=people.follow_up_days[index] / DAYS_PER_YEAR,
        event=people.died[index],
        age_years=people.biological_ages[index].astype(float),
        sex=[_sex(people.latents[person].sex) for person in index],
        true_log_risk=people.true_log_risks[index],
    )


def _sex(letter: str) -> str:
    return "female" if letter == "F" else "male"


def _skin_tone(tone: float) -> str:
    return next(name for upper, name in SKIN_TONES if tone <= upper)
