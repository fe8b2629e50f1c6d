"""Where each pixel lies on a turned head, and where each point of a head lies in the picture."""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import lru_cache

import numpy as np

from model.drawing.anatomy import Anatomy, FrailtySigns
from model.drawing.latents import Framing, ShotConditions
from model.drawing.raster import Plane, smooth_step

HALF_SIDE = 1.5
"""Face units from the picture's centre to its edge at zoom 1."""

YAW_SHIFT, PITCH_SHIFT = 0.40, 0.32
"""How far a point at full depth moves for a unit sine of yaw or pitch (face units)."""

Window = tuple[slice, slice]


@lru_cache(maxsize=4)
def _pixel_grid(size: int) -> tuple[Plane, Plane]:
    """Picture coordinates in pixels from the centre, x to the right and y down."""
    centred = np.arange(size, dtype=np.float32) - (size - 1) / 2
    return np.broadcast_to(centred, (size, size)), np.broadcast_to(centred[:, None], (size, size))


@dataclass(frozen=True, slots=True)
class PosedHead:
    """Coordinate planes of one head in one picture, each (h, w) float32 in face units."""

    shape: tuple[int, int]
    """Rows and columns of the planes."""
    pixels_per_unit: float
    frame_x: Plane
    """Upright coordinates: shoulders and background."""
    frame_y: Plane
    x: Plane
    """Coordinates tilted with the head: its outline, hair and ears."""
    y: Plane
    inside: Plane
    """1 - r² of the head's outline: positive on the face."""
    depth: Plane
    """0 at the outline to 1 at the middle of the face."""
    face_x: Plane
    """Coordinates on the turned face: its features."""
    face_y: Plane
    half_width: Plane
    centre_px: tuple[float, float]
    turn: tuple[float, float]
    cos_sin_roll: tuple[float, float]
    outline: tuple[float, float, float, float]

    def to_pixels(self, face_x: float, face_y: float) -> tuple[float, float]:
        """Pixel (x, y) at which a point of the face is drawn."""
        x, y = face_x, face_y
        for _ in range(6):
            depth = max(1.0 - (x / self.outline[0]) ** 2 - (y / self.outline[1]) ** 2, 0.0) ** 0.5
            x, y = face_x + self.turn[0] * depth, face_y + self.turn[1] * depth
        return self.head_to_pixels(x, y)

    def head_to_pixels(self, x: float, y: float) -> tuple[float, float]:
        """Pixel (x, y) of a point given in tilted head coordinates."""
        cosine, sine = self.cos_sin_roll
        across, down = x * cosine - y * sine, x * sine + y * cosine
        return self.centre_px[0] + across * self.pixels_per_unit, self.centre_px[1] + down * self.pixels_per_unit

    def window(self, face_x: float, face_y: float, reach_x: float, reach_y: float) -> Window:
        """The rows and columns that hold all face points within `reach` of (face_x, face_y); may be empty."""
        return self._window_around(self.to_pixels(face_x, face_y), 1.25 * reach_x + 0.03, 1.25 * reach_y + 0.03)

    def window_of_outline(self, x: float, y: float, reach_x: float, reach_y: float) -> Window:
        """As `window`, about a point in tilted head coordinates."""
        return self._window_around(self.head_to_pixels(x, y), reach_x, reach_y)

    def cropped(self, reach_x: float, reach_y: float) -> tuple[PosedHead, Window]:
        """The part of the planes within reach of the head's centre, as a head of its own, and where they lie."""
        at = self.window_of_outline(0.0, 0.0, reach_x, reach_y)
        part = replace(
            self,
            shape=self.x[at].shape,
            centre_px=(self.centre_px[0] - at[1].start, self.centre_px[1] - at[0].start),
            frame_x=np.ascontiguousarray(self.frame_x[at]),
            frame_y=np.ascontiguousarray(self.frame_y[at]),
            x=np.ascontiguousarray(self.x[at]),
            y=np.ascontiguousarray(self.y[at]),
            inside=np.ascontiguousarray(self.inside[at]),
            depth=np.ascontiguousarray(self.depth[at]),
            face_x=np.ascontiguousarray(self.face_x[at]),
            face_y=np.ascontiguousarray(self.face_y[at]),
            half_width=np.ascontiguousarray(self.half_width[at]),
        )
        return part, at

    def _window_around(self, centre: tuple[float, float], reach_x: float, reach_y: float) -> Window:
        centre_x, centre_y = centre
        cosine, sine = (abs(value) for value in self.cos_sin_roll)
        half_columns = (reach_x * cosine + reach_y * sine) * self.pixels_per_unit
        half_rows = (reach_x * sine + reach_y * cosine) * self.pixels_per_unit
        return (
            slice(max(int(centre_y - half_rows), 0), max(min(int(centre_y + half_rows) + 2, self.shape[0]), 0)),
            slice(max(int(centre_x - half_columns), 0), max(min(int(centre_x + half_columns) + 2, self.shape[1]), 0)),
        )


def pose_head(
    anatomy: Anatomy, frailty: FrailtySigns, jowls: float, conditions: ShotConditions, framing: Framing, size: int
) -> PosedHead:
    """Place the head of `anatomy` in a picture of `size` pixels a side. `jowls` 0..1.2 squares the jaw."""
    pixels_per_unit = size / (2 * HALF_SIDE) * framing.zoom
    across, down = _pixel_grid(size)
    frame_x = across * np.float32(1 / pixels_per_unit) - np.float32(framing.offset_x * size / pixels_per_unit)
    frame_y = down * np.float32(1 / pixels_per_unit) - np.float32(framing.offset_y * size / pixels_per_unit)
    cosine, sine = float(np.cos(conditions.roll)), float(np.sin(conditions.roll))
    x = frame_x * np.float32(cosine) + frame_y * np.float32(sine) - np.float32(0.10 * np.sin(conditions.yaw))
    y = frame_y * np.float32(cosine) - frame_x * np.float32(sine)
    jaw = anatomy.jaw_narrowing - 0.13 * jowls + 0.03 * frailty.hollow_cheeks
    outline = (anatomy.half_width, anatomy.half_height, jaw, 0.055 * frailty.temporal_wasting)
    half_width = _outline_half_width(y, outline)
    inside = 1 - (x / half_width) ** 2 - (y * np.float32(1 / anatomy.half_height)) ** 2
    depth = np.sqrt(np.maximum(inside, 0))
    turn = YAW_SHIFT * float(np.sin(conditions.yaw)), PITCH_SHIFT * float(np.sin(conditions.pitch))
    centre = (size - 1) / 2
    shift_x = 0.10 * float(np.sin(conditions.yaw))
    return PosedHead(
        shape=(size, size),
        pixels_per_unit=pixels_per_unit,
        frame_x=frame_x,
        frame_y=frame_y,
        x=x,
        y=y,
        inside=inside,
        depth=depth,
        face_x=x - np.float32(turn[0]) * depth,
        face_y=y - np.float32(turn[1]) * depth,
        half_width=half_width,
        centre_px=(
            centre + framing.offset_x * size + shift_x * cosine * pixels_per_unit,
            centre + framing.offset_y * size + shift_x * sine * pixels_per_unit,
        ),
        turn=turn,
        cos_sin_roll=(cosine, sine),
        outline=outline,
    )


def _outline_half_width(y: Plane, outline: tuple[float, float, float, float]) -> Plane:
    """Half the head's width at height y: narrower towards the chin, and at the temples where these have wasted."""
    width, _, jaw, temples = outline
    narrowing = jaw * smooth_step(y, 0.1, 1.05)
    hollow = np.maximum(1 - ((y + 0.38) * (1 / 0.30)) ** 2, 0) ** 2
    return width * (1 - narrowing - temples * hollow)
