"""The landing zone: one Parquet data set, one immutable partition (`pull=<run id>`) a pull, one row a landed photo."""

from __future__ import annotations

import pyarrow as pa

LANDING_SCHEMA = pa.schema(
    [
        pa.field("photo_id", pa.int64(), nullable=False),
        pa.field("person_id", pa.int64()),  # null: the patient is not in hospital.patient_id_map
        pa.field("captured_at", pa.timestamp("us")),  # local time of the hospital, hence without a zone
        pa.field("source", pa.string(), nullable=False),
        pa.field("content", pa.large_binary()),
        pa.field("content_sha256", pa.string()),
        pa.field("byte_count", pa.int64()),
        pa.field("image_format", pa.string()),  # jpeg, png, tiff, dicom …; null: no image that we know
        pa.field("width_px", pa.int32()),
        pa.field("height_px", pa.int32()),
        pa.field("frame_count", pa.int32()),
        pa.field("bits_per_sample", pa.int32()),
        pa.field("photometric_interpretation", pa.string()),
        pa.field("sop_class_uid", pa.string()),
        pa.field("transfer_syntax_uid", pa.string()),
        pa.field("exif_orientation", pa.int16()),
        pa.field("has_pixel_data", pa.bool_()),
        pa.field("header_problem", pa.string()),  # what reading the header stumbled over; null: nothing
    ]
)
"""Columns of a landed photo, in order. Everything but `content` is small."""

LEDGER_COLUMNS = [
    "photo_id",
    "person_id",
    "captured_at",
    "content_sha256",
    "byte_count",
    "image_format",
    "width_px",
    "height_px",
    "frame_count",
    "sop_class_uid",
    "transfer_syntax_uid",
    "exif_orientation",
]
"""Columns of a landed photo that `fahr.photo_v1` keeps."""
