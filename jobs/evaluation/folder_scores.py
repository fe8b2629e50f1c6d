"""Photos of a folder with a label file, such as a public photo set, scored as they come."""

from __future__ import annotations

import shutil
import uuid
from collections import Counter
from pathlib import Path

import pandas as pd
import pyarrow as pa
import pyarrow.dataset as ds
from sqlalchemy import Engine, text

from jobs.evaluation.errors import NothingToEvaluate
from jobs.evaluation.progress import spark_progress
from jobs.evaluation.scored import ScoredFaces, chosen_people
from jobs.score import stage_scores
from jobs.settings import Settings
from jobs.spark import LazySpark
from jobs.training.folder_photos import folder_listing
from jobs.training.listing import LabelledPhoto, Listing
from jobs.training.splits import SplitRecipe
from model.evaluation.survival import SCORES
from model.release import ModelRelease
from model.survival.design import Covariate
from model.training.people import DAYS_PER_YEAR

AGE = Covariate("age_years", "age_years", "continuous", per=10, unit="years")
SEX = Covariate("sex", "sex", "categorical", levels=("female", "male"), reference="female")
SEX_WORDS = {"F": "female", "M": "male"}

READ_SCHEMA = "key long, shard int, content_sha256 string, content binary"


def score_folder(
    folder: Path,
    labels: Path,
    *,
    settings: Settings,
    engine: Engine,
    spark: LazySpark,
    release: ModelRelease,
    is_synthetic: bool,
    most_people: int | None = None,
) -> ScoredFaces:
    """Read labels (`jobs.training.label_file`), score the photos on Spark, and count what has no score by reason.

    Photos of one subject at the same age are one session. Who taught the model, by any photo, is left out. Nothing of
    the photos stays: scores are staged under FAHR_HOME and removed.

    Raises:
        TrainingDataRefused: the folder is not there, or the label file is wrong as a whole.
        NothingToEvaluate: no photo with an age got a score.
    """
    listing = folder_listing(
        folder, labels, recipe=SplitRecipe(), is_synthetic=is_synthetic, limit_bytes=settings.max_photo_bytes
    )
    left_out: Counter[str] = Counter(listing.refused.counts)
    photos = _to_score(engine, release, listing, left_out, most_people)
    scores = _scores(photos, listing, settings=settings, spark=spark, release=release) if photos else _no_scores()
    frame = _labelled(photos, scores, left_out)
    if frame.empty:
        told = ", ".join(f"{reason} {count}" for reason, count in sorted(left_out.items())) or "the file has no photos"
        lines = f"; in the label file: {listing.refused.told()}" if listing.refused.counts else ""
        raise NothingToEvaluate(
            f"No photo of the folder can be evaluated ({told}{lines}).",
            next_step="See docs/evaluation.md, Photos of a folder, and correct the label file.",
        )
    people = _followed(frame)
    clinical = _clinical(people)
    return ScoredFaces(
        model=release,
        data=f"Photos of a folder with a label file: {len(photos) + sum(left_out.values())} photos listed.",
        is_synthetic=is_synthetic,
        photos=frame.drop(columns=["followup_days", "died"]),
        people=people[["person", "followup_years", "event", *_present(people), *(c.column for c in clinical)]],
        clinical=clinical,
        left_out=left_out,
    )


def _to_score(
    engine: Engine, release: ModelRelease, listing: Listing, left_out: Counter[str], most_people: int | None
) -> list[LabelledPhoto]:
    """Photos of subjects of whom no photo taught the model."""
    networks = [network.sha256 for network in release.networks.values()]
    with engine.connect() as connection:
        taught = set(connection.execute(_TAUGHT, {"model_id": release.model_id, "networks": networks}).scalars())
    subjects = {photo.subject for photo in listing.photos if photo.content_sha256 in taught}
    unseen = [photo for photo in listing.photos if photo.subject not in subjects]
    left_out["taught_the_model"] += len(listing.photos) - len(unseen)
    if most_people is None:
        return unseen
    kept = chosen_people(pd.Series([photo.subject for photo in unseen], dtype="int64"), most_people)
    left_out["not_in_quick_evaluation"] += sum(photo.subject not in kept for photo in unseen)
    return [photo for photo in unseen if photo.subject in kept]


def _scores(
    photos: list[LabelledPhoto], listing: Listing, *, settings: Settings, spark: LazySpark, release: ModelRelease
) -> pd.DataFrame:
    """One row a content: content_sha256, both scores, reason_code."""
    assert listing.read is not None  # a folder's listing names files
    staged = settings.home / "evaluation" / f"scores-{uuid.uuid4()}"
    staged.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    spark.preload(release.folder)
    frame = listing.frame(spark.session, [(photo.key, 0) for photo in photos])
    contents = frame.mapInArrow(listing.read, READ_SCHEMA).where("content IS NOT NULL")
    try:
        with spark_progress(spark.session, "scoring"):
            stage_scores(
                contents.select("content_sha256", "content"), settings=settings, release=release, folder=staged
            )
        table = ds.dataset(staged, format="parquet").to_table(columns=["content_sha256", *SCORES, "reason_code"])
    finally:
        shutil.rmtree(staged, ignore_errors=True)
    return table.to_pandas()


def _no_scores() -> pd.DataFrame:
    names = ["content_sha256", *SCORES, "reason_code"]
    return pa.table({name: pa.array([], pa.string()) for name in names}).to_pandas()


def _labelled(photos: list[LabelledPhoto], scores: pd.DataFrame, left_out: Counter[str]) -> pd.DataFrame:
    """Photos with a score and an age or a follow-up, beside their labels; the others are counted."""
    frame = pd.DataFrame(
        [
            {
                "content_sha256": photo.content_sha256,
                "person": photo.subject,
                "age_years": photo.age_years,
                "sex": SEX_WORDS.get(photo.sex or ""),
                "skin_tone": photo.skin_tone,
                "followup_days": photo.followup_days,
                "died": photo.died,
            }
            for photo in photos
        ],
        columns=["content_sha256", "person", "age_years", "sex", "skin_tone", "followup_days", "died"],
    ).merge(scores, on="content_sha256", how="left")
    scored = frame["face_age_years"].notna()
    left_out.update(frame.loc[~scored, "reason_code"].fillna("unreadable").tolist())
    frame = frame[scored].drop(columns="reason_code")
    labelled = frame["age_years"].notna() | frame["followup_days"].notna()
    left_out["age_unknown"] += int((~labelled).sum())
    frame = frame[labelled].sort_values("content_sha256", ignore_index=True)
    for column in ("age_years", "followup_days", *SCORES):
        frame[column] = pd.to_numeric(frame[column]).astype(float)
    frame["session"] = frame.groupby(["person", "age_years", "followup_days"], dropna=False).ngroup()
    return frame.drop(columns=_absent(frame))


def _followed(frame: pd.DataFrame) -> pd.DataFrame:
    """One row a subject whose survival is known: at the earliest photos (the longest follow-up), median scores."""
    followed = frame[frame["followup_days"].notna()]
    first = followed[followed["followup_days"] == followed.groupby("person")["followup_days"].transform("max")]
    people = first.groupby("person", as_index=False).agg(
        followup_years=("followup_days", lambda days: days.iloc[0] / DAYS_PER_YEAR),
        event=("died", "max"),
        age_years=("age_years", "min"),
        sex=("sex", "first"),
        **{column: (column, "median") for column in _present(frame)},
    )
    return people.astype({"event": bool})


def _clinical(people: pd.DataFrame) -> tuple[Covariate, ...]:
    """Age and sex, where they are known of everybody followed."""
    return tuple(covariate for covariate in (AGE, SEX) if len(people) and people[covariate.column].notna().all())


def _present(frame: pd.DataFrame) -> list[str]:
    return [column for column in SCORES if column in frame]


def _absent(frame: pd.DataFrame) -> list[str]:
    """Scores of a network that the release lacks."""
    return [column for column in SCORES if frame[column].isna().all()] if len(frame) else []


_TAUGHT = text(
    """
    SELECT photo.content_sha256
    FROM fahr.model_training_v1 AS training
    JOIN fahr.training_photo_v1 AS photo USING (data_set_id, split, fold)
    WHERE training.model_id = :model_id OR training.network_sha256 = ANY(:networks)
    """
)
