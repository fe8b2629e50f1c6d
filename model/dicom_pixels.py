"""Pixel data of a DICOM photograph (PS3.5, PS3.3 C.7.6.3) to sRGB pixels.

JPEG frames go through the same strict, scaling decoder as JPEG files; every other encoding through pydicom and its
decoders. EXIF inside a JPEG frame is not obeyed: DICOM's own header describes the picture, and its rows run from top
to bottom as they stand.
"""

from __future__ import annotations

from collections.abc import Callable
from io import BytesIO

import numpy as np
from numpy.typing import NDArray
from pydicom import dcmread
from pydicom.dataset import Dataset
from pydicom.encaps import generate_frames
from pydicom.pixels import apply_color_lut, pixel_array

from model.colour import pixels_to_srgb, scaled_to_bytes
from model.exclusions import Exclusion, PhotoExcluded
from model.jpeg import read_jpeg_facts
from model.jpeg_pixels import decode_jpeg
from model.photo_header import PhotoHeader

Pixels = NDArray[np.uint8]

JPEG_DCT_SYNTAXES = frozenset(f"1.2.840.10008.1.2.4.{number}" for number in (50, 51, 52, 53, 54, 55, 56))
"""Baseline, extended, and the retired spectral selection and full progression, whatever process they name."""

PIXEL_ELEMENTS = [
    0x00080016,  # SOP Class UID
    0x00280002,  # Samples per Pixel
    0x00280004,  # Photometric Interpretation
    0x00280006,  # Planar Configuration
    0x00280008,  # Number of Frames
    0x00280010,  # Rows
    0x00280011,  # Columns
    0x00280100,  # Bits Allocated
    0x00280101,  # Bits Stored
    0x00280102,  # High Bit
    0x00280103,  # Pixel Representation
    0x00281101,  # Palette descriptors and data
    0x00281102,
    0x00281103,
    0x00281201,
    0x00281202,
    0x00281203,
    0x00282000,  # ICC Profile
    0x7FE00001,  # Extended Offset Table
    0x7FE00002,
    0x7FE00010,  # Pixel Data
]


def decode_dicom(content: bytes, header: PhotoHeader, *, shortest_side: int | None = None) -> Pixels:
    """Decode the one frame of a DICOM object to uint8 sRGB (H, W, 3).

    `header` was read from the same bytes and has passed the limits. `shortest_side` allows JPEG frames a reduced DCT
    scale. Raises PhotoExcluded, or what pydicom and its decoders raise for damaged or unsupported pixel data.
    """
    dataset = dcmread(BytesIO(content), specific_tags=list(PIXEL_ELEMENTS))
    icc_profile = bytes(dataset.get("ICCProfile", b"") or b"")
    if header.transfer_syntax_uid in JPEG_DCT_SYNTAXES:
        return _decode_jpeg_frame(dataset, header, icc_profile, shortest_side)
    size_of_frame = FRAME_SIZES.get(str(header.transfer_syntax_uid))
    if size_of_frame is not None and size_of_frame(_only_frame(dataset)) != (header.width_px, header.height_px):
        # A compressed frame has a size of its own; one that differs from the header's slips past the pixel limit.
        raise PhotoExcluded(Exclusion.DECODE_FAILED)
    if str(dataset.PhotometricInterpretation) == "PALETTE COLOR":
        indices = pixel_array(dataset, raw=True)
        return scaled_to_bytes(np.asarray(apply_color_lut(indices, dataset))[..., :3], _palette_bits(dataset))
    samples = np.asarray(pixel_array(dataset))
    grey = samples.ndim == 2
    signed = int(dataset.get("PixelRepresentation", 0)) == 1
    pixels = scaled_to_bytes(samples, int(dataset.BitsStored), signed=signed)
    if str(dataset.PhotometricInterpretation) == "MONOCHROME1":
        pixels = 255 - pixels
    if grey:
        return np.ascontiguousarray(np.repeat(pixels[..., None], 3, axis=2))
    return pixels_to_srgb(np.ascontiguousarray(pixels), icc_profile)


def _decode_jpeg_frame(dataset: Dataset, header: PhotoHeader, icc_profile: bytes, shortest_side: int | None) -> Pixels:
    frame = _only_frame(dataset)
    start = frame.find(b"\xff\xd8")
    if start < 0:
        raise PhotoExcluded(Exclusion.DECODE_FAILED)
    frame = frame[start:]
    facts = read_jpeg_facts(frame)
    if (facts.width, facts.height) != (header.width_px, header.height_px):
        raise PhotoExcluded(Exclusion.DECODE_FAILED)
    pixels = decode_jpeg(
        frame,
        shortest_side=shortest_side,
        icc_profile=icc_profile,
        stored_as_rgb=header.photometric_interpretation == "RGB",
    )
    return 255 - pixels if header.photometric_interpretation == "MONOCHROME1" else pixels


def _only_frame(dataset: Dataset) -> bytes:
    """The one encapsulated frame, which may lie in several fragments."""
    frames = generate_frames(dataset.PixelData, number_of_frames=1)
    frame = next(frames, None)
    if not frame:
        raise PhotoExcluded(Exclusion.TRUNCATED_IMAGE)
    return frame


def _jpeg2000_size(frame: bytes) -> tuple[int, int] | None:
    """Width and height of the first SIZ segment (ISO 15444-1 A.5.1)."""
    start = frame.find(b"\xff\x4f\xff\x51")
    if start < 0 or len(frame) < start + 24:
        return None
    right, bottom, left, top = (int.from_bytes(frame[start + at : start + at + 4], "big") for at in (8, 12, 16, 20))
    return right - left, bottom - top


def _jpeg_ls_size(frame: bytes) -> tuple[int, int] | None:
    """Width and height of the frame header (ISO 14495-1 C.2.2)."""
    start = frame.find(b"\xff\xf7")
    if start < 0 or len(frame) < start + 9:
        return None
    return int.from_bytes(frame[start + 7 : start + 9], "big"), int.from_bytes(frame[start + 5 : start + 7], "big")


def _palette_bits(dataset: Dataset) -> int:
    """Bits of a palette's entries: 8 or 16 (PS3.3 C.7.6.3.1.5)."""
    return int(dataset.RedPaletteColorLookupTableDescriptor[2])


FRAME_SIZES: dict[str, Callable[[bytes], tuple[int, int] | None]] = {
    "1.2.840.10008.1.2.4.80": _jpeg_ls_size,
    "1.2.840.10008.1.2.4.81": _jpeg_ls_size,
    "1.2.840.10008.1.2.4.90": _jpeg2000_size,
    "1.2.840.10008.1.2.4.91": _jpeg2000_size,
}
"""How to read the size that a compressed frame states, by transfer syntax. RLE frames state none."""
