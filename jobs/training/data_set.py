"""Build a data set: photos through decoding, detection and alignment on Spark, once, into Parquet that training reads.

A data set's id is the fingerprint of what decides it (`jobs.training.listing.data_set_id`), known before any photo is
decoded: the same content with the same labels is never built twice. It is written beside its final place and renamed
when complete; what a killed build left behind is removed by the next one, which holds the lock.
"""

from __future__ import annotations

import json
import logging
import shutil
from collections import defaultdict
from collections.abc import Sequence
from datetime import date
from pathlib import Path
from typing import Any

from sqlalchemy import Engine

from jobs.runs import code_version, recorded_run
from jobs.settings import Settings
from jobs.spark import LazySpark
from jobs.training.assembly import outcomes, write_in_order, write_labels
from jobs.training.crop_files import CROPS, DESCRIPTION, LABELS, ROWS_A_FILE, CropDataSet, open_data_set
from jobs.training.crop_worker import CROP_SCHEMA, TRANSIENT, CropWorker
from jobs.training.errors import TrainingDataRefused
from jobs.training.folder_photos import folder_listing
from jobs.training.ledger import is_recorded, record_data_set
from jobs.training.listing import LabelledPhoto, Listing, data_set_id
from jobs.training.splits import SPLIT_NAMES, SplitRecipe
from jobs.training.warehouse_photos import warehouse_listing
from model.preprocessing import PREPROCESSING_ID

log = logging.getLogger("fahr.dataset")


def build_data_set(
    *,
    settings: Settings,
    engine: Engine,
    spark: LazySpark,
    night: date,
    name: str | None = None,
    recipe: SplitRecipe | None = None,
    folder: Path | None = None,
    labels: Path | None = None,
    synthetic: bool = False,
) -> CropDataSet:
    """Build the data set of the warehouse's accepted photos as known on `night`, or of a folder of photos.

    Args:
        settings: of this process.
        engine: warehouse, as fahr_loader.
        spark: used only where there is something to build.
        night: photos, labels and follow-up up to the end of this day are used; of a folder, the day on record.
        name: what people call it; no part of its id.
        recipe: how people are dealt to splits and folds.
        folder: a folder of photos, with `labels`, a CSV of path, age, sex, subject (see docs/training-data.md).
        synthetic: the folder's photos are drawn or its people made up. Of the warehouse it is known.

    Returns:
        The data set, complete on disk and recorded in the warehouse.

    Raises:
        TrainingDataRefused: the label file is wrong as a whole, no photo can be used, or photos failed for a cause
            outside them.
        SettingsError: tables that labels come from are missing.
        LockHeld: another data set is being built.
    """
    recipe = recipe or SplitRecipe()
    with recorded_run(engine, stage="dataset", logical_date=night, lock="dataset") as run:
        _remove_leftovers(training_folder(settings))
        if folder is not None and labels is not None:
            listing = folder_listing(
                folder, labels, recipe=recipe, is_synthetic=synthetic, limit_bytes=settings.max_photo_bytes
            )
        else:
            listing = warehouse_listing(engine, landing=settings.landing, night=night, recipe=recipe)
        if not listing.photos:
            raise _nothing_left(listing)
        identity = data_set_id(listing.photos, recipe)
        final = training_folder(settings) / identity
        if not (final / DESCRIPTION).is_file():
            _build(listing, recipe, final, identity=identity, settings=settings, spark=spark, night=night, name=name)
        data_set = open_data_set(final)
        if is_recorded(engine, identity):
            run.nothing_to_do()
            return data_set
        run.counts = counts(data_set)
        with run.publish() as connection:
            record_data_set(connection, data_set, run_id=run.run_id, night=night)
    return data_set


def training_folder(settings: Settings) -> Path:
    """Where data sets lie, each in a folder named by its id."""
    return settings.home / "training"


def counts(data_set: CropDataSet) -> dict[str, int]:
    """What a data set holds, and how many photos were left out for each reason."""
    description = data_set.description
    told = {"photos": description["photos"], "people": description["people"], "deaths": description["deaths"]}
    return told | description["photos_by_split"] | description["refused"]


def _remove_leftovers(training: Path) -> None:
    for path in training.glob("_building-*"):
        shutil.rmtree(path)


def _build(listing: Listing, recipe: SplitRecipe, final: Path, **options: Any) -> None:
    """Build beside the final place and rename; what fails is removed, for it holds faces."""
    building = final.parent / f"_building-{final.name}"
    building.mkdir(mode=0o700, parents=True)
    try:
        _write(listing, recipe, building, **options)
    except Exception:
        shutil.rmtree(building)
        raise
    building.rename(final)


def _write(
    listing: Listing,
    recipe: SplitRecipe,
    building: Path,
    *,
    identity: str,
    settings: Settings,
    spark: LazySpark,
    night: date,
    name: str | None,
) -> None:
    """Crop on Spark into a draft, put it in order, and describe it."""
    draft = building / "draft"
    _crop(listing, draft, settings=settings, spark=spark)
    found = outcomes(draft, listing.photos)
    listing.refused.counts.update(row["reason"] for row in found.values() if row["reason"] is not None)
    if failed := sum(row["reason"] in TRANSIENT for row in found.values()):
        raise TrainingDataRefused(
            f"{failed} photos failed for a cause outside them, or changed while they were read; nothing was built.",
            next_step="Build it again. If it stays, give the workers more memory: docs/operations.md.",
        )
    kept = {key: row for key, row in found.items() if row["reason"] is None}
    if not kept:
        raise _nothing_left(listing)
    photos = sorted(
        (photo for photo in listing.photos if photo.key in kept),
        key=lambda photo: (photo.split, photo.fold, photo.content_sha256),
    )
    files = write_in_order(draft, building / CROPS, [photo.content_sha256 for photo in photos])
    write_labels(photos, kept, building / LABELS)
    description = _describe(photos, listing, recipe, files) | {
        "data_set_id": identity,
        "name": name,
        "built_on": night.isoformat(),
    }
    shutil.rmtree(draft)
    (building / DESCRIPTION).write_text(json.dumps(description, indent=2) + "\n")


def _nothing_left(listing: Listing) -> TrainingDataRefused:
    why = listing.refused.told() or "there are none"
    return TrainingDataRefused(
        f"No photo can be used: {why}.", next_step="See docs/training-data.md on what each reason means."
    )


def _crop(listing: Listing, draft: Path, *, settings: Settings, spark: LazySpark) -> None:
    """Spark: bytes where they lie -> crops, gathered by shard. Only crops travel between workers, never photos."""
    from pyspark.sql.pandas.types import from_arrow_schema

    shards = _shards(listing.photos)
    frame = listing.frame(spark.session, list(shards.items()))
    worker = CropWorker(device=settings.score_device, batch_size=settings.score_batch_size, read=listing.read)
    partitions = min(len(set(shards.values())), 200)
    crops = frame.mapInArrow(worker, from_arrow_schema(CROP_SCHEMA))
    crops.repartition(partitions, "shard").sortWithinPartitions("shard").write.options(
        # Parquet otherwise looks at the size of what it holds after a hundred rows.
        **{"parquet.enable.dictionary": "false", "parquet.block.size.row.check.max": "64"}
    ).partitionBy("shard").parquet(str(draft))


def _shards(photos: Sequence[LabelledPhoto]) -> dict[int, int]:
    """Key of each photo to the number of the file it will lie in, in the order of split, fold and content."""
    groups: dict[tuple[int, int], list[LabelledPhoto]] = defaultdict(list)
    for photo in photos:
        groups[photo.split, photo.fold].append(photo)
    shards: dict[int, int] = {}
    number = 0
    for group in sorted(groups):
        ordered = sorted(groups[group], key=lambda photo: photo.content_sha256)
        for start in range(0, len(ordered), ROWS_A_FILE):
            shards |= {photo.key: number for photo in ordered[start : start + ROWS_A_FILE]}
            number += 1
    return shards


def _describe(
    photos: Sequence[LabelledPhoto], listing: Listing, recipe: SplitRecipe, files: list[dict[str, Any]]
) -> dict[str, Any]:
    """What stands in data_set.json, but its id and name."""
    died = {photo.subject for photo in photos if photo.died}
    return {
        "source": listing.source,
        "is_synthetic": listing.is_synthetic,
        "preprocessing_id": PREPROCESSING_ID,
        "photos": len(photos),
        "people": len({photo.subject for photo in photos}),
        "deaths": len(died),
        "photos_by_split": {
            name: sum(photo.split == number for photo in photos) for number, name in enumerate(SPLIT_NAMES)
        },
        "refused": dict(sorted(listing.refused.counts.items())),
        "split_seed": recipe.seed,
        "validation_share": recipe.validation_share,
        "test_share": recipe.test_share,
        "folds": recipe.folds,
        "code_version": code_version(),
        "files": files,
    }
