"""What a landed photo must be to go to scoring, and what a night's landing must be to be trusted.

The order of the row rules is the order in which a photo's reason is looked for: what the file is, then how it is coded,
then its size, then whose it is and when it was taken, then whether its bytes are known already.

The rules judge the landed columns, without `content`, and the columns that validate adds:

- `known_person_id`: the photo's person if the warehouse has such a person; `birth_date`: their earliest possible birth;
- `night`: the logical date;
- `other_patient_id`: another patient of whom a photo has the same bytes; `earlier_photo_id`: a photo of the same
  patient and the same bytes that comes before this one (both by `jobs.twins`);
- `accepted`: whether the photo breaks none of the row rules.
"""

from __future__ import annotations

from schemas.landing import LANDING_SCHEMA
from schemas.rules import (
    Aggregate,
    Between,
    Columns,
    InSet,
    NotNull,
    Predicate,
    RowCount,
    Rule,
    Suite,
    Unique,
    sql_list,
)

SHORTEST_SIDE_PX = 160
"""The rule of the model's predecessor: smaller sources are not scored."""

MOST_PIXELS = 100_000_000
"""Ours: a photo of more pixels is not decoded, whatever it is."""

FEWEST_FOR_SHARE = 20
"""Ours: a night of fewer photos is never stopped for the share that is accepted; three bad photos are no trend."""

FORMATS = ("jpeg", "png", "tiff", "bmp", "dicom")
"""Formats that are decoded here."""

PHOTO_SOP_CLASSES = {
    "1.2.840.10008.5.1.4.1.1.77.1.4": "VL Photographic Image Storage",
    "1.2.840.10008.5.1.4.1.1.7": "Secondary Capture Image Storage",
    "1.2.840.10008.5.1.4.1.1.7.2": "Multi-frame Grayscale Byte Secondary Capture Image Storage",
    "1.2.840.10008.5.1.4.1.1.7.3": "Multi-frame Grayscale Word Secondary Capture Image Storage",
    "1.2.840.10008.5.1.4.1.1.7.4": "Multi-frame True Color Secondary Capture Image Storage",
}
"""DICOM classes that can hold a photograph of a face (PS3.4 B.5); of the multi-frame ones, objects of one frame."""

HEADER_PROBLEMS = (
    "empty_file",
    "not_an_image",
    "unsupported_format",
    "truncated_header",
    "dicom_without_pixel_data",
    "multi_frame",
    "too_many_pixels",
    "source_too_small",
)
"""What reading a header may stumble over: each has a rule that gives it as the reason."""

_SPARK_TYPES = {
    "int64": "LongType",
    "int32": "IntegerType",
    "int16": "ShortType",
    "string": "StringType",
    "bool": "BooleanType",
    "large_binary": "BinaryType",
    "timestamp[us]": "TimestampNTZType",
}

LANDING_SHAPE = Suite(
    "landing_shape",
    (
        Rule(
            "expected_columns",
            Columns(tuple((field.name, _SPARK_TYPES[str(field.type)]) for field in LANDING_SCHEMA)),
            "The landing zone has the columns and types it was made with.",
        ),
    ),
    key="photo_id",
)
"""Judged first, on metadata alone: on another shape the other rules would mean nothing."""


def _no(problem: str, otherwise: str = "true") -> Predicate:
    """Reading the header did not stumble over `problem`, and `otherwise` holds."""
    return Predicate(f"coalesce(header_problem, '') <> '{problem}' AND ({otherwise})")


def _set_aside(name: str, condition: NotNull | Between | InSet | Predicate, meaning: str) -> Rule:
    """A row rule that is called like the reason it gives."""
    return Rule(name, condition, meaning, severity="warning", reason_code=name)


_UNTWINNED_RULES = (
    _set_aside("empty_file", _no("empty_file", "byte_count > 0"), "The file holds bytes."),
    _set_aside("not_an_image", _no("not_an_image"), "The bytes are those of an image."),
    _set_aside(
        "unsupported_format",
        _no("unsupported_format", f"header_problem IS NOT NULL OR image_format IN ({sql_list(FORMATS)})"),
        "A header that was read names a format that is decoded here.",
    ),
    _set_aside(
        "truncated_header",
        _no("truncated_header", "header_problem IS NOT NULL OR width_px > 0 AND height_px > 0"),
        "The header is complete, down to the size of the picture.",
    ),
    _set_aside(
        "dicom_without_pixel_data",
        _no("dicom_without_pixel_data", "coalesce(image_format, '') <> 'dicom' OR has_pixel_data"),
        "A DICOM object carries pixel data.",
    ),
    _set_aside(
        "unsupported_sop_class",
        Predicate(f"coalesce(image_format, '') <> 'dicom' OR sop_class_uid IN ({sql_list(PHOTO_SOP_CLASSES)})"),
        "A DICOM object is of a class that can hold a photograph.",
    ),
    _set_aside("multi_frame", _no("multi_frame", "coalesce(frame_count, 1) <= 1"), "The file holds one frame."),
    _set_aside(
        "too_many_pixels",
        _no("too_many_pixels", f"coalesce(CAST(width_px AS bigint) * height_px, 0) <= {MOST_PIXELS}"),
        "The picture has at most 100 megapixels.",
    ),
    _set_aside(
        "source_too_small",
        _no("source_too_small", f"coalesce(least(width_px, height_px), {SHORTEST_SIDE_PX}) >= {SHORTEST_SIDE_PX}"),
        "The shorter side has at least 160 pixels.",
    ),
    _set_aside("unknown_patient", NotNull("known_person_id"), "The photo's patient is a person of the warehouse."),
    _set_aside("capture_time_missing", NotNull("captured_at"), "It is recorded when the photo was taken."),
    _set_aside(
        "captured_in_future",
        Predicate("captured_at IS NULL OR CAST(captured_at AS date) <= night"),
        "The photo was not taken after the night that judges it.",
    ),
    _set_aside(
        "captured_before_birth",
        Predicate("captured_at IS NULL OR birth_date IS NULL OR CAST(captured_at AS date) >= birth_date"),
        "The photo was not taken before the patient's birth.",
    ),
)

_TWIN_RULES = (
    _set_aside(
        "bytes_of_another_patient",
        Predicate("other_patient_id IS NULL"),
        "No other patient's photo has the same bytes.",
    ),
    _set_aside(
        "duplicate_bytes",
        Predicate("earlier_photo_id IS NULL"),
        "No photo of the patient that comes before this one has the same bytes.",
    ),
)

_DATASET_RULES = (
    Rule("some_rows", RowCount(), "There is something to judge."),
    Rule("complete", RowCount(equals="pending"), "Every photo that the ledger says was landed is there, as landed."),
    Rule("each_photo_once", Unique(("photo_id",)), "No photo is there twice."),
    Rule(
        "known_header_problems",
        InSet("header_problem", HEADER_PROBLEMS),
        "Reading the headers stumbled over nothing that has no rule.",
    ),
    Rule(
        "usual_volume",
        RowCount(at_least="fewest_photos"),
        "The night brought no fewer photos than the configured share of a usual night.",
    ),
    Rule(
        "share_accepted",
        Aggregate(
            "count(*) < {fewest_for_share} OR count(*) FILTER (WHERE accepted) >= {min_accepted_share} * count(*)"
        ),
        "The configured share of the photos is accepted (from 20 photos on).",
    ),
)

LANDING = Suite("landing", (*_DATASET_RULES, *_UNTWINNED_RULES, *_TWIN_RULES), key="photo_id")
"""The rules of a night's landing."""

LANDING_BEFORE_TWINS = Suite("landing_before_twins", _UNTWINNED_RULES, key="photo_id")
"""The rules that judge a photo without looking at others of the same bytes."""
