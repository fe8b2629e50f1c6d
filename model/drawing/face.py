"""`draw_face`: a person and a photograph's conditions in, pixels and five landmarks out."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from model.drawing.anatomy import AgeSigns, Anatomy, age_signs, anatomy, frailty_signs
from model.drawing.camera import photograph
from model.drawing.eyes import paint_brows, paint_eyes
from model.drawing.hair import backdrop, paint_body, paint_ears, paint_hair_behind, scalp_cover, strand_colours
from model.drawing.latents import FaceLatents, Framing, ShotConditions
from model.drawing.pose import PosedHead, pose_head
from model.drawing.raster import paint, ramp
from model.drawing.relief import face_relief, lighting
from model.drawing.skin import skin_layer

CENTRED = Framing()


@dataclass(frozen=True, slots=True)
class DrawnFace:
    """A picture and where its landmarks are."""

    pixels: NDArray[np.uint8]
    """(size, size, 3) RGB."""
    landmarks: NDArray[np.float32]
    """(5, 2) x, y in pixels: eye on the picture's left, on its right, tip of the nose, left and right mouth corner."""


def draw_face(
    latents: FaceLatents, conditions: ShotConditions, size: int = 320, *, framing: Framing = CENTRED
) -> DrawnFace:
    """Draw one person under one photograph's conditions; the same arguments always give the same pixels."""
    who, age, frailty = anatomy(latents), age_signs(latents), frailty_signs(latents)
    head = pose_head(who, frailty, age.sagging, conditions, framing, size)
    near, face_window = head.cropped(1.04 * who.half_width, 1.04 * who.half_height)
    relief = face_relief(near, who, age, frailty, conditions)
    shade, highlight = lighting(relief, conditions)

    scene = backdrop(head, conditions)
    haired, hair_window = head.cropped(who.half_width + 0.22, 1.35)
    strands = strand_colours(haired, who, age, conditions)
    paint_hair_behind(scene[:, *hair_window], haired, who, strands)
    paint_body(scene, head, who, age, conditions)
    paint_ears(scene, head, who)

    face = skin_layer(near, who, age, frailty, conditions)
    paint_eyes(face, near, who, age, frailty, conditions)
    paint_brows(face, near, who, age, conditions)
    face *= shade
    face += highlight * (1 - 0.4 * conditions.makeup)
    paint(scene[:, *face_window], ramp(near.inside, 0.22 * head.pixels_per_unit), face)
    paint(scene[:, *hair_window], scalp_cover(haired, who, age), strands)
    return DrawnFace(photograph(scene, conditions), _landmarks(head, who, age, conditions))


def _landmarks(head: PosedHead, who: Anatomy, age: AgeSigns, conditions: ShotConditions) -> NDArray[np.float32]:
    corner_x = 0.95 * who.mouth_width * (1 + 0.14 * max(conditions.expression, 0.0))
    corner_y = who.mouth_y - 0.045 * conditions.expression + 0.022 * age.marionette_lines
    points = [
        (-who.eye_x, who.eye_y),
        (who.eye_x, who.eye_y),
        (0.0, who.nose_y + 0.05 * age.nose_growth),
        (-corner_x, corner_y),
        (corner_x, corner_y),
    ]
    return np.array([head.to_pixels(x, y) for x, y in points], dtype=np.float32)
