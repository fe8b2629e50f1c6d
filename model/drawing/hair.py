"""Hair and ears around the face, and the neck and clothes below it."""

from __future__ import annotations

import numpy as np

from model.drawing.anatomy import AgeSigns, Anatomy
from model.drawing.latents import ShotConditions
from model.drawing.pose import PosedHead
from model.drawing.raster import Picture, Plane, cloud, paint, ramp, rgb, smooth_step
from model.drawing.relief import SIDES

STRANDS = 720
CLOTHES = (
    (0.42, 0.60, 0.66),
    (0.62, 0.70, 0.78),
    (0.25, 0.30, 0.42),
    (0.72, 0.72, 0.70),
    (0.45, 0.30, 0.30),
    (0.20, 0.22, 0.22),
)


def backdrop(head: PosedHead, conditions: ShotConditions) -> Picture:
    """A wall: one colour, a gradient and blurred patches, all of it the room's."""
    rng = np.random.default_rng([conditions.background_seed, 1])
    wall = (rng.uniform(0.30, 0.80) + rng.normal(0, 0.05, size=3)).astype(np.float32)
    patches = cloud(rng, head.shape, (4, 4)) * np.float32(rng.uniform(0.01, 0.06))
    fall = head.frame_x * np.float32(0.05 * rng.normal()) + head.frame_y * np.float32(0.05 * rng.normal())
    return np.clip(wall, 0.1, 0.95)[:, None, None] * (1 + patches + fall)


def strand_colours(head: PosedHead, who: Anatomy, age: AgeSigns, conditions: ShotConditions) -> Picture:
    """(3, h, w): strands that run down and outwards from the parting, each turning grey in its own time."""
    rng = np.random.default_rng([who.texture_seed, 4])
    strand_noise = rng.normal(size=STRANDS).astype(np.float32)
    strand_noise = 0.6 * strand_noise + 0.4 * np.roll(strand_noise, 1)
    which = (head.x - who.parting_x) / (1.15 + 0.55 * np.sqrt((head.y + 0.1) ** 2 + 0.08)) * (
        STRANDS * 0.25
    ) + STRANDS / 2
    which += 4 * cloud(rng, head.shape, (9, 9))
    noise = strand_noise[which.astype(np.intp) % STRANDS]
    grey = np.clip(1.25 * age.greying - 0.12 + 0.16 * noise * min(4 * age.greying, 1.0), 0, 1)
    root = who.hair[:, None, None]
    colours = root + (rgb(0.76, 0.75, 0.74)[:, None, None] - root) * grey
    gloss = 0.85 + 0.10 * noise + 0.18 * conditions.light_hardness * (-head.y * 0.5 + head.x * conditions.light_x)
    return colours * np.clip(gloss, 0.35, 1.35)


def paint_hair_behind(picture: Picture, head: PosedHead, who: Anatomy, strands: Picture) -> None:
    """The mass of hair behind the head, down to the jaw or the shoulders where it is long."""
    reach = 0.10 + 0.05 * who.hair_length
    crown = ramp(1 - (head.x / (who.half_width + reach)) ** 2 - ((head.y + 0.10) / (who.half_height + 0.04)) ** 2, 14)
    crown *= ramp(0.15 - head.y, 12)
    if who.hair_length > 0.3:
        end = 0.15 + 1.0 * who.hair_length
        wave = 0.03 * np.sin(head.y * 7 + who.parting_x * 20)
        curtain = (
            ramp(who.half_width + 0.12 + wave - np.abs(head.x), 22) * ramp(end - head.y, 8) * ramp(head.y + 0.25, 4)
        )
        crown = np.maximum(crown, curtain)
    paint(picture, crown, strands * 0.72)


def scalp_cover(head: PosedHead, who: Anatomy, age: AgeSigns) -> Plane:
    """(h, w) 0..1: how opaque the hair in front is. The hairline climbs and the temples recede as hair is lost."""
    loss = min(age.hair_loss, 1.15)
    x = head.face_x - who.parting_x * 0.3
    bare_temples = 0.55 * loss * np.maximum(1 - ((np.abs(x) - 0.36) * np.float32(1 / 0.30)) ** 2, 0)
    hairline = who.hairline_y - 0.30 * loss - bare_temples * 0.5 + 0.62 * x * x - 0.10 * np.abs(x)
    cap = ramp(hairline - head.face_y, 22) * (1 - 0.75 * _step(loss, 0.35, 1.1))
    sides = (
        ramp(np.abs(head.x) - head.half_width * 0.90, 22)
        * ramp(0.12 + 0.2 * who.hair_length - head.y, 12)
        * ramp(head.y + 0.75, 8)
    )
    on_head = ramp(
        1 - (head.x / (who.half_width + 0.085)) ** 2 - ((head.y + 0.09) / (who.half_height + 0.035)) ** 2, 16
    )
    return np.maximum(cap, sides * 0.95) * on_head


def paint_ears(picture: Picture, head: PosedHead, who: Anatomy) -> None:
    """Ears, as far as hair leaves them free."""
    if who.hair_length > 0.45:
        return
    for side in SIDES:
        at = head.window_of_outline(side * who.half_width, 0.05, 0.12, 0.25)
        dx: Plane = (head.x[at] - side * (who.half_width * 0.99)) * np.float32(1 / 0.085)
        dy: Plane = (head.y[at] - 0.05) * np.float32(1 / 0.20)
        distance: Plane = dx * dx + dy * dy
        paint(picture[:, *at], ramp(1 - distance, 5), who.skin * 0.80)
        paint(picture[:, *at], 0.5 * ramp(0.35 - distance, 4), who.skin * 0.55)


def paint_body(picture: Picture, head: PosedHead, who: Anatomy, age: AgeSigns, conditions: ShotConditions) -> None:
    """Neck, with bands and shadow, and a shirt or a hospital gown."""
    lamp_side = 1 - 0.22 * conditions.light_hardness * np.clip(head.frame_x * (-conditions.light_x) * 2.5, -1, 1)
    throat = ramp(0.40 + 0.10 * smooth_step(head.frame_y, 0.9, 1.4) - np.abs(head.frame_x), 14) * ramp(
        head.frame_y - 0.5, 14
    )
    under_chin = 0.55 + 0.25 * smooth_step(head.frame_y, 0.85, 1.35)
    bands = 1 - 0.12 * age.sagging * np.maximum(1 - ((np.abs(head.frame_x) - 0.14) * np.float32(1 / 0.03)) ** 2, 0)
    below = slice(int(max(head.to_pixels(0, 0.2)[1], 0)), head.shape[0])
    paint(picture[:, below], throat[below], who.skin[:, None, None] * (under_chin * lamp_side * bands)[below])
    cloth = rgb(*CLOTHES[np.random.default_rng([conditions.background_seed, 2]).integers(len(CLOTHES))])
    neckline = 1.28 - 0.28 * np.minimum(np.abs(head.frame_x) * 2, 1) + 0.22 * np.maximum(np.abs(head.frame_x) - 0.5, 0)
    paint(picture[:, below], ramp(head.frame_y - neckline, 16)[below], cloth[:, None, None] * (0.9 * lamp_side)[below])


def _step(value: float, low: float, high: float) -> float:
    return float(smooth_step(np.full(1, value, dtype=np.float32), low, high)[0])
