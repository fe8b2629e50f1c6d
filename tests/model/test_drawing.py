"""Drawn faces: the same arguments give the same pixels, every latent shows where it should, and detectors find them."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from model.detect import MtcnnDetector
from model.drawing import (
    HOSPITAL_IDENTITY_SEEDS_FROM,
    TRAINING_IDENTITY_SEEDS_BELOW,
    FaceLatents,
    Framing,
    ShotConditions,
    age_signs,
    conditions_of_session,
    draw_face,
    draw_face_cut_by_frame,
    draw_scene_without_face,
    draw_two_faces,
    enlarge,
    frailty_signs,
    random_conditions,
    random_latents,
)
from model.exclusions import Exclusion, PhotoExcluded
from model.judge import the_face

PLAIN = ShotConditions(sensor_noise=0.0)
WOMAN = FaceLatents(sex="F", biological_age=50.0, frailty=0.0, skin_tone=0.7, identity_seed=11)
MAN = replace(WOMAN, sex="M")


def _difference(one: FaceLatents, other: FaceLatents, conditions: ShotConditions = PLAIN) -> np.ndarray:
    first, second = draw_face(one, conditions), draw_face(other, conditions)
    return np.abs(first.pixels.astype(int) - second.pixels.astype(int)).mean(axis=2)


def _around(points: np.ndarray, reach: int, size: int = 320) -> np.ndarray:
    mask = np.zeros((size, size), dtype=bool)
    for x, y in points.astype(int):
        mask[max(y - reach, 0) : y + reach, max(x - reach, 0) : x + reach] = True
    return mask


def test_the_same_arguments_give_the_same_pixels() -> None:
    conditions = random_conditions(np.random.default_rng(4))
    first, second = draw_face(WOMAN, conditions), draw_face(WOMAN, conditions)
    assert np.array_equal(first.pixels, second.pixels)
    assert np.array_equal(first.landmarks, second.landmarks)
    assert first.pixels.shape == (320, 320, 3) and first.pixels.dtype == np.uint8


def test_another_shot_of_the_same_person_differs_and_another_identity_differs_more() -> None:
    other_shot = replace(PLAIN, sensor_noise=0.01, shot_seed=5)
    shots = np.abs(draw_face(WOMAN, PLAIN).pixels.astype(int) - draw_face(WOMAN, other_shot).pixels).mean()
    people = _difference(WOMAN, replace(WOMAN, identity_seed=12)).mean()
    assert 0 < shots < people


def test_age_shows_in_the_face_and_not_on_the_wall() -> None:
    difference = _difference(replace(WOMAN, biological_age=25.0), replace(WOMAN, biological_age=85.0))
    landmarks = draw_face(WOMAN, PLAIN).landmarks
    face = _around(landmarks, 30)
    wall = np.zeros_like(face)
    wall[:40, :40] = True
    assert difference[face].mean() > 6
    assert difference[wall].max() == 0


def test_every_year_shows_a_little_more_on_a_person() -> None:
    ages = np.arange(20, 96, 5.0)
    shown = np.array([list(vars_of(age_signs(replace(MAN, biological_age=age)))) for age in ages])
    assert (np.diff(shown, axis=0) > 0).all()


def vars_of(signs: object) -> list[float]:
    return [getattr(signs, name) for name in type(signs).__dataclass_fields__]


def test_how_age_shows_differs_from_person_to_person() -> None:
    at_sixty = np.array([vars_of(age_signs(replace(MAN, biological_age=60.0, identity_seed=i))) for i in range(200)])
    assert (at_sixty.std(axis=0) > 0.08).all()
    correlations = np.corrcoef(at_sixty, rowvar=False)
    assert np.abs(correlations[np.triu_indices_from(correlations, 1)]).max() < 0.4


def test_frailty_shows_under_the_eyes_and_leaves_the_signs_of_age_alone() -> None:
    robust, frail = replace(WOMAN, frailty=-2.0), replace(WOMAN, frailty=2.0)
    assert age_signs(robust) == age_signs(frail)
    assert all(a < b for a, b in zip(vars_of(frailty_signs(robust)), vars_of(frailty_signs(frail)), strict=True))
    eyes = draw_face(robust, PLAIN).landmarks[:2]
    under_eyes = _around(eyes + np.float32([0, 14]), 8)
    assert _difference(robust, frail)[under_eyes].mean() > 8


def test_makeup_hides_much_of_the_rings_under_the_eyes() -> None:
    robust, frail = replace(WOMAN, frailty=-2.0), replace(WOMAN, frailty=2.0)
    under_eyes = _around(draw_face(WOMAN, PLAIN).landmarks[:2] + np.float32([0, 14]), 8)
    bare = _difference(robust, frail)[under_eyes].mean()
    made_up = _difference(robust, frail, replace(PLAIN, makeup=1.0))[under_eyes].mean()
    assert made_up < 0.75 * bare


@pytest.mark.parametrize("size", [192, 320, 512])
def test_landmarks_follow_size_and_framing(size: int) -> None:
    centred = draw_face(WOMAN, PLAIN, size).landmarks
    moved = draw_face(WOMAN, PLAIN, size, framing=Framing(offset_x=0.1, offset_y=-0.05)).landmarks
    np.testing.assert_allclose(moved - centred, np.tile([0.1 * size, -0.05 * size], (5, 1)), atol=0.01)
    assert centred[0, 0] < centred[1, 0] and centred[3, 0] < centred[4, 0]
    assert centred[:2, 1].max() < centred[2, 1] < centred[3:, 1].min()


def test_mtcnn_finds_one_face_where_the_drawing_says_it_is() -> None:
    rng = np.random.default_rng(20)
    drawn = [
        draw_face(
            random_latents(rng),
            random_conditions(rng),
            int(rng.choice([224, 320])),
            framing=Framing(rng.uniform(0.7, 1.2)),
        )
        for _ in range(100)
    ]
    found = MtcnnDetector().detect([face.pixels for face in drawn])
    assert sum(len(faces) == 1 for faces in found) >= 99
    errors = [
        np.linalg.norm(faces[0].landmarks - face.landmarks, axis=1).mean()
        / np.linalg.norm(face.landmarks[1] - face.landmarks[0])
        for face, faces in zip(drawn, found, strict=True)
        if len(faces) == 1
    ]
    # Of the distance between the eyes, which is about 64 px at 320: four pixels for most, eight for nearly all.
    assert np.median(errors) < 0.07
    assert np.quantile(errors, 0.95) < 0.125


def test_a_session_shares_its_room_and_make_up_but_not_its_pose() -> None:
    first, second, third = conditions_of_session(np.random.default_rng(8), 3)
    assert first.background_seed == second.background_seed == third.background_seed
    assert first.makeup == second.makeup and first.tiredness == third.tiredness
    assert len({first.yaw, second.yaw, third.yaw}) == 3


def test_people_for_training_and_for_a_hospital_cannot_be_the_same() -> None:
    rng = np.random.default_rng(1)
    seeds = [random_latents(rng).identity_seed for _ in range(500)]
    assert max(seeds) < TRAINING_IDENTITY_SEEDS_BELOW < HOSPITAL_IDENTITY_SEEDS_FROM


def test_latents_outside_their_range_are_refused() -> None:
    with pytest.raises(ValueError, match="biological_age"):
        replace(WOMAN, biological_age=15.0)
    with pytest.raises(ValueError, match="skin_tone"):
        replace(WOMAN, skin_tone=1.2)
    assert WOMAN.aged(200).biological_age == 95.0


def test_odd_pictures_are_refused_for_the_right_reason() -> None:
    rng = np.random.default_rng(2)
    expected = (
        (draw_scene_without_face, Exclusion.NO_FACE),
        (draw_two_faces, Exclusion.SEVERAL_FACES),
        (draw_face_cut_by_frame, Exclusion.FACE_CUT_BY_FRAME),
    )
    detector = MtcnnDetector()
    for draw, reason in expected:
        pictures = [draw(rng, 320) for _ in range(6)]
        for faces in detector.detect(pictures):
            with pytest.raises(PhotoExcluded) as refused:
                the_face(faces, (320, 320), 1.0)
            assert refused.value.reason == reason


def test_enlarging_keeps_the_middle_and_gives_the_size_asked_for() -> None:
    small = draw_face(WOMAN, PLAIN).pixels
    large = enlarge(small, 1600, 1200, np.random.default_rng(0))
    assert large.shape == (1200, 1600, 3)
    middle = large[::5, ::5].astype(int)
    assert np.abs(middle - small[40:280]).mean() < 6
