"""Photos with the same bytes: filed twice for one patient, or filed for two.

The same bytes filed under two patients say nothing about either, so every one of them that is not yet accepted is
refused. For one patient, one photo of the same bytes is enough: the one that is accepted already, else the best of the
night, which is one that nothing else speaks against, else the one with the lowest number.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pyspark.sql import DataFrame

KnownPhoto = tuple[int, int, str, bool]
"""A photo judged on an earlier night: photo_id, person_id, content_sha256, whether it was accepted."""

_ACCEPTED, _FIT, _UNFIT = 0, 1, 2


def with_twins(photos: DataFrame, known: Sequence[KnownPhoto]) -> DataFrame:
    """Add to each photo of the night the photos that have the same bytes.

    Args:
        photos: has photo_id, person_id (null: unknown), content_sha256, byte_count, and `fit` (boolean: no rule that
            looks at the photo alone speaks against it).
        known: the photos judged before that have the bytes of one of these.

    Returns:
        `photos` with two more columns: `other_patient_id` (long; a patient other than the photo's of whom a photo has
        the same bytes) and `earlier_photo_id` (long; a photo of the same patient and bytes that comes before it).
    """
    from pyspark.sql import Window
    from pyspark.sql import functions as F

    rank = F.when(F.col("fit"), _FIT).otherwise(_UNFIT)
    tonight = photos.where("byte_count > 0 AND person_id IS NOT NULL").select(
        "photo_id", "person_id", "content_sha256", rank.alias("rank"), F.lit(True).alias("is_new")
    )
    earlier = photos.sparkSession.createDataFrame(
        [(*photo, _ACCEPTED if accepted else _UNFIT, False) for *photo, accepted in known],
        "photo_id long, person_id long, content_sha256 string, rank int, is_new boolean",
    )
    same_bytes = Window.partitionBy("content_sha256")
    same_patient = Window.partitionBy("content_sha256", "person_id")
    first_person, last_person = F.min("person_id").over(same_bytes), F.max("person_id").over(same_bytes)
    worth_scoring = F.when(F.col("rank") < _UNFIT, F.struct("rank", "photo_id"))
    best = F.min(worth_scoring).over(same_patient)["photo_id"]
    twins = (
        tonight.unionByName(earlier)
        .select(
            "photo_id",
            "is_new",
            F.when(first_person != F.col("person_id"), first_person)
            .when(last_person != F.col("person_id"), last_person)
            .alias("other_patient_id"),
            F.when(best != F.col("photo_id"), best).alias("earlier_photo_id"),
        )
        .where("is_new")
        .drop("is_new")
    )
    return photos.join(twins, "photo_id", "left")
