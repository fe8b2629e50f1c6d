"""Every reason why a photo has no score: its code, the stage that gives it, and whether a later night tries again."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

Stage = Literal["pull", "validate", "score"]


@dataclass(frozen=True)
class ReasonCode:
    """One reason why a photo has no score. It becomes a row of `fahr.reason_code`."""

    code: str
    """What stands in coverage and quarantine; never renamed once a warehouse may hold it."""

    stage: Stage
    """The stage that gives it."""

    permanent: bool
    """True: not tried again until the photo's bytes or the model change. False: tried again on later nights."""

    meaning: str
    """One sentence for the person who has to act on it."""


REASONS: tuple[ReasonCode, ...] = (
    ReasonCode("file_missing", "pull", False, "The source lists the photo, but its file is not there."),
    ReasonCode("unreadable_file", "pull", False, "The file is there, but reading it failed."),
    ReasonCode("source_unreachable", "pull", False, "The photo's source could not be reached."),
    ReasonCode("access_denied", "pull", False, "The PACS lists the photo, and does not let our user read it."),
    ReasonCode("not_at_hand", "pull", False, "The PACS answers, and did not bring the photo: offline, or too busy."),
    ReasonCode("outside_photo_root", "pull", True, "The listed path leads outside the photo share; it was not opened."),
    ReasonCode("file_too_large", "pull", True, "The file is larger than FAHR_MAX_PHOTO_BYTES; it was not read."),
    ReasonCode(
        "patient_contradicted",
        "pull",
        False,
        "The PACS lists the photo under one patient, and the object itself names another or nobody we know.",
    ),
    ReasonCode("opted_out", "pull", True, "The patient has opted out; the photo was not read."),
    ReasonCode("empty_file", "validate", True, "The file holds no bytes."),
    ReasonCode("not_an_image", "validate", True, "The bytes are not those of an image, whatever the file is called."),
    ReasonCode("unsupported_format", "validate", True, "It is an image of a format that is not decoded here."),
    ReasonCode("truncated_header", "validate", True, "The file ends or breaks off before its header is complete."),
    ReasonCode("dicom_without_pixel_data", "validate", True, "The DICOM object carries no pixel data."),
    ReasonCode("unsupported_sop_class", "validate", True, "The DICOM object is of a class that holds no photographs."),
    ReasonCode("multi_frame", "validate", True, "The file holds several frames; which one to score is unknown."),
    ReasonCode("too_many_pixels", "validate", True, "The header tells more than 100 megapixels; it was not decoded."),
    ReasonCode("source_too_small", "validate", True, "The shorter side of the photo is below 160 pixels."),
    ReasonCode("unknown_patient", "validate", True, "The photo's patient is not among the persons of the warehouse."),
    ReasonCode("capture_time_missing", "validate", True, "Nobody recorded when the photo was taken."),
    ReasonCode("captured_in_future", "validate", True, "The capture time is later than the night that judged it."),
    ReasonCode("captured_before_birth", "validate", True, "The capture time is earlier than the patient's birth."),
    ReasonCode("bytes_of_another_patient", "validate", True, "The same bytes are filed under another patient too."),
    ReasonCode("duplicate_bytes", "validate", True, "The same bytes are accepted as another photo of this patient."),
    ReasonCode("too_many_bytes", "score", True, "The file is larger than the scorer decodes."),
    ReasonCode("truncated_image", "score", True, "The image data break off before the last row."),
    ReasonCode("decode_failed", "score", True, "The image data are damaged or of a kind that cannot be decoded."),
    ReasonCode("no_face", "score", True, "No face was found."),
    ReasonCode("several_faces", "score", True, "More than one face was found; which is the patient's is unknown."),
    ReasonCode("face_cut_by_frame", "score", True, "The face reaches beyond the edge of the photo."),
    ReasonCode("face_too_small", "score", True, "The face is too small for the networks."),
    ReasonCode("poor_quality", "score", True, "The face is too blurred, dark or uncertain to be scored."),
    ReasonCode("score_not_finite", "score", True, "A network gave no finite number for this face."),
    ReasonCode(
        "bytes_purged",
        "score",
        True,
        "Its landed bytes were purged after FAHR_LANDING_DAYS before this model scored them; --retry reads it again.",
    ),
    ReasonCode("scorer_unavailable", "score", False, "The scorer failed for a cause outside the photo."),
)

BY_CODE: dict[str, ReasonCode] = {reason.code: reason for reason in REASONS}
