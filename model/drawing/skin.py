"""Skin, mouth and nostrils: colour laid on the face before it is lit."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from model.drawing.anatomy import AgeSigns, Anatomy, FrailtySigns
from model.drawing.latents import ShotConditions
from model.drawing.pose import PosedHead
from model.drawing.raster import Picture, Plane, bump, cloud, paint, ramp, rgb
from model.drawing.relief import SIDES


def skin_layer(
    head: PosedHead, who: Anatomy, age: AgeSigns, frailty: FrailtySigns, conditions: ShotConditions
) -> Picture:
    """(3, h, w) colour of the bare face: complexion, mottling, spots, rings under the eyes, cheeks, beard, mouth."""
    cover_up = 0.75 * conditions.makeup
    pale = 0.85 * frailty.pallor * (1 - 0.5 * conditions.makeup)
    sallow = 0.9 * min(age.rough_skin, 1.1) * (1 - cover_up)
    complexion = who.skin * (1 - 0.10 * pale) * (1 - sallow * rgb(0.06, 0.10, 0.20))
    complexion = complexion + pale * 0.55 * (complexion.mean() * rgb(1.0, 1.02, 0.97) - complexion)
    picture = np.empty((3, *head.shape), dtype=np.float32)
    picture[:] = complexion[:, None, None]
    _mottle(picture, head, who, age, 1 - cover_up, conditions)
    _rosy_cheeks(picture, head, who, (1 - pale) * (0.35 + 0.5 * conditions.makeup))
    _spots(picture, head, who, age.spots * (1 - cover_up))
    rings = min(0.72 * frailty.dark_rings + 0.16 * conditions.tiredness + 0.10 * age.eye_bags, 0.8) * (
        1 - 0.7 * cover_up
    )
    for side in SIDES:
        _paint_bump(
            picture,
            head,
            side * who.eye_x * 0.97,
            who.eye_y + 0.11,
            0.13,
            0.055,
            rings,
            complexion * rgb(0.50, 0.43, 0.50),
        )
    if who.stubble > 0.05:
        _beard_shadow(picture, head, who, age)
    _mouth(picture, head, who, age, conditions, pale)
    _nostrils(picture, head, who, age, complexion)
    return picture


def _paint_bump(
    picture: Picture,
    head: PosedHead,
    x: float,
    y: float,
    sx: float,
    sy: float,
    cover: float,
    colour: NDArray[np.float32],
) -> None:
    at = head.window(x, y, 2 * sx, 2 * sy)
    paint(picture[:, *at], np.float32(cover) * bump(head.face_x[at] - x, head.face_y[at] - y, sx, sy), colour)


def _mottle(
    picture: Picture, head: PosedHead, who: Anatomy, age: AgeSigns, bare: float, conditions: ShotConditions
) -> None:
    """Pores and uneven pigment: the person's patches, rougher with age; the fine grain differs from shot to shot."""
    patches = cloud(np.random.default_rng([who.texture_seed, 2]), head.shape, (17, 17))
    grain = cloud(np.random.default_rng([conditions.shot_seed, 2]), head.shape, (110, 110))
    unevenness = (0.010 + 0.050 * age.rough_skin * bare) * patches + (0.012 + 0.030 * age.rough_skin * bare) * grain
    picture *= 1 + unevenness


def _rosy_cheeks(picture: Picture, head: PosedHead, who: Anatomy, strength: float) -> None:
    rosy = who.skin * rgb(1.02, 0.80, 0.80)
    for side in SIDES:
        _paint_bump(picture, head, side * 0.42, 0.24, 0.20, 0.16, 0.6 * strength, rosy)
    _paint_bump(picture, head, 0.0, who.nose_y, 0.10, 0.08, 0.35 * strength, rosy)


def _spots(picture: Picture, head: PosedHead, who: Anatomy, strength: float) -> None:
    """One or two moles for life, and age spots in the person's own places, each coming in its own turn."""
    rng = np.random.default_rng([who.texture_seed, 3])
    brown = who.skin * rgb(0.62, 0.50, 0.42)
    for _ in range(rng.integers(0, 3)):
        x, y = rng.uniform(-0.55, 0.55), rng.uniform(-0.5, 0.75)
        _paint_bump(picture, head, x, y, 0.016, 0.016, 0.8, brown * 0.7)
    for turn in range(14):
        x, y = rng.uniform(-0.62, 0.62), rng.uniform(-0.72, 0.70)
        sx, sy, darkness = rng.uniform(0.025, 0.060), rng.uniform(0.020, 0.048), rng.uniform(0.4, 0.9)
        shown = float(np.clip(strength * 14 * 0.85 - turn, 0, 1))
        if shown > 0 and abs(y - who.eye_y) > 0.08:
            _paint_bump(picture, head, x, y, sx, sy, shown * darkness, brown)


def _beard_shadow(picture: Picture, head: PosedHead, who: Anatomy, age: AgeSigns) -> None:
    at = head.window(0.0, 0.62, 0.75, 0.50)
    x, y = head.face_x[at], head.face_y[at]
    jaw = ramp(1 - (x * np.float32(1 / 0.72)) ** 2 - ((y - 0.72) * np.float32(1 / 0.42)) ** 2, 2.5)
    bristle = who.hair * (1 - age.greying) + np.float32(0.66) * age.greying
    paint(picture[:, *at], np.float32(0.42 * who.stubble) * jaw, 0.55 * bristle + 0.45 * who.skin)


def _mouth(
    picture: Picture, head: PosedHead, who: Anatomy, age: AgeSigns, conditions: ShotConditions, pale: float
) -> None:
    """Two lips meeting on a line whose corners follow the expression; they thin with age and pale with frailty."""
    width = who.mouth_width * (1 + 0.14 * max(conditions.expression, 0.0))
    lift = 0.045 * conditions.expression - 0.022 * age.marionette_lines
    thickness = who.lip_height * (1 - 0.66 * min(age.lip_thinning, 1.1)) * (1 - 0.12 * max(conditions.expression, 0.0))
    colour = who.lips + pale * 0.5 * (who.skin * rgb(0.85, 0.82, 0.88) - who.lips)
    colour = colour + 0.6 * conditions.makeup * (rgb(0.66, 0.16, 0.20) - colour)
    at = head.window(0.0, who.mouth_y, width * 1.1, 0.16)
    across = head.face_x[at] * np.float32(1 / width)
    square: Plane = across * across
    below: Plane = head.face_y[at] - who.mouth_y + np.float32(lift) * square
    edge: Plane = np.maximum(1 - square, 0)
    cupids_bow: Plane = np.maximum(1 - square * 12, 0)
    upper: Plane = thickness * edge * (1 - 0.22 * cupids_bow)
    lower: Plane = 1.15 * thickness * edge * np.sqrt(edge)
    sharp = 0.6 * head.pixels_per_unit
    paint(picture[:, *at], 0.85 * ramp(upper + below, sharp) * ramp(-below, sharp), colour * 0.88)
    paint(
        picture[:, *at],
        0.85 * ramp(lower - below, sharp) * ramp(below, sharp),
        colour,
    )
    line = bump(across, below, 0.53, 0.011)
    paint(picture[:, *at], 0.85 * np.minimum(1.6 * line, 1), who.lips * 0.28)


def _nostrils(picture: Picture, head: PosedHead, who: Anatomy, age: AgeSigns, complexion: NDArray[np.float32]) -> None:
    y = who.nose_y + 0.05 * age.nose_growth + 0.055
    for side in SIDES:
        _paint_bump(picture, head, side * 0.5 * who.nose_width, y, 0.030, 0.015, 0.85, complexion * 0.22)
        _paint_bump(picture, head, side * 1.12 * who.nose_width, y - 0.03, 0.014, 0.04, 0.45, complexion * 0.45)
