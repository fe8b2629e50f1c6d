"""Colour management: any Pillow image to 8-bit sRGB."""

from __future__ import annotations

import functools
from io import BytesIO

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageCms

SIXTEEN_BIT_MODES = frozenset({"I;16", "I;16L", "I;16B", "I;16N", "I"})
PROFILE_MODES = {"RGB ": "RGB", "GRAY": "L", "CMYK": "CMYK"}
"""Colour space of an ICC profile, as its header names it, to the image mode it applies to."""
ICC_LIMIT_BYTES = 8 * 2**20


def to_srgb(image: Image.Image, icc_profile: bytes = b"") -> NDArray[np.uint8]:
    """Convert a loaded image of any mode to uint8 sRGB (H, W, 3).

    16-bit samples are scaled to 8 bits, not clipped. Transparency is laid over white. An ICC profile is applied where
    it fits the image's mode; one that is damaged or of another colour space is ignored, as browsers do.
    Raises ValueError for modes that have no meaning as a photograph (floating point, LAB).
    """
    if image.mode in SIXTEEN_BIT_MODES:
        image = _eight_bits(image)
    if image.mode in ("P", "PA", "LA", "La", "RGBa", "RGBA") or "transparency" in image.info:
        image = _over_white(image)
    if image.mode == "1":
        image = image.convert("L")
    if icc_profile:
        image = _apply_profile(image, icc_profile)
    if image.mode not in ("L", "RGB", "CMYK", "YCbCr"):
        raise ValueError("no photograph has samples of this kind")
    return np.array(image.convert("RGB"))


def pixels_to_srgb(pixels: NDArray[np.uint8], icc_profile: bytes) -> NDArray[np.uint8]:
    """Apply an RGB ICC profile to uint8 RGB (H, W, 3)."""
    if not icc_profile or _to_srgb_transform(icc_profile, "RGB") is None:
        return pixels
    return np.array(_apply_profile(Image.fromarray(pixels), icc_profile))


def scaled_to_bytes(samples: NDArray[np.integer], bits: int, *, signed: bool = False) -> NDArray[np.uint8]:
    """Integer samples of `bits` bits to 8 bits over the full range, rounded and not clipped, of the same shape.

    Signed samples are shifted by half their range first. Raises ValueError for samples stored in more than 16 bits.
    """
    if samples.dtype.itemsize > 2:
        raise ValueError("samples of more than 16 bits")
    # A table of all values, because a 100-megapixel photograph in wider integers would take gigabytes.
    stored = np.dtype(f"u{samples.dtype.itemsize}")
    values = np.arange(1 << (8 * stored.itemsize), dtype=np.int64)
    if signed:
        values = values.astype(stored).view(f"i{stored.itemsize}").astype(np.int64) + (1 << (bits - 1))
    largest = (1 << bits) - 1
    table = ((np.clip(values, 0, largest) * 255 + largest // 2) // largest).astype(np.uint8)
    return np.asarray(table[np.ascontiguousarray(samples).view(stored)], dtype=np.uint8)


def _eight_bits(image: Image.Image) -> Image.Image:
    """16-bit grey to 8-bit grey over the full range: 65535 becomes 255."""
    samples = np.asarray(image)
    if samples.min() < 0 or samples.max() > 65_535:
        raise ValueError("samples of more than 16 bits")
    return Image.fromarray(scaled_to_bytes(samples.astype(np.uint16), 16))


def _over_white(image: Image.Image) -> Image.Image:
    coloured = image.convert("RGBA")
    white = Image.new("RGBA", image.size, "white")
    return Image.alpha_composite(white, coloured).convert("RGB")


def _apply_profile(image: Image.Image, icc_profile: bytes) -> Image.Image:
    transform = _to_srgb_transform(icc_profile, image.mode)
    if transform is None:
        return image
    converted = ImageCms.applyTransform(image, transform)
    return converted if converted is not None else image


@functools.lru_cache(maxsize=32)
def _to_srgb_transform(icc_profile: bytes, mode: str) -> ImageCms.ImageCmsTransform | None:
    """The transform of a profile to sRGB; None where the profile is unusable for the mode.

    Cached: a camera writes the same profile into all its photographs.
    """
    if len(icc_profile) > ICC_LIMIT_BYTES or PROFILE_MODES.get(icc_profile[16:20].decode("latin-1")) != mode:
        return None
    try:
        profile = ImageCms.ImageCmsProfile(BytesIO(icc_profile))
        return ImageCms.buildTransform(
            profile, ImageCms.createProfile("sRGB"), mode, "RGB", ImageCms.Intent.RELATIVE_COLORIMETRIC
        )
    except (ImageCms.PyCMSError, OSError, ValueError, TypeError):
        return None
