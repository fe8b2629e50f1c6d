"""From a photograph's bytes to upright sRGB pixels, under limits.

Decoders meet untrusted bytes here. Which decoder runs is decided by the header that was read before, never by the
decoder; sizes are compared with the limit before anything is decoded; whatever a decoder raises becomes a reason.
"""

from __future__ import annotations

from io import BytesIO

import numpy as np
from numpy.typing import NDArray
from PIL import ImageFile
from PIL.BmpImagePlugin import BmpImageFile
from PIL.PngImagePlugin import PngImageFile
from PIL.TiffImagePlugin import TiffImageFile

from model.colour import to_srgb
from model.dicom_pixels import decode_dicom
from model.exclusions import Exclusion, PhotoExcluded
from model.header import PhotoHeader, read_header
from model.jpeg_pixels import decode_jpeg

Pixels = NDArray[np.uint8]

PIXEL_LIMIT = 100_000_000
"""Photographs of more pixels are refused before decoding (ours): at three bytes a pixel, 300 MB."""

_PILLOW_FILES: dict[str, type[ImageFile.ImageFile]] = {
    # The classes themselves, not Image.open: nothing else can be opened, and the pixel limit is ours, not a global.
    "png": PngImageFile,
    "tiff": TiffImageFile,
    "bmp": BmpImageFile,
}


def decode_photo(content: bytes, *, shortest_side: int | None = None, header: PhotoHeader | None = None) -> Pixels:
    """Decode a photograph: JPEG, PNG, TIFF, BMP or DICOM bytes -> uint8 sRGB (H, W, 3), upright, contiguous.

    EXIF orientation is applied (not inside DICOM, whose pixels are upright as they stand, PS3.3 C.7.6.3.1.1); ICC
    profiles, CMYK, palettes, greyscale, 16-bit samples and transparency (over white) end as sRGB.

    `shortest_side`: a JPEG may be decoded at a reduced DCT scale whose shorter side is still at least this many
    pixels. Other formats are decoded in full. `header`: if it was read already.

    Raises PhotoExcluded with a permanent reason; MemoryError where memory gave out, which is no fault of the photo.
    """
    header = header or read_header(content)
    refuse_by_header(header)
    try:
        if header.image_format == "dicom":
            return decode_dicom(content, header, shortest_side=shortest_side)
        if header.image_format == "jpeg":
            pixels = decode_jpeg(content, shortest_side=shortest_side)
        else:
            pixels = _decode_with_pillow(content, str(header.image_format))
    except (PhotoExcluded, MemoryError):
        raise
    except Exception as error:  # damaged bytes make decoders raise anything
        # Without the cause: decoders' messages may quote what stands in the file.
        raise PhotoExcluded(_reason(error)) from None
    # Pillow turns TIFFs by itself, once, as it loads them.
    return np.ascontiguousarray(pixels) if header.image_format == "tiff" else upright(pixels, header.exif_orientation)


def refuse_by_header(header: PhotoHeader) -> None:
    """Raise PhotoExcluded where the header alone tells that the photograph cannot be decoded."""
    if header.problem is not None:
        raise PhotoExcluded(header.problem)
    if (header.frame_count or 1) > 1:
        raise PhotoExcluded(Exclusion.MULTI_FRAME)
    if header.pixel_count > PIXEL_LIMIT:
        raise PhotoExcluded(Exclusion.TOO_MANY_PIXELS)


def upright(pixels: Pixels, orientation: int | None) -> Pixels:
    """Turn (H, W, 3) pixels as EXIF orientation 1-8 says (EXIF 2.32, tag 0x0112); None is 1."""
    if orientation in (5, 6, 7, 8):
        pixels = pixels.transpose(1, 0, 2)
    if orientation in (2, 3, 6, 7):
        pixels = pixels[:, ::-1]
    if orientation in (3, 4, 7, 8):
        pixels = pixels[::-1]
    return np.ascontiguousarray(pixels)


def _decode_with_pillow(content: bytes, image_format: str) -> Pixels:
    with _PILLOW_FILES[image_format](BytesIO(content)) as image:
        if image.width * image.height > PIXEL_LIMIT:
            raise PhotoExcluded(Exclusion.TOO_MANY_PIXELS)
        image.load()
        return to_srgb(image, image.info.get("icc_profile") or b"")


def _reason(error: Exception) -> Exclusion:
    """Truncated where the decoder says so, else plainly failed."""
    text = str(error).lower()
    ended_early = isinstance(error, EOFError) or "truncated" in text or "premature end of jpeg file" in text
    return Exclusion.TRUNCATED_IMAGE if ended_early else Exclusion.DECODE_FAILED
