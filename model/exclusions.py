"""Why a photograph has no score: the permanent reasons that the photograph itself gives."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum


class Exclusion(StrEnum):
    """A permanent reason: scoring the same bytes again with the same model and preprocessing gives it again."""

    EMPTY_FILE = "empty_file"
    NOT_AN_IMAGE = "not_an_image"
    UNSUPPORTED_FORMAT = "unsupported_format"
    TRUNCATED_HEADER = "truncated_header"
    TRUNCATED_IMAGE = "truncated_image"
    DECODE_FAILED = "decode_failed"
    TOO_MANY_PIXELS = "too_many_pixels"
    SOURCE_TOO_SMALL = "source_too_small"
    DICOM_WITHOUT_PIXEL_DATA = "dicom_without_pixel_data"
    MULTI_FRAME = "multi_frame"
    NO_FACE = "no_face"
    SEVERAL_FACES = "several_faces"
    FACE_CUT_BY_FRAME = "face_cut_by_frame"
    FACE_TOO_SMALL = "face_too_small"
    POOR_QUALITY = "poor_quality"
    SCORE_NOT_FINITE = "score_not_finite"

    @property
    def meaning(self) -> str:
        """One line for reports, tables and people."""
        return _MEANINGS[self]


_MEANINGS = {
    Exclusion.EMPTY_FILE: "The file holds no bytes.",
    Exclusion.NOT_AN_IMAGE: "The bytes are not those of an image.",
    Exclusion.UNSUPPORTED_FORMAT: "An image of a format that is not decoded here (JPEG, PNG, TIFF, BMP, DICOM).",
    Exclusion.TRUNCATED_HEADER: "The file ends, or makes no sense, before its header says what it is.",
    Exclusion.TRUNCATED_IMAGE: "The file ends before its picture does.",
    Exclusion.DECODE_FAILED: "The picture data are damaged or of an encoding that cannot be decoded.",
    Exclusion.TOO_MANY_PIXELS: "The header announces more pixels than the limit; nothing was decoded.",
    Exclusion.SOURCE_TOO_SMALL: "The shorter side of the photograph is below the minimum.",
    Exclusion.DICOM_WITHOUT_PIXEL_DATA: "A DICOM object without a picture in it.",
    Exclusion.MULTI_FRAME: "The object holds several frames: a film or a stack, not one photograph.",
    Exclusion.NO_FACE: "No face was found.",
    Exclusion.SEVERAL_FACES: "More than one face of comparable size was found; whose score it would be is unknown.",
    Exclusion.FACE_CUT_BY_FRAME: "The face is cut by the edge of the photograph.",
    Exclusion.FACE_TOO_SMALL: "The face has too few pixels to be scored.",
    Exclusion.POOR_QUALITY: "The face is obscured, blurred, or too dark or too bright to be read.",
    Exclusion.SCORE_NOT_FINITE: "The network's output for this photograph is not a finite number.",
}


class PhotoExcluded(Exception):
    """This photograph cannot be scored, for a permanent reason. Carries the reason code and nothing else."""

    def __init__(self, reason: Exclusion) -> None:
        super().__init__(reason.value)
        self.reason = reason


@dataclass(frozen=True)
class ExclusionThresholds:
    """Where a photograph stops being fit to score. Part of PREPROCESSING_ID. All ours except `source_px`."""

    source_px: int = 160
    """Shorter side of the photograph below which it is excluded (rule of the model's predecessor)."""
    face_probability: float = 0.80
    """Detection probability below which something found is not counted as a face."""
    clear_face_probability: float = 0.85
    """Detection probability below which the only face found counts as obscured (POOR_QUALITY)."""
    face_px: float = 36.0
    """Width of the face box, in pixels of the photograph, below which the face is too small."""
    second_face_width_ratio: float = 1 / 3
    """A second face at least this wide relative to the widest makes SEVERAL_FACES; a smaller one is background."""
    cut_share: float = 0.06
    """Share of the face box outside the photograph, or of the aligned crop's face oval, that counts as cut."""
    sharpness: float = 12.0
    """Variance of the Laplacian of the aligned face's brightness (0-255 scale) below which it counts as blurred."""
    brightness_low: float = 16.0
    """Mean brightness (0-255) of the aligned face below which nothing can be read in it."""
    brightness_high: float = 245.0
    """Mean brightness (0-255) of the aligned face above which nothing can be read in it."""


THRESHOLDS = ExclusionThresholds()
