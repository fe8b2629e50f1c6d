"""JPEG streams to upright-as-stored sRGB pixels, refusing damaged scans.

simplejpeg (libjpeg-turbo) is strict: it refuses every damaged scan that Pillow and OpenCV fill with grey. It also
decodes at a reduced DCT scale, which costs less than decoding in full and shrinking.
"""

from __future__ import annotations

from io import BytesIO

import numpy as np
import simplejpeg
from numpy.typing import NDArray
from PIL.JpegImagePlugin import JpegImageFile

from model.colour import pixels_to_srgb, to_srgb
from model.exclusions import Exclusion, PhotoExcluded
from model.jpeg import JpegFacts, read_jpeg_facts

SCAN_LIMIT = 100
"""Scans a progressive stream may have: ten are usual, thousands make a small file take minutes (ours)."""


def decode_jpeg(
    content: bytes, *, shortest_side: int | None = None, icc_profile: bytes = b"", stored_as_rgb: bool = False
) -> NDArray[np.uint8]:
    """Decode a JPEG stream to uint8 sRGB (H, W, 3), not rotated.

    `shortest_side` allows a reduced DCT scale whose shorter side is at least that. `icc_profile` is used where the
    stream holds none. `stored_as_rgb`: a container (DICOM) says that the samples are RGB; believed where the stream
    itself does not say how it stores colours.

    Raises PhotoExcluded, or ValueError with the decoder's words for a damaged stream.
    """
    facts = read_jpeg_facts(content)
    if content.count(b"\xff\xda") > SCAN_LIMIT:
        raise PhotoExcluded(Exclusion.DECODE_FAILED)
    profile = facts.icc_profile or icc_profile
    if facts.components == 4:
        return _decode_four_inks(content, profile)
    if facts.components == 3 and stored_as_rgb and not facts.says_its_colours:
        content = _with_adobe_rgb_marker(content)
    pixels = _decode(content, facts, shortest_side)
    return pixels_to_srgb(pixels, profile) if facts.components == 3 else pixels


def _decode(content: bytes, facts: JpegFacts, shortest_side: int | None) -> NDArray[np.uint8]:
    # No scale when either side is below the wish: libjpeg-turbo could otherwise enlarge.
    side = shortest_side if shortest_side and min(facts.width, facts.height) > shortest_side else 0
    return np.asarray(simplejpeg.decode_jpeg(content, colorspace="RGB", min_height=side, min_width=side))


def _decode_four_inks(content: bytes, icc_profile: bytes) -> NDArray[np.uint8]:
    """CMYK and YCCK: Pillow knows Adobe's inversion and profiles; the strict decoder, which sees damage, is first."""
    simplejpeg.decode_jpeg(content, colorspace="CMYK")
    with JpegImageFile(BytesIO(content)) as image:
        return to_srgb(image, icc_profile)


def _with_adobe_rgb_marker(content: bytes) -> bytes:
    """The stream with the marker that says "not YCbCr", right after its start."""
    return content[:2] + b"\xff\xee\x00\x0eAdobe\x00\x64\x00\x00\x00\x00\x00" + content[2:]
