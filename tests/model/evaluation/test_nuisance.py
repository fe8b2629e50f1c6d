"""Nuisances: none of them changes nothing, more of one changes more, and a mask covers what it names."""

from __future__ import annotations

import functools
from dataclasses import replace

import numpy as np
import pytest

from model.drawing import DrawnFace, FaceLatents, ShotConditions, draw_face
from model.evaluation.nuisance import DRAWN_NUISANCES, PICTURE_NUISANCES, PORTRAIT, Nuisance
from model.evaluation.nuisance_pictures import Photograph, eyes_covered, half_covered, mouth_covered, rotated, scaled

PERSON = FaceLatents(sex="F", biological_age=74.0, frailty=0.3, skin_tone=0.7, identity_seed=951_234)
by_name = {"ids": lambda nuisance: nuisance.name}


@functools.cache
def drawn(roll: float = 0.0) -> DrawnFace:
    return draw_face(PERSON, replace(PORTRAIT, roll=roll), 200)


def photograph(roll: float = 0.0) -> Photograph:
    return Photograph(drawn(roll).pixels, drawn(roll).landmarks, seed=5)


def distance(pixels: np.ndarray) -> float:
    return float(np.abs(pixels.astype(float) - drawn().pixels).mean())


@pytest.mark.parametrize("nuisance", DRAWN_NUISANCES, **by_name)
def test_a_drawn_nuisance_of_no_strength_changes_nothing_and_its_levels_do(nuisance) -> None:
    assert nuisance(PERSON, PORTRAIT, nuisance.none) == (PERSON, PORTRAIT)
    changed = [draw_face(*nuisance(PERSON, PORTRAIT, level), 200).pixels for level in nuisance.levels]
    assert all(distance(pixels) > 0.01 for pixels in changed)
    further_on_each_side(nuisance, [distance(pixels) for pixels in changed])


@pytest.mark.parametrize("nuisance", DRAWN_NUISANCES, **by_name)
def test_a_drawn_nuisance_touches_one_latent_or_condition_only(nuisance) -> None:
    person, conditions = nuisance(PERSON, PORTRAIT, nuisance.levels[-1])
    fields = [(PERSON, person, FaceLatents), (PORTRAIT, conditions, ShotConditions)]
    touched = [name for old, new, kind in fields for name in kind.__slots__ if getattr(old, name) != getattr(new, name)]
    assert len(touched) == 1


@pytest.mark.parametrize("nuisance", PICTURE_NUISANCES, **by_name)
def test_a_picture_nuisance_of_no_strength_changes_nothing_and_its_levels_do(nuisance) -> None:
    before = drawn().pixels.copy()
    np.testing.assert_array_equal(nuisance(photograph(), nuisance.none), before)
    changed = [nuisance(photograph(), level) for level in nuisance.levels]
    np.testing.assert_array_equal(drawn().pixels, before, "the photograph itself was painted over")
    if nuisance.name != "scale":
        assert all(distance(pixels) > 0.01 for pixels in changed)
        further_on_each_side(nuisance, [distance(pixels) for pixels in changed])


def further_on_each_side(nuisance: Nuisance, distances: list[float]) -> None:
    below = [far for level, far in zip(nuisance.levels, distances, strict=True) if level < nuisance.none]
    above = [far for level, far in zip(nuisance.levels, distances, strict=True) if level > nuisance.none]
    assert below == sorted(below, reverse=True) and above == sorted(above)


def test_names_and_labels_are_told_apart() -> None:
    labels = [one.label(level) for one in (*DRAWN_NUISANCES, *PICTURE_NUISANCES) for level in one.levels]
    assert len(set(labels)) == len(labels)
    assert "yaw -30 deg" in labels and "colour temperature 0.5" in labels


@pytest.mark.parametrize("levels", [(), (0.0, 1.0), (2.0, 1.0), (1.0, 1.0)])
def test_a_nuisance_with_senseless_levels_is_refused(levels) -> None:
    with pytest.raises(ValueError, match="levels of fog"):
        Nuisance("fog", "fog", "", 0.0, levels)


def test_extremes_are_the_furthest_level_of_each_side() -> None:
    assert Nuisance("tilt", "", "deg", 0.0, (-30.0, -15.0, 15.0, 30.0)).extremes == (-30.0, 30.0)
    assert Nuisance("quality", "", "", 100.0, (10.0, 50.0, 90.0)).extremes == (10.0,)


@pytest.mark.parametrize("roll", [0.0, 0.35], ids=["upright", "tilted"])
@pytest.mark.parametrize(
    ("mask", "covered", "free"),
    [
        (mouth_covered, ("nose", "left_mouth", "right_mouth", "chin"), ("left_eye", "right_eye", "forehead")),
        (eyes_covered, ("left_eye", "right_eye"), ("nose", "left_mouth", "right_mouth", "chin", "forehead")),
        (half_covered, ("left_eye", "left_mouth"), ("right_eye", "right_mouth")),
    ],
)
def test_masks_cover_what_they_name_however_the_head_is_held(mask, covered, free, roll) -> None:
    shown = photograph(roll)
    changed = (mask(shown, 1.0) != shown.pixels).any(axis=2)
    left_eye, right_eye, nose, left_mouth, right_mouth = shown.landmarks
    down = (left_mouth + right_mouth) / 2 - (left_eye + right_eye) / 2
    places = {
        "left_eye": left_eye,
        "right_eye": right_eye,
        "nose": nose,
        "left_mouth": left_mouth,
        "right_mouth": right_mouth,
        "chin": (left_mouth + right_mouth) / 2 + 0.4 * down,
        "forehead": (left_eye + right_eye) / 2 - 0.6 * down,
    }
    for name, (x, y) in places.items():
        around = changed[round(float(y)) - 1 : round(float(y)) + 2, round(float(x)) - 1 : round(float(x)) + 2]
        if name in covered:
            assert around.mean() > 0.8, f"{name} shows"
        if name in free:
            assert not around.any(), f"{name} is covered"


def test_sizes_and_turns_are_what_they_say() -> None:
    assert scaled(photograph(), 0.5).shape == (100, 100, 3)
    assert scaled(photograph(), 2.0).shape == (400, 400, 3)
    quarter = rotated(photograph(), 90.0)
    np.testing.assert_array_equal(quarter, np.rot90(drawn().pixels, k=-1))
