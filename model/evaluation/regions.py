"""The parts of an aligned face: every pixel of the crop belongs to exactly one (ours, placed by ArcFace's template)."""

from __future__ import annotations

from functools import cache

import numpy as np
from numpy.typing import NDArray

from model.align import ARCFACE_TEMPLATE, FACE_PX

REGIONS = (
    "forehead", "temples", "eyes", "nose", "cheeks", "mouth", "chin_and_jaw", "hair", "background",
)  # fmt: skip

GRID = 7
"""Patches along a side: 16 pixels each, the tokens of a ViT/16."""

PATCH_PX = FACE_PX // GRID

OVAL_CENTRE, OVAL_HALF_AXES = (56.0, 58.0), (45.0, 57.0)
HAIRLINE_Y, EYES_END_Y, CHEEKS_END_Y = 16.0, 58.0, 88.0
FOREHEAD_HALF_WIDTH = 24.0
EYE_HALF_AXES, MOUTH_HALF_AXES = (15.0, 13.0), (22.0, 9.0)
NOSE_TOP_Y, NOSE_END_Y, NOSE_HALF_WIDTHS = 44.0, 84.0, (6.0, 15.0)


@cache
def region_masks() -> NDArray[np.bool_]:
    """(9, 112, 112): the pixels of each of `REGIONS`, in their order.

    Eyes reach from the brows to below the bags, the nose from between the eyes to its wings; temples, cheeks and jaw
    share what is left of the face's oval. Outside it, `hair` (with ears) lies above the lower edge of the eyes and
    `background` (with the neck) below.
    """
    y, x = np.mgrid[0:FACE_PX, 0:FACE_PX].astype(float)
    left_eye, right_eye, _, left_mouth, right_mouth = ARCFACE_TEMPLATE
    middle_x = float((left_eye[0] + right_eye[0]) / 2)
    mouth_centre = tuple((left_mouth + right_mouth) / 2)
    in_face = _ellipse(x, y, OVAL_CENTRE, OVAL_HALF_AXES) & (y >= HAIRLINE_Y)
    eyes = _ellipse(x, y, tuple(left_eye), EYE_HALF_AXES) | _ellipse(x, y, tuple(right_eye), EYE_HALF_AXES)
    along = np.clip((y - NOSE_TOP_Y) / (NOSE_END_Y - NOSE_TOP_Y), 0, 1)
    half_width = NOSE_HALF_WIDTHS[0] + along * (NOSE_HALF_WIDTHS[1] - NOSE_HALF_WIDTHS[0])
    claims = {
        "hair": ~in_face & (y < EYES_END_Y),
        "background": ~in_face,
        "eyes": eyes,
        "mouth": _ellipse(x, y, mouth_centre, MOUTH_HALF_AXES),
        "nose": (y >= NOSE_TOP_Y) & (y < NOSE_END_Y) & (np.abs(x - middle_x) <= half_width),
        "forehead": (y < EYES_END_Y) & (np.abs(x - middle_x) <= FOREHEAD_HALF_WIDTH),
        "temples": y < EYES_END_Y,
        "cheeks": y < CHEEKS_END_Y,
        "chin_and_jaw": np.ones_like(in_face),
    }
    taken = np.zeros_like(in_face)
    owned = {}
    for name, claimed in claims.items():
        owned[name] = claimed & ~taken
        taken |= claimed
    return np.stack([owned[name] for name in REGIONS])


def region_shares(maps: NDArray[np.floating]) -> NDArray[np.float64]:
    """How much of each map (n, 112, 112), not negative, lies in each region: (n, 9), summing to the map's sum."""
    masks = region_masks().reshape(len(REGIONS), -1).astype(np.float64)
    return np.asarray(maps.reshape(len(maps), -1).astype(np.float64) @ masks.T)


def area_shares() -> NDArray[np.float64]:
    """(9,) share of the crop's area in each region: what a map that looks nowhere in particular would have."""
    return np.asarray(region_masks().mean(axis=(1, 2)), dtype=np.float64)


def by_patch(maps: NDArray[np.floating]) -> NDArray[np.float64]:
    """Maps (n, 112, 112) summed over 7 x 7 patches: (n, 49)."""
    patches = maps.reshape(len(maps), GRID, PATCH_PX, GRID, PATCH_PX).sum(axis=(2, 4), dtype=np.float64)
    return np.asarray(patches.reshape(len(maps), GRID * GRID))


def _ellipse(
    x: NDArray[np.float64], y: NDArray[np.float64], centre: tuple[float, ...], half_axes: tuple[float, float]
) -> NDArray[np.bool_]:
    return np.asarray(((x - centre[0]) / half_axes[0]) ** 2 + ((y - centre[1]) / half_axes[1]) ** 2 <= 1)
