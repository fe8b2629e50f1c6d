"""Eyes and brows."""

from __future__ import annotations

import numpy as np

from model.drawing.anatomy import AgeSigns, Anatomy, FrailtySigns
from model.drawing.latents import ShotConditions
from model.drawing.pose import PosedHead
from model.drawing.raster import Picture, bump, paint, ramp, rgb
from model.drawing.relief import SIDES


def paint_eyes(
    picture: Picture, head: PosedHead, who: Anatomy, age: AgeSigns, frailty: FrailtySigns, conditions: ShotConditions
) -> None:
    """Both eyes, in place: openings that hooding, ptosis, a smile or a short night narrow; iris, lashes, crease."""
    closing = (
        0.42 * age.hooded_lids
        + 0.48 * frailty.ptosis
        + 0.16 * max(conditions.expression, 0)
        + 0.10 * conditions.tiredness
    )
    upper = who.eye_height * max(1.12 - 0.75 * closing, 0.45)
    lower = who.eye_height * (0.80 - 0.15 * max(conditions.expression, 0))
    sharp = 0.7 * head.pixels_per_unit
    white = rgb(0.90, 0.88, 0.86) - rgb(0.02, 0.04, 0.10) * min(age.rough_skin, 1.0)
    skin_crease = who.skin * rgb(0.55, 0.48, 0.46)
    for side in SIDES:
        x, y = side * who.eye_x, who.eye_y
        at = head.window(x, y - 0.02, who.eye_width * 1.25, 0.17)
        dx, dy = (head.face_x[at] - x) * side, head.face_y[at] - y
        across = dx * np.float32(1 / who.eye_width)
        almond = np.maximum(1 - across * across, 0)
        within = np.minimum(14 * almond, 1)
        hood = np.float32(0.45 * age.hooded_lids * who.eye_height) * np.maximum(across, 0)
        lid = -upper * almond * (1 - 0.12 * across) + hood
        opening = ramp(dy - lid, sharp) * ramp(lower * almond - dy, sharp) * within
        paint(
            picture[:, *at],
            bump(dx, dy + upper * 0.8, who.eye_width * 0.75, 0.06) * np.float32(0.28 + 0.3 * conditions.makeup),
            skin_crease,
        )
        paint(picture[:, *at], opening, white)
        iris_radius = 0.92 * who.eye_height
        radius = np.sqrt(dx * dx + dy * dy)
        paint(picture[:, *at], opening * ramp(iris_radius - radius, sharp), who.iris)
        paint(picture[:, *at], opening * ramp(0.42 * iris_radius - radius, sharp), rgb(0.02, 0.02, 0.02))
        spark_x, spark_y = -0.3 * iris_radius * side, -0.35 * iris_radius
        paint(picture[:, *at], 0.8 * opening * bump(dx - spark_x, dy - spark_y, 0.010, 0.010), rgb(1, 1, 1))
        lashes = within * bump(across * np.float32(0.1), dy - lid, 1.0, 0.013 + 0.006 * conditions.makeup)
        paint(picture[:, *at], np.minimum(1.3 * lashes, 1) * 0.9, rgb(0.10, 0.07, 0.06))
        under = within * bump(across * np.float32(0.1), dy - lower * almond, 1.0, 0.009)
        paint(picture[:, *at], 0.5 * under, skin_crease)
        crease_height = upper + 0.040 * (1 - 0.8 * min(age.hooded_lids, 1.0))
        crease = within * bump(across, dy + crease_height * np.sqrt(almond), 0.50, 0.010)
        paint(picture[:, *at], 0.55 * crease, skin_crease)


def paint_brows(picture: Picture, head: PosedHead, who: Anatomy, age: AgeSigns, conditions: ShotConditions) -> None:
    """Both brows, in place: they grey later than the hair, thin, and sink a little; a frown draws them together."""
    grey = max(age.greying - 0.25, 0.0)
    colour = (who.hair * 0.8) * (1 - grey) + rgb(0.68, 0.67, 0.66) * grey
    frown, smile = max(-conditions.expression, 0.0), max(conditions.expression, 0.0)
    cover = 0.92 - 0.25 * min(age.hair_loss + 0.5 * age.lip_thinning, 1.0)
    height = who.brow_height - 0.025 * age.sagging - 0.02 * frown + 0.01 * smile
    for side in SIDES:
        x, y = side * (who.eye_x - 0.01 - 0.02 * frown), who.eye_y - height
        at = head.window(x, y, 0.24, 0.14)
        dx, dy = (head.face_x[at] - x) * side, head.face_y[at] - y
        arch = 1.3 * dx * dx - 0.12 * dx * (1 - frown) + 0.02 * frown
        taper = who.brow_thickness * 0.7
        strands = 0.88 + 0.12 * np.sin(dx * 120 + dy * 90)
        paint(picture[:, *at], cover * np.minimum(1.5 * bump(dx, dy - arch, 0.105, taper), 1) * strands, colour)
