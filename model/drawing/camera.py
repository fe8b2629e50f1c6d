"""From a lit scene to the bytes of a picture: exposure, white balance, focus, sensor noise."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageFilter

from model.drawing.latents import ShotConditions
from model.drawing.raster import Picture, rgb

Pixels = NDArray[np.uint8]


def photograph(scene: Picture, conditions: ShotConditions) -> Pixels:
    """(3, h, w) float scene, about 0 to 1 -> (h, w, 3) uint8 RGB."""
    warmth = 0.09 * conditions.colour_temperature
    gains = np.float32(conditions.exposure) * rgb(1 + warmth, 1.0, 1 - 1.3 * warmth)
    exposed = scene * gains[:, None, None]
    radius = conditions.blur * scene.shape[1] / 320
    rng = np.random.default_rng([conditions.shot_seed, 1])
    grey = rng.standard_normal(scene.shape[1:], dtype=np.float32) * np.float32(conditions.sensor_noise)
    if radius >= 0.3:
        exposed = _blur(exposed, radius)
    exposed += grey
    return _eight_bit(exposed)


def _eight_bit(scene: Picture) -> Pixels:
    pixels = np.empty((*scene.shape[1:], 3), dtype=np.uint8)
    for channel, plane in enumerate(scene):
        pixels[..., channel] = np.clip(plane * np.float32(255) + np.float32(0.5), 0, 255)
    return pixels


def _blur(scene: Picture, radius: float) -> Picture:
    blurred = np.asarray(Image.fromarray(_eight_bit(scene)).filter(ImageFilter.GaussianBlur(radius)))
    return np.ascontiguousarray(blurred.transpose(2, 0, 1)).astype(np.float32) * np.float32(1 / 255)


def enlarge(pixels: Pixels, width: int, height: int, rng: np.random.Generator) -> Pixels:
    """A photograph of `width` x `height` pixels from a small drawing: cropped, upscaled, with sensor noise.

    Megapixels in tens of milliseconds: one tile of noise is laid again and again. The middle of the drawing is kept.
    """
    source_height, source_width = pixels.shape[:2]
    scale = max(width / source_width, height / source_height)
    crop_width, crop_height = width / scale, height / scale
    left, top = (source_width - crop_width) / 2, (source_height - crop_height) / 2
    large = Image.fromarray(pixels).resize(
        (width, height), Image.Resampling.BICUBIC, box=(left, top, left + crop_width, top + crop_height)
    )
    tile = rng.integers(-3, 4, size=(512, 512, 1), dtype=np.int8).astype(np.int16)
    noisy = np.array(large)
    for row in range(0, height, 512):
        for column in range(0, width, 512):
            part = noisy[row : row + 512, column : column + 512]
            part[:] = np.clip(part + tile[: part.shape[0], : part.shape[1]], 0, 255)
    return noisy
