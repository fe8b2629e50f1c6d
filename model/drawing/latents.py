"""What is true about a drawn person, and what is merely true of one photograph of them."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Literal

import numpy as np

Sex = Literal["F", "M"]

YOUNGEST_YEARS, OLDEST_YEARS = 20.0, 95.0
"""Range of biological age that the drawing shows (years)."""

HOSPITAL_IDENTITY_SEEDS_FROM = 10_000_000
"""Identity seeds of demo-hospital patients start here."""

SHARE_WITH_SURGERY = 0.08
"""Share of random people whose face a cosmetic surgeon changed (ours)."""

TRAINING_IDENTITY_SEEDS_BELOW = 1_000_000
"""People drawn for training and evaluation have identity seeds below this: they share nobody with a hospital."""


@dataclass(frozen=True, slots=True)
class FaceLatents:
    """A person: what a drawn face means, known because we drew it."""

    sex: Sex
    biological_age: float
    """Years, 20 to 95: how old the body is, which is what the skin, hair and relief show."""
    frailty: float
    """Standard normal, higher is frailer: wasting, pallor, tired eyes; independent of age."""
    skin_tone: float
    """0 (darkest) to 1 (lightest)."""
    identity_seed: int
    """Face shape, hair, moles, and when and how strongly each sign of age shows on this person."""
    surgery: float = 0.0
    """0 to 1: how much of sagging, folds and bags a cosmetic surgeon took back; says nothing about age or frailty."""

    def __post_init__(self) -> None:
        if self.sex not in ("F", "M"):
            raise ValueError("sex is 'F' or 'M'")
        if not YOUNGEST_YEARS <= self.biological_age <= OLDEST_YEARS:
            raise ValueError(f"biological_age lies between {YOUNGEST_YEARS:g} and {OLDEST_YEARS:g} years")
        if not 0.0 <= self.skin_tone <= 1.0:
            raise ValueError("skin_tone lies between 0 and 1")
        if not 0.0 <= self.surgery <= 1.0:
            raise ValueError("surgery lies between 0 and 1")

    def aged(self, years: float) -> FaceLatents:
        """The same person `years` later (or earlier), kept within the drawable range."""
        age = float(np.clip(self.biological_age + years, YOUNGEST_YEARS, OLDEST_YEARS))
        return replace(self, biological_age=age)


@dataclass(frozen=True, slots=True)
class ShotConditions:
    """One photograph: everything that changes between two pictures of the same person on the same day."""

    yaw: float = 0.0
    """Radians, positive turns the face to the right of the picture; drawable within about 0.6."""
    pitch: float = 0.0
    """Radians, positive looks down; drawable within about 0.35."""
    roll: float = 0.0
    """Radians, positive tilts the head clockwise in the picture."""
    light_x: float = -0.3
    """Where the light stands: -1 left, 1 right."""
    light_y: float = -0.4
    """Where the light stands: -1 above, 1 below."""
    light_hardness: float = 0.5
    """0: light from everywhere, lines vanish; 1: one hard lamp."""
    exposure: float = 1.0
    """Factor on brightness."""
    colour_temperature: float = 0.0
    """White balance error: -1 bluish, 1 yellowish."""
    expression: float = 0.0
    """-1 frowning, 0 neutral, 1 smiling."""
    tiredness: float = 0.0
    """0 to 1: puffy lids and darker rings of a bad night; says nothing about age or frailty."""
    makeup: float = 0.0
    """0 to 1: evens the skin, hides spots and rings, colours lips and lashes."""
    sensor_noise: float = 0.01
    """Standard deviation of noise, as a fraction of full scale."""
    blur: float = 0.0
    """Radius of focus or motion blur, in 1/320 of the picture's side."""
    background_seed: int = 0
    shot_seed: int = 0


@dataclass(frozen=True, slots=True)
class Framing:
    """Where the head stands in the picture, and how large it is."""

    zoom: float = 1.0
    """1.0: the head takes about two thirds of the height."""
    offset_x: float = 0.0
    """Horizontal shift of the head's centre, as a fraction of the picture's side."""
    offset_y: float = 0.0
    """Vertical shift, downwards, as a fraction of the picture's side."""


def random_latents(
    rng: np.random.Generator,
    *,
    identity_seed: int | None = None,
    sex: Sex | None = None,
    biological_age: float | None = None,
    frailty: float | None = None,
) -> FaceLatents:
    """A random person; ages are uniform over 20 to 95, frailty standard normal. Arguments given are kept as they are.

    A random identity seed is a training one (below `TRAINING_IDENTITY_SEEDS_BELOW`).
    """
    drawn_sex: Sex = "F" if rng.random() < 0.5 else "M"
    drawn_age = float(rng.uniform(YOUNGEST_YEARS, OLDEST_YEARS))
    drawn_frailty = float(rng.normal())
    drawn_tone = float(rng.beta(1.8, 1.2))
    drawn_identity = int(rng.integers(TRAINING_IDENTITY_SEEDS_BELOW))
    had_surgery, extent = rng.random() < SHARE_WITH_SURGERY, float(rng.uniform(0.3, 1.0))
    return FaceLatents(
        sex=drawn_sex if sex is None else sex,
        biological_age=drawn_age if biological_age is None else biological_age,
        frailty=drawn_frailty if frailty is None else frailty,
        skin_tone=drawn_tone,
        identity_seed=drawn_identity if identity_seed is None else identity_seed,
        surgery=extent if had_surgery else 0.0,
    )


def random_conditions(rng: np.random.Generator) -> ShotConditions:
    """A random photograph: nothing in it is shared with any other."""
    return ShotConditions(
        yaw=float(np.clip(rng.normal(0, 0.20), -0.5, 0.5)),
        pitch=float(np.clip(rng.normal(0, 0.09), -0.22, 0.22)),
        roll=float(np.clip(rng.normal(0, 0.07), -0.2, 0.2)),
        light_x=float(rng.uniform(-0.9, 0.9)),
        light_y=float(rng.uniform(-0.8, 0.1)),
        light_hardness=float(rng.uniform(0.15, 0.95)),
        exposure=float(np.exp(rng.normal(0, 0.12))),
        colour_temperature=float(np.clip(rng.normal(0, 0.4), -1, 1)),
        expression=float(np.clip(rng.normal(0.1, 0.4), -1, 1)),
        tiredness=float(rng.beta(1.2, 3.0)),
        makeup=float(rng.beta(2, 2)) if rng.random() < 0.25 else 0.0,
        sensor_noise=float(np.clip(rng.lognormal(-4.2, 0.6), 0.002, 0.06)),
        blur=float(np.clip(rng.lognormal(-0.5, 0.6), 0.0, 2.2)),
        background_seed=int(rng.integers(2**31)),
        shot_seed=int(rng.integers(2**31)),
    )


def conditions_of_session(rng: np.random.Generator, photos: int) -> list[ShotConditions]:
    """`photos` pictures taken minutes apart: room, lamp, camera, make-up and tiredness are shared; the rest varies."""
    room = random_conditions(rng)
    session = []
    for _ in range(photos):
        shot = random_conditions(rng)
        session.append(
            replace(
                shot,
                light_x=float(np.clip(room.light_x + rng.normal(0, 0.15), -1, 1)),
                light_y=float(np.clip(room.light_y + rng.normal(0, 0.10), -1, 1)),
                light_hardness=room.light_hardness,
                exposure=room.exposure * float(np.exp(rng.normal(0, 0.05))),
                colour_temperature=room.colour_temperature,
                tiredness=room.tiredness,
                makeup=room.makeup,
                sensor_noise=room.sensor_noise,
                background_seed=room.background_seed,
            )
        )
    return session
