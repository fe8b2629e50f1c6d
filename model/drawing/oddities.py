"""Pictures that a nightly job must refuse for the right reason."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from model.drawing.camera import Pixels
from model.drawing.face import draw_face
from model.drawing.latents import Framing, random_conditions, random_latents
from model.drawing.raster import cloud


def draw_scene_without_face(rng: np.random.Generator, size: int = 320) -> Pixels:
    """(size, size, 3): a wall, a table edge and a blurred patch of cloth; nobody in it."""
    wall = np.float32(rng.uniform(0.35, 0.8, size=3))
    scene = wall * (1 + 0.05 * cloud(rng, (size, size), (5, 5)))[..., None]
    table = int(size * rng.uniform(0.55, 0.75))
    scene[table:] = (
        np.float32(rng.uniform(0.1, 0.5, size=3)) * (1 + 0.08 * cloud(rng, (size - table, size), (3, 40)))[..., None]
    )
    scene += 0.01 * rng.standard_normal((size, size, 1), dtype=np.float32)
    return (np.clip(scene, 0, 1) * 255).astype(np.uint8)


def draw_two_faces(rng: np.random.Generator, size: int = 320) -> Pixels:
    """(size, size, 3): two people side by side, both plainly visible."""
    half = size // 2
    picture = np.empty((size, size, 3), dtype=np.uint8)
    room = int(rng.integers(2**31))
    for left, width in ((0, half), (half, size - half)):
        conditions = replace(random_conditions(rng), yaw=0.0, pitch=0.0, blur=0.0, sensor_noise=0.005, exposure=1.0)
        conditions = replace(conditions, background_seed=room, colour_temperature=0.0)
        drawn = draw_face(random_latents(rng), conditions, size, framing=Framing(zoom=0.52)).pixels
        margin = (size - width) // 2
        picture[:, left : left + width] = drawn[:, margin : margin + width]
    return picture


def draw_face_cut_by_frame(rng: np.random.Generator, size: int = 320) -> Pixels:
    """(size, size, 3): a face of which the frame's edge cuts a part away, eyes and nose still visible."""
    conditions = replace(
        random_conditions(rng), yaw=0.0, pitch=0.0, roll=0.0, blur=0.0, sensor_noise=0.005, exposure=1.0
    )
    side = float(rng.choice([-1.0, 1.0]))
    return draw_face(random_latents(rng), conditions, size, framing=Framing(zoom=1.25, offset_x=0.30 * side)).pixels
