"""What the header of a photograph says: one record for files and DICOM alike."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from model.exclusions import Exclusion


@dataclass(frozen=True)
class PhotoHeader:
    """The header of one photograph. None: the header does not say, or the format has no such thing."""

    image_format: str | None = None
    """jpeg, png, tiff, bmp or dicom; another name where the format is known but not decoded (gif, webp, heif …)."""
    width_px: int | None = None
    """As stored, before any rotation."""
    height_px: int | None = None
    frame_count: int | None = None
    bits_per_sample: int | None = None
    photometric_interpretation: str | None = None
    """In DICOM's terms (PS3.3 C.7.6.3.1.2), also for files: RGB, YBR_FULL, MONOCHROME2, PALETTE COLOR, CMYK …"""
    exif_orientation: int | None = None
    """EXIF orientation, 1-8. Always None for DICOM, whose pixels are upright as they stand."""
    has_pixel_data: bool = False
    sop_class_uid: str | None = None
    transfer_syntax_uid: str | None = None
    captured_at: datetime | None = None
    """DICOM only: when the picture was taken, as the device's clock said it, without a time zone."""
    dicom_patient_id: str | None = None
    """DICOM only: for mapping to a person, then to be forgotten. Personal data: never log or keep it."""
    problem: Exclusion | None = None
    """EMPTY_FILE, NOT_AN_IMAGE, UNSUPPORTED_FORMAT, TRUNCATED_HEADER or DICOM_WITHOUT_PIXEL_DATA; None: none."""

    @property
    def container(self) -> str | None:
        """The format by another name: "dicom" or the image format."""
        return self.image_format

    @property
    def pixel_count(self) -> int:
        """Pixels the header announces, 0 where it does not say."""
        return (self.width_px or 0) * (self.height_px or 0)
