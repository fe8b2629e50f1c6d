"""From a person's latents to what is to be drawn: the lasting shape, the signs of age and the signs of frailty.

How age shows differs from person to person: each sign has an onset, a pace and a strength of its own, drawn once
from the identity seed, so that no single sign tells the age and two people of one biological age do not look alike.
All numbers are ours.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from model.drawing.latents import FaceLatents
from model.drawing.raster import Colour, rgb

TYPICAL_ONSET_YEARS = {
    "forehead_lines": 50.0,
    "frown_lines": 52.0,
    "crows_feet": 50.0,
    "eye_bags": 56.0,
    "nasolabial_folds": 46.0,
    "marionette_lines": 68.0,
    "hooded_lids": 70.0,
    "lip_thinning": 64.0,
    "sagging": 68.0,
    "spots": 67.0,
    "rough_skin": 62.0,
    "greying": 54.0,
    "hair_loss": 62.0,
    "nose_growth": 70.0,
}
"""Age at which half of a sign's full strength shows on a typical person (years)."""

LIFTED_BY_SURGERY = ("eye_bags", "nasolabial_folds", "marionette_lines", "hooded_lids", "sagging")
"""What a lift of face and lids takes back; lines, spots, skin and hair stay."""

LARGEST_LIFT = 0.7
"""Share of those signs that the most extensive surgery takes back."""

ONSET_SPREAD_YEARS = 5.0
"""Standard deviation between people of a sign's onset, on top of the person's own general lead or lag."""

GENERAL_SPREAD_YEARS = 1.0
"""Standard deviation between people of the lead or lag common to all signs: what no network can see through."""


@dataclass(frozen=True, slots=True)
class AgeSigns:
    """How strongly each sign of age shows: about 0 (absent) to 1.2 (very marked)."""

    forehead_lines: float
    frown_lines: float
    crows_feet: float
    eye_bags: float
    nasolabial_folds: float
    marionette_lines: float
    hooded_lids: float
    lip_thinning: float
    sagging: float
    spots: float
    rough_skin: float
    greying: float
    hair_loss: float
    nose_growth: float


@dataclass(frozen=True, slots=True)
class FrailtySigns:
    """How strongly each sign of frailty shows: 0 (robust) to 1 (very frail)."""

    temporal_wasting: float
    hollow_cheeks: float
    pallor: float
    dark_rings: float
    ptosis: float


@dataclass(frozen=True, slots=True)
class Anatomy:
    """Lasting shape and colour of one person; lengths are in face units (half the picture's side is 1.5)."""

    half_width: float
    half_height: float
    jaw_narrowing: float
    eye_x: float
    eye_y: float
    eye_width: float
    eye_height: float
    brow_height: float
    brow_thickness: float
    nose_width: float
    nose_y: float
    mouth_y: float
    mouth_width: float
    lip_height: float
    cheekbone: float
    chin: float
    hair_length: float
    """0: cropped, 0.5: to the jaw, 1: to the shoulders."""
    hairline_y: float
    parting_x: float
    stubble: float
    skin: Colour
    hair: Colour
    iris: Colour
    lips: Colour
    texture_seed: int


def anatomy(person: FaceLatents) -> Anatomy:
    """The lasting shape and colours of `person`; the same for every photograph of them."""
    rng = np.random.default_rng([person.identity_seed, 1])
    male = person.sex == "M"
    spread = rng.normal(size=20).clip(-2.2, 2.2).tolist()
    tone = person.skin_tone
    skin = _mix((0.34, 0.21, 0.15), (0.95, 0.78, 0.68), tone) + rgb(0.0, 0.012, 0.02) * spread[14]
    light_hair = rng.random() < 0.55 * max(tone - 0.5, 0.0) * 2
    hair_tones = (
        [(0.62, 0.47, 0.27), (0.48, 0.25, 0.13), (0.36, 0.24, 0.15)]
        if light_hair
        else [(0.07, 0.06, 0.06), (0.15, 0.10, 0.07), (0.22, 0.14, 0.09)]
    )
    irises = [(0.20, 0.12, 0.07), (0.28, 0.18, 0.10)] if not light_hair else [(0.30, 0.42, 0.52), (0.33, 0.38, 0.24)]
    lengths = [0.0, 0.0, 0.05, 0.35] if male else [0.1, 0.5, 0.65, 1.0]
    return Anatomy(
        half_width=0.79 + 0.03 * male + 0.03 * spread[0],
        half_height=1.02 + 0.03 * spread[1],
        jaw_narrowing=(0.20 if male else 0.29) + 0.04 * spread[2],
        eye_x=0.305 + 0.012 * spread[3],
        eye_y=-0.12 + 0.015 * spread[4],
        eye_width=0.150 + 0.008 * spread[5],
        eye_height=(0.060 if male else 0.068) + 0.005 * spread[6],
        brow_height=(0.165 if male else 0.19) + 0.012 * spread[7],
        brow_thickness=(0.036 if male else 0.024) * float(np.exp(0.2 * spread[8])),
        nose_width=(0.125 if male else 0.108) + 0.010 * spread[9],
        nose_y=0.31 + 0.018 * spread[10],
        mouth_y=0.585 + 0.015 * spread[11],
        mouth_width=0.235 + 0.015 * spread[12],
        lip_height=(0.052 if male else 0.064) + 0.008 * spread[13],
        cheekbone=0.07 + 0.015 * spread[15],
        chin=(0.10 if male else 0.07) + 0.015 * spread[16],
        hair_length=float(rng.choice(lengths)),
        hairline_y=-0.66 + 0.035 * spread[17],
        parting_x=0.18 * spread[18],
        stubble=float(rng.beta(1, 2)) if male else 0.0,
        skin=skin.astype(np.float32),
        hair=rgb(*hair_tones[rng.integers(len(hair_tones))]),
        iris=rgb(*irises[rng.integers(len(irises))]),
        lips=_mix((0.38, 0.19, 0.17), (0.77, 0.43, 0.41), tone),
        texture_seed=int(rng.integers(2**31)),
    )


def age_signs(person: FaceLatents) -> AgeSigns:
    """How far each sign of age has come on `person`: logistic in biological age, with an onset and pace of its own."""
    rng = np.random.default_rng([person.identity_seed, 2])
    general_lag = GENERAL_SPREAD_YEARS * rng.normal()
    shown = {}
    for sign, typical in TYPICAL_ONSET_YEARS.items():
        onset = typical + general_lag + ONSET_SPREAD_YEARS * float(np.clip(rng.normal(), -2, 2))
        pace = rng.uniform(9.0, 15.0)
        strength = rng.uniform(0.65, 1.2)
        shown[sign] = float(strength / (1.0 + np.exp((onset - person.biological_age) / pace)))
    if person.sex == "F":
        shown["hair_loss"] *= 0.3
    for sign in LIFTED_BY_SURGERY:
        shown[sign] *= 1 - LARGEST_LIFT * person.surgery
    return AgeSigns(**shown)


def frailty_signs(person: FaceLatents) -> FrailtySigns:
    """How frailty shows on `person`: five signs, each following the same frailty with a gain of the person's own."""
    rng = np.random.default_rng([person.identity_seed, 3])
    gains = rng.uniform(0.7, 1.3, size=5)
    shifts = 0.35 * rng.normal(size=5)
    shown = 1.0 / (1.0 + np.exp(-1.1 * (gains * person.frailty + shifts)))
    return FrailtySigns(*(float(value) for value in shown))


def _mix(dark: tuple[float, float, float], light: tuple[float, float, float], share: float) -> Colour:
    return (rgb(*dark) * (1 - share) + rgb(*light) * share).astype(np.float32)
