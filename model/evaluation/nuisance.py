"""What may change in a photograph without the person having changed: each nuisance declared once, as data.

A drawn nuisance re-renders the same drawn person with one latent or condition set otherwise. A picture nuisance changes
the pixels of any photograph before the face is looked for, so that detection and alignment are part of what is
measured. Makeup, pose, lighting and cosmetic surgery are the paper's (arXiv 2506.14909); levels and masks are ours.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from model.drawing import FaceLatents, ShotConditions
from model.evaluation import nuisance_pictures as pictures

Pixels = NDArray[np.uint8]
Landmarks = NDArray[np.floating]
Portrait = tuple[FaceLatents, ShotConditions]


@dataclass(frozen=True)
class Nuisance:
    """What every nuisance says of itself."""

    name: str
    stands_for: str
    """What in a clinic it is, in words."""
    unit: str
    """Of the levels; empty for a plain number."""
    none: float
    """The level at which nothing changes, not one pixel."""
    levels: tuple[float, ...]
    """Ascending, without `none`."""

    def __post_init__(self) -> None:
        if not self.levels or self.none in self.levels or list(self.levels) != sorted(set(self.levels)):
            raise ValueError(f"levels of {self.name} ascend, are not empty, and leave out {self.none:g}")

    def label(self, level: float) -> str:
        """The nuisance and its level with its unit, as printed in tables."""
        return f"{self.name.replace('_', ' ')} {level:g} {self.unit}".strip()

    @property
    def extremes(self) -> tuple[float, ...]:
        """The furthest level on each side of `none`, for a quick look."""
        below = [level for level in self.levels if level < self.none]
        above = [level for level in self.levels if level > self.none]
        return tuple(below[:1] + above[-1:])


@dataclass(frozen=True)
class DrawnNuisance(Nuisance):
    """Changes one latent or one condition of a drawn photograph."""

    change: Callable[[FaceLatents, ShotConditions, float], Portrait]

    def __call__(self, person: FaceLatents, conditions: ShotConditions, level: float) -> Portrait:
        """The same person and photograph with this nuisance at `level`."""
        return (person, conditions) if level == self.none else self.change(person, conditions, level)


@dataclass(frozen=True)
class PictureNuisance(Nuisance):
    """Changes the pixels of any photograph."""

    change: Callable[[pictures.Photograph, float], Pixels]

    def __call__(self, photograph: pictures.Photograph, level: float) -> Pixels:
        """The picture with this nuisance at `level`, (H', W', 3) uint8 RGB; the very same pixels at `none`."""
        return photograph.pixels if level == self.none else self.change(photograph, level)


PORTRAIT = ShotConditions(sensor_noise=0.01, blur=0.6)
"""The photograph without nuisance: frontal, neutral, a soft lamp from above, no make-up."""


def _condition(field: str, *, factor: float = 1.0) -> Callable[[FaceLatents, ShotConditions, float], Portrait]:
    def change(person: FaceLatents, conditions: ShotConditions, level: float) -> Portrait:
        # One named field; mypy cannot see that all fields set here are floats.
        return person, replace(conditions, **{field: level * factor})  # type: ignore[arg-type]

    return change


def _operated(person: FaceLatents, conditions: ShotConditions, level: float) -> Portrait:
    return replace(person, surgery=level), conditions


_DEGREE = math.pi / 180

DRAWN_NUISANCES: tuple[DrawnNuisance, ...] = (
    DrawnNuisance("makeup", "make-up, from light to full", "", 0.0, (0.3, 0.6, 1.0), _condition("makeup")),
    DrawnNuisance("surgery", "a lift of face and lids", "", 0.0, (0.3, 0.6, 1.0), _operated),
    DrawnNuisance(
        "yaw", "face turned aside", "deg", 0.0, (-30.0, -15.0, 15.0, 30.0), _condition("yaw", factor=_DEGREE)
    ),
    DrawnNuisance(
        "pitch", "chin raised (−) or lowered (+)", "deg", 0.0, (-12.0, -6.0, 6.0, 12.0),
        _condition("pitch", factor=_DEGREE),
    ),
    DrawnNuisance(
        "roll", "head tilted to a shoulder", "deg", 0.0, (-12.0, -6.0, 6.0, 12.0), _condition("roll", factor=_DEGREE)
    ),
    DrawnNuisance(
        "light_side", "lamp from the picture's left (−1) or right (1)", "", PORTRAIT.light_x, (-0.9, 0.0, 0.9),
        _condition("light_x"),
    ),
    DrawnNuisance(
        "light_height", "lamp high above (−1) or level with the face (0)", "", PORTRAIT.light_y, (-0.8, 0.0),
        _condition("light_y"),
    ),
    DrawnNuisance(
        "light_hardness", "soft window light (0) or one bare lamp (1)", "", PORTRAIT.light_hardness, (0.15, 0.95),
        _condition("light_hardness"),
    ),
    DrawnNuisance(
        "exposure", "under- or over-exposed", "x", PORTRAIT.exposure, (0.7, 0.85, 1.2, 1.4), _condition("exposure")
    ),
    DrawnNuisance(
        "colour_temperature", "white balance too blue (−1) or too yellow (1)", "", PORTRAIT.colour_temperature,
        (-1.0, -0.5, 0.5, 1.0), _condition("colour_temperature"),
    ),
    DrawnNuisance("expression", "frown (−1) or smile (1)", "", 0.0, (-1.0, -0.5, 0.5, 1.0), _condition("expression")),
    DrawnNuisance("tiredness", "a bad night: puffy lids and rings", "", 0.0, (0.3, 0.6, 1.0), _condition("tiredness")),
    DrawnNuisance(
        "camera_noise", "a small sensor in poor light: SD of noise", "of full scale", PORTRAIT.sensor_noise,
        (0.002, 0.03, 0.06), _condition("sensor_noise"),
    ),
    DrawnNuisance(
        "camera_blur", "out of focus: radius", "px of 320", PORTRAIT.blur, (0.0, 1.2, 2.2), _condition("blur")
    ),
)  # fmt: skip
"""Everything that is changed by drawing the person again."""


PICTURE_NUISANCES: tuple[PictureNuisance, ...] = (
    PictureNuisance(
        "jpeg_quality", "stored as JPEG of lower quality", "", 100.0, (10.0, 30.0, 50.0, 70.0, 90.0),
        pictures.compressed,
    ),
    PictureNuisance(
        "gaussian_blur", "out of focus: SD", "of eye distance", 0.0, (0.02, 0.03, 0.05), pictures.blurred
    ),
    PictureNuisance("scale", "stored smaller or enlarged", "x", 1.0, (0.5, 0.7, 1.5, 2.0), pictures.scaled),
    PictureNuisance(
        "mouth_covered", "a surgical mask, drawn up from below the chin to the nose", "of the mask", 0.0, (0.5, 1.0),
        pictures.mouth_covered,
    ),
    PictureNuisance(
        "eyes_covered", "a black bar over the eyes, as in published photographs", "of the bar", 0.0, (0.5, 1.0),
        pictures.eyes_covered,
    ),
    PictureNuisance(
        "half_covered", "the picture's left half of the face behind a grey board", "of the half", 0.0, (0.5, 1.0),
        pictures.half_covered,
    ),
    PictureNuisance("brightness", "all values multiplied", "x", 1.0, (0.6, 0.8, 1.25, 1.5), pictures.brightened),
    PictureNuisance("gamma", "another tone curve: exponent", "", 1.0, (0.6, 0.8, 1.25, 1.6), pictures.tone_curved),
    PictureNuisance("added_noise", "noise in the file: SD", "of full scale", 0.0, (0.02, 0.05, 0.10), pictures.noisy),
    PictureNuisance(
        "rotation", "camera held askew", "deg", 0.0, (-30.0, -15.0, 15.0, 30.0), pictures.rotated
    ),
)  # fmt: skip
"""Everything that is changed in the pixels of a photograph."""
