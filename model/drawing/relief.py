"""The face as a height field, and how a lamp lights it.

Lines and folds are grooves: soft light hides them, as it does on people.
"""

from __future__ import annotations

import numpy as np

from model.drawing.anatomy import AgeSigns, Anatomy, FrailtySigns
from model.drawing.latents import ShotConditions
from model.drawing.pose import PosedHead
from model.drawing.raster import Plane, bump

SIDES = (-1, 1)


class Relief:
    """Heights (face units) that features raise and lower, kept with the darkening that grooves cause by themselves."""

    def __init__(self, head: PosedHead) -> None:
        """Start from a smooth rounded head."""
        self.head = head
        self.height: Plane = 0.9 * head.depth
        self.groove_shadow: Plane = np.zeros_like(self.height)

    def raise_bump(self, x: float, y: float, sx: float, sy: float, height: float) -> None:
        """Raise (or with a negative height lower) a bell of half-widths sx, sy at a point of the face."""
        at = self.head.window(x, y, 2 * sx, 2 * sy)
        self.height[at] += np.float32(height) * bump(self.head.face_x[at] - x, self.head.face_y[at] - y, sx, sy)

    def cut_line(
        self, x: float, y: float, length: float, width: float, depth: float, *, slope: float = 0.0, curve: float = 0.0
    ) -> None:
        """Cut a roughly horizontal groove of half-length `length` through (x, y), with a slope and a curvature."""
        rise = abs(slope) * length + abs(curve) * length**2
        at = self.head.window(x, y, length, rise + 2 * width)
        dx = self.head.face_x[at] - x
        dy = self.head.face_y[at] - y - np.float32(slope) * dx - np.float32(curve) * dx * dx
        self._cut(at, bump(dx, dy, length / 2, width), depth)

    def cut_fold(
        self, top: tuple[float, float], bottom: tuple[float, float], width: float, depth: float, *, bow: float = 0.0
    ) -> None:
        """Cut a roughly vertical groove from `top` to `bottom`, bowed sideways by `bow` at its middle."""
        half = (bottom[1] - top[1]) / 2
        x, y = (top[0] + bottom[0]) / 2, (top[1] + bottom[1]) / 2
        lean = (bottom[0] - top[0]) / 2 / half
        at = self.head.window(x, y, abs(lean) * half + abs(bow) + 2 * width, half)
        dy = self.head.face_y[at] - y
        along = dy * np.float32(1 / half)
        dx = self.head.face_x[at] - x - np.float32(lean) * dy - np.float32(bow) * (1 - along * along)
        self._cut(at, bump(dx, dy, width, half / 2), depth)

    def _cut(self, at: tuple[slice, slice], groove: Plane, depth: float) -> None:
        self.height[at] -= np.float32(depth) * groove
        self.groove_shadow[at] += np.float32(7.0 * depth) * groove


def face_relief(
    head: PosedHead, who: Anatomy, age: AgeSigns, frailty: FrailtySigns, conditions: ShotConditions
) -> Relief:
    """Bones, flesh, folds and lines of one face with one expression."""
    relief = Relief(head)
    smile, frown = max(conditions.expression, 0.0), max(-conditions.expression, 0.0)
    _bones_and_flesh(relief, who, age, frailty, smile)
    _folds(relief, who, age, conditions, smile)
    _lines(relief, who, age, smile, frown)
    return relief


def _bones_and_flesh(relief: Relief, who: Anatomy, age: AgeSigns, frailty: FrailtySigns, smile: float) -> None:
    nose_tip = who.nose_y + 0.05 * age.nose_growth
    relief.raise_bump(0, nose_tip - 0.24, 0.55 * who.nose_width, 0.24, 0.10)
    relief.raise_bump(0, nose_tip - 0.02, 0.80 * who.nose_width, 0.10 + 0.02 * age.nose_growth, 0.15)
    relief.raise_bump(0, who.mouth_y, 0.24, 0.16, 0.05)
    relief.raise_bump(0, who.mouth_y - 0.045, who.mouth_width * 0.8, who.lip_height, 0.035)
    relief.raise_bump(0, who.mouth_y + 0.055, who.mouth_width * 0.65, who.lip_height, 0.05)
    relief.raise_bump(0, 0.86, 0.20, 0.12, who.chin)
    relief.raise_bump(0, who.mouth_y + 0.15, 0.16, 0.045, -0.04)
    for side in SIDES:
        relief.raise_bump(side * who.nose_width * 0.85, nose_tip + 0.015, 0.05, 0.05, 0.05)
        relief.raise_bump(side * who.eye_x, who.eye_y, 0.20, 0.13, -0.11 - 0.04 * frailty.temporal_wasting)
        relief.raise_bump(side * who.eye_x, who.eye_y - 0.14, 0.26, 0.05, 0.04)
        relief.raise_bump(side * 0.44, 0.20 - 0.03 * smile, 0.19, 0.15, who.cheekbone + 0.03 * smile)
        relief.raise_bump(side * 0.50, 0.40, 0.14, 0.24, 0.04 - 0.21 * frailty.hollow_cheeks)
        relief.raise_bump(side * 0.62, -0.40, 0.13, 0.22, -0.16 * frailty.temporal_wasting)
        relief.raise_bump(side * 0.45, 0.72, 0.13, 0.14, 0.13 * age.sagging)


def _folds(relief: Relief, who: Anatomy, age: AgeSigns, conditions: ShotConditions, smile: float) -> None:
    corner_x = who.mouth_width * (1 + 0.12 * smile)
    for side in SIDES:
        puffiness = 0.95 * age.eye_bags + 0.25 * conditions.tiredness
        relief.raise_bump(side * who.eye_x, who.eye_y + 0.105, 0.12, 0.04, 0.035 * puffiness)
        relief.cut_line(
            side * who.eye_x,
            who.eye_y + 0.165,
            0.17,
            0.026,
            0.044 * age.eye_bags + 0.008 * conditions.tiredness,
            curve=-1.6,
        )
        relief.cut_fold(
            (side * (who.nose_width + 0.05), who.nose_y - 0.03),
            (side * (corner_x + 0.07), who.mouth_y + 0.03),
            0.034,
            0.060 * age.nasolabial_folds + 0.016 * smile,
            bow=side * (0.02 + 0.02 * smile),
        )
        relief.cut_fold(
            (side * (corner_x + 0.015), who.mouth_y + 0.02),
            (side * (corner_x + 0.05), who.mouth_y + 0.27),
            0.030,
            0.055 * age.marionette_lines,
        )


def _lines(relief: Relief, who: Anatomy, age: AgeSigns, smile: float, frown: float) -> None:
    rng = np.random.default_rng([who.texture_seed, 1])
    for line in range(4):
        jitter = rng.normal(size=3)
        y = who.eye_y - 0.33 - 0.085 * line + 0.010 * jitter[0]
        relief.cut_line(
            0.04 * jitter[1], y, 0.42 - 0.03 * line, 0.024, 0.032 * age.forehead_lines, curve=0.12 * jitter[2]
        )
    for side in SIDES:
        lean = rng.normal()
        depth = 0.034 * age.frown_lines + 0.012 * frown
        top, bottom = (side * 0.045, who.eye_y - 0.27), (side * (0.065 + 0.01 * lean), who.eye_y - 0.08)
        relief.cut_fold(top, bottom, 0.022, depth)
        for ray in (-1, 0, 1):
            depth = 0.030 * age.crows_feet + 0.006 * smile * (0.3 + age.crows_feet)
            slope = side * ray * (0.42 + 0.08 * rng.normal())
            relief.cut_line(side * (who.eye_x + 0.24), who.eye_y + 0.015 + 0.04 * ray, 0.12, 0.020, depth, slope=slope)
        relief.cut_line(
            side * 0.42, 0.30, 0.16, 0.022, 0.014 * age.rough_skin + 0.010 * age.sagging, slope=side * 0.9, curve=-0.8
        )
    for stroke in range(-3, 4):
        x = 0.055 * stroke + 0.01 * rng.normal()
        depth = 0.030 * age.lip_thinning * max(age.rough_skin, 0.2)
        relief.cut_fold((x * 1.05, who.mouth_y - 0.16), (x, who.mouth_y - 0.05), 0.014, depth)


def lighting(relief: Relief, conditions: ShotConditions) -> tuple[Plane, Plane]:
    """(diffuse shade, highlight), each (h, w): Lambert plus ambient light, and a broad skin gloss."""
    spacing = 1.0 / relief.head.pixels_per_unit
    slope_x, slope_y = np.zeros_like(relief.height), np.zeros_like(relief.height)
    slope_x[:, 1:-1] = (relief.height[:, 2:] - relief.height[:, :-2]) * np.float32(0.5 / spacing)
    slope_y[1:-1] = (relief.height[2:] - relief.height[:-2]) * np.float32(0.5 / spacing)
    inverse_length = 1 / np.sqrt(1 + slope_x * slope_x + slope_y * slope_y)
    lamp = np.array([conditions.light_x, conditions.light_y, 0.95], dtype=np.float32)
    lamp /= np.linalg.norm(lamp)
    towards = (lamp[2] - lamp[0] * slope_x - lamp[1] * slope_y) * inverse_length
    hard = conditions.light_hardness
    lambert = np.clip(towards, 0, 1)
    ambient = 0.68 + 0.22 * inverse_length
    shade = np.float32(hard) * (0.34 + 0.78 * lambert) + np.float32(1 - hard) * ambient
    shade *= 1 - np.minimum(relief.groove_shadow, 0.75)
    glint = np.clip(towards, 0, 1) ** 2
    glint *= glint
    glint *= glint
    return shade, np.float32(0.05 + 0.10 * hard) * glint * glint
