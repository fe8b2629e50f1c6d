"""Changes to the pixels of a photograph: compression, blur, size, brightness, noise, rotation, covered faces."""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np
import simplejpeg
from numpy.typing import NDArray

from model.align import similarity_to_template

Pixels = NDArray[np.uint8]
Box = tuple[float, float, float, float]
"""Left, top, right, bottom in pixels of the aligned face (112 x 112); may reach outside it."""

SURGICAL_MASK: Box = (12.0, 68.0, 100.0, 126.0)
EYE_BAR: Box = (14.0, 40.0, 98.0, 63.0)
LEFT_HALF: Box = (-20.0, -30.0, 56.0, 130.0)

MASK_RGB, BAR_RGB, BOARD_RGB = (158, 190, 209), (0, 0, 0), (128, 128, 128)


@dataclass(frozen=True)
class Photograph:
    """A decoded photograph in which a face was found."""

    pixels: Pixels
    """(H, W, 3) RGB."""
    landmarks: NDArray[np.floating]
    """(5, 2), ArcFace order, x and y in pixels."""
    seed: int = 0
    """Of the noise that `noisy` adds."""

    @property
    def eye_distance_px(self) -> float:
        """Pixels between the eyes."""
        return float(np.hypot(*(self.landmarks[1] - self.landmarks[0])))


def compressed(photograph: Photograph, quality: float) -> Pixels:
    """Encoded as JPEG (4:2:0) of `quality` 1-99 and decoded again."""
    content = simplejpeg.encode_jpeg(
        np.ascontiguousarray(photograph.pixels), quality=round(quality), colorsubsampling="420"
    )
    return np.asarray(simplejpeg.decode_jpeg(content), dtype=np.uint8)


def blurred(photograph: Photograph, share: float) -> Pixels:
    """Blurred by a Gaussian whose SD is `share` of the distance between the eyes."""
    return np.asarray(cv2.GaussianBlur(photograph.pixels, (0, 0), share * photograph.eye_distance_px), dtype=np.uint8)


def scaled(photograph: Photograph, factor: float) -> Pixels:
    """Resized by `factor`: area averaging down, cubic up."""
    way = cv2.INTER_AREA if factor < 1 else cv2.INTER_CUBIC
    return np.asarray(cv2.resize(photograph.pixels, None, fx=factor, fy=factor, interpolation=way), dtype=np.uint8)


def brightened(photograph: Photograph, factor: float) -> Pixels:
    """All values times `factor`, clipped at white."""
    return _by_table(photograph.pixels, np.arange(256) * factor)


def tone_curved(photograph: Photograph, exponent: float) -> Pixels:
    """All values (0 to 1) to the power of `exponent`: below 1 lightens the shadows."""
    return _by_table(photograph.pixels, 255 * (np.arange(256) / 255) ** exponent)


def noisy(photograph: Photograph, sd: float) -> Pixels:
    """With independent normal noise of `sd` (of full scale) on every value."""
    rng = np.random.default_rng(photograph.seed)
    noise = rng.standard_normal(photograph.pixels.shape, dtype=np.float32) * np.float32(255 * sd)
    return np.clip(photograph.pixels + noise + 0.5, 0, 255).astype(np.uint8)


def rotated(photograph: Photograph, degrees: float) -> Pixels:
    """Turned clockwise about its middle in a frame of the same size; the edge's colours fill the corners."""
    height, width = photograph.pixels.shape[:2]
    turn = cv2.getRotationMatrix2D(((width - 1) / 2, (height - 1) / 2), -degrees, 1.0)
    turned = cv2.warpAffine(photograph.pixels, turn, (width, height), borderMode=cv2.BORDER_REPLICATE)
    return np.asarray(turned, dtype=np.uint8)


def mouth_covered(photograph: Photograph, share: float) -> Pixels:
    """A surgical mask over chin and mouth; at 1 it reaches the nose's tip, at 0.5 the mouth's corners."""
    left, top, right, bottom = SURGICAL_MASK
    return _covered(photograph, (left, bottom - share * (bottom - top), right, bottom), MASK_RGB)


def eyes_covered(photograph: Photograph, share: float) -> Pixels:
    """A black bar along the line of the eyes; at 1 it hides eyes, lids and rings."""
    left, top, right, bottom = EYE_BAR
    middle, half = (top + bottom) / 2, share * (bottom - top) / 2
    return _covered(photograph, (left, middle - half, right, middle + half), BAR_RGB)


def half_covered(photograph: Photograph, share: float) -> Pixels:
    """A grey board before the picture's left half of the face; at 1 it reaches the middle of the nose."""
    left, top, right, bottom = LEFT_HALF
    return _covered(photograph, (left, top, left + share * (right - left), bottom), BOARD_RGB)


def _covered(photograph: Photograph, box: Box, colour: tuple[int, int, int]) -> Pixels:
    """The picture with a box of the aligned face painted over, wherever and however turned the face stands in it."""
    left, top, right, bottom = box
    corners = np.array([(left, top, 1), (right, top, 1), (right, bottom, 1), (left, bottom, 1)])
    in_picture = corners @ cv2.invertAffineTransform(similarity_to_template(photograph.landmarks)).T
    painted = photograph.pixels.copy()
    return np.asarray(cv2.fillConvexPoly(painted, np.round(in_picture).astype(np.int32), colour), dtype=np.uint8)


def _by_table(pixels: Pixels, table: NDArray[np.floating]) -> Pixels:
    return np.asarray(cv2.LUT(pixels, np.clip(np.round(table), 0, 255).astype(np.uint8)), dtype=np.uint8)
