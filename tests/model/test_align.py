"""Alignment: the similarity is the least-squares one, and the crop shows the face where the template wants it."""

from __future__ import annotations

import cv2
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray
from photos import smooth_picture

from model.align import ARCFACE_TEMPLATE, FACE_PX, align_face, crop_corners, similarity_to_template
from model.drawing import draw_face, random_conditions, random_latents


def umeyama(source: NDArray[np.float64], target: NDArray[np.float64]) -> NDArray[np.float64]:
    """Umeyama's estimate by singular values (IEEE PAMI 13, 1991, eqs. 40-42), as published."""
    source_mean, target_mean = source.mean(axis=0), target.mean(axis=0)
    covariance = (target - target_mean).T @ (source - source_mean) / len(source)
    left, singular, right = np.linalg.svd(covariance)
    sign = np.diag([1.0, np.sign(np.linalg.det(left @ right))])
    rotation = left @ sign @ right
    scale = np.trace(np.diag(singular) @ sign) / source.var(axis=0).sum()
    return np.hstack([scale * rotation, (target_mean - scale * rotation @ source_mean)[:, None]])


@given(seed=st.integers(0, 2**32 - 1))
def test_similarity_is_umeyamas(seed: int) -> None:
    rng = np.random.default_rng(seed)
    landmarks = ARCFACE_TEMPLATE * rng.uniform(0.3, 20) + rng.normal(0, 4, size=(5, 2)) + rng.uniform(0, 500, size=2)
    np.testing.assert_allclose(similarity_to_template(landmarks), umeyama(landmarks, ARCFACE_TEMPLATE), atol=1e-6)


def test_landmarks_on_the_template_leave_the_picture_alone() -> None:
    picture = smooth_picture(FACE_PX, FACE_PX)
    np.testing.assert_array_equal(align_face(picture, ARCFACE_TEMPLATE), picture)
    np.testing.assert_allclose(crop_corners(ARCFACE_TEMPLATE)[2], (FACE_PX, FACE_PX), atol=1e-6)


@pytest.mark.parametrize("size", [160, 320, 900, 2400])
@pytest.mark.parametrize("roll", [-0.5, 0.0, 0.8])
def test_any_size_and_tilt_gives_the_same_crop(size: int, roll: float) -> None:
    """The picture is turned and scaled; the crop must not notice, whether the face is shrunk a little or twentyfold."""
    upright = smooth_picture(240, 240)
    scale = size / 240
    cosine, sine = np.cos(roll) * scale, np.sin(roll) * scale
    middle = np.array([120, 120])
    turn = np.array([[cosine, -sine], [sine, cosine]])
    to_large = np.hstack([turn, (np.array([size, size]) * 0.7 - turn @ middle)[:, None]])
    large = cv2.warpAffine(upright, to_large, (int(size * 1.4), int(size * 1.4)), flags=cv2.INTER_CUBIC)
    landmarks = ARCFACE_TEMPLATE + 64
    expected = align_face(upright, landmarks).astype(int)
    crop = align_face(large, landmarks @ to_large[:, :2].T + to_large[:, 2]).astype(int)
    # A shift by one pixel of the crop would change this picture by about 1.6 on average.
    assert np.abs(crop - expected).mean() < 0.8


def test_shrinking_does_not_alias() -> None:
    """A fine chequerboard must become grey, not stripes."""
    board = ((np.indices((2000, 2000)).sum(axis=0) // 3) % 2 * 255).astype(np.uint8)
    crop = align_face(np.repeat(board[..., None], 3, axis=2), ARCFACE_TEMPLATE * 15.3 + 100)
    assert crop.std() < 12


def test_outside_the_picture_is_black() -> None:
    white = np.full((200, 200, 3), 255, np.uint8)
    crop = align_face(white, ARCFACE_TEMPLATE + np.array([150, 0]))
    assert crop[:, :40].min() == 255
    assert crop[:, 60:].max() == 0


def test_drawn_landmarks_land_near_the_template() -> None:
    rng = np.random.default_rng(11)
    for _ in range(5):
        drawn = draw_face(random_latents(rng), random_conditions(rng), 320)
        to_crop = similarity_to_template(drawn.landmarks)
        placed = drawn.landmarks @ to_crop[:, :2].T + to_crop[:, 2]
        assert np.abs(placed - ARCFACE_TEMPLATE).max() < 12


@pytest.mark.parametrize("landmarks", [np.full((5, 2), 40.0), np.full((5, 2), np.nan)])
def test_impossible_landmarks_are_an_error(landmarks: NDArray[np.float64]) -> None:
    with pytest.raises(ValueError, match="coincide"):
        align_face(smooth_picture(), landmarks)
