"""Detection: agrees with facenet-pytorch's own driver and with the drawn truth, alone and in mixed batches."""

from __future__ import annotations

import cv2
import numpy as np
import pytest
import torch
from facenet_pytorch import MTCNN
from photos import face

from model.detect import DetectedFace, MtcnnDetector
from model.drawing import (
    DrawnFace,
    draw_face,
    draw_face_cut_by_frame,
    draw_scene_without_face,
    draw_two_faces,
    random_conditions,
    random_latents,
)


@pytest.fixture(scope="module")
def detector() -> MtcnnDetector:
    return MtcnnDetector()


@pytest.fixture(scope="module")
def drawn() -> list[DrawnFace]:
    rng = np.random.default_rng(20260301)
    return [draw_face(random_latents(rng), random_conditions(rng), 320) for _ in range(40)]


def eye_distance(landmarks: np.ndarray) -> float:
    return float(np.linalg.norm(landmarks[1] - landmarks[0]))


def test_finds_each_drawn_face_once_and_near_the_truth(detector: MtcnnDetector, drawn: list[DrawnFace]) -> None:
    found = detector.detect([picture.pixels for picture in drawn])
    assert [len(faces) for faces in found] == [1] * len(drawn)
    errors = [
        np.abs(faces[0].landmarks - picture.landmarks).mean() / eye_distance(picture.landmarks)
        for faces, picture in zip(found, drawn, strict=True)
    ]
    assert np.median(errors) < 0.05
    assert max(errors) < 0.2


def test_agrees_with_facenet_pytorch(detector: MtcnnDetector, drawn: list[DrawnFace]) -> None:
    reference = MTCNN(keep_all=True, min_face_size=detector.settings.first.smallest_face_px)
    pictures = [picture.pixels for picture in drawn]
    boxes, probabilities, landmarks = reference.detect(np.stack(pictures), landmarks=True)
    differences = []
    for faces, their_boxes, their_probabilities, their_landmarks in zip(
        detector.detect(pictures), boxes, probabilities, landmarks, strict=True
    ):
        assert len(faces) == len(their_boxes)
        scale = eye_distance(their_landmarks[0])
        differences.append(np.abs(faces[0].landmarks - their_landmarks[0]).mean() / scale)
        assert np.abs(faces[0].box - their_boxes[0]).max() < 0.25 * scale
        assert faces[0].probability == pytest.approx(their_probabilities[0], abs=0.2)
    # Not equal: they resize candidates with another filter. Both are equally near the truth.
    assert np.median(differences) < 0.02


def test_one_at_a_time_and_in_a_mixed_batch_are_the_same(detector: MtcnnDetector, drawn: list[DrawnFace]) -> None:
    pictures = [
        drawn[0].pixels,
        cv2.resize(drawn[1].pixels, (900, 900)),
        draw_scene_without_face(np.random.default_rng(1), 320),
        drawn[2].pixels[:, 20:300],
        np.zeros((1, 700, 3), np.uint8),
    ]
    together = detector.detect(pictures)
    for picture, faces in zip(pictures, together, strict=True):
        alone = detector.detect([picture])[0]
        assert len(alone) == len(faces)
        for one, other in zip(alone, faces, strict=True):
            np.testing.assert_allclose(one.landmarks, other.landmarks, atol=0.05)


def test_coordinates_are_those_of_the_image_given(detector: MtcnnDetector, drawn: list[DrawnFace]) -> None:
    small = detector.detect([drawn[3].pixels])[0][0]
    large = detector.detect([cv2.resize(drawn[3].pixels, (1600, 1600), interpolation=cv2.INTER_CUBIC)])[0][0]
    np.testing.assert_allclose(large.landmarks, (small.landmarks + 0.5) * 5 - 0.5, atol=0.05 * large.width)
    assert large.width == pytest.approx(5 * small.width, rel=0.1)


def test_no_face_two_faces_and_a_cut_face(detector: MtcnnDetector) -> None:
    rng = np.random.default_rng(4)
    assert detector.detect([draw_scene_without_face(rng, 320) for _ in range(5)]) == [[]] * 5
    assert [len(faces) for faces in detector.detect([draw_two_faces(rng, 320) for _ in range(5)])] == [2] * 5
    assert all(detector.detect([draw_face_cut_by_frame(rng, 320) for _ in range(5)]))


def test_a_small_face_is_found_by_the_finer_look(detector: MtcnnDetector) -> None:
    scene = np.full((900, 1200, 3), 128, np.uint8)
    scene[500:620, 700:820] = cv2.resize(face(3), (120, 120), interpolation=cv2.INTER_AREA)
    found = detector.detect([scene])[0]
    assert len(found) == 1
    assert 700 < found[0].box[0] < found[0].box[2] < 820


def test_nothing_in_nothing_out(detector: MtcnnDetector) -> None:
    assert detector.is_available()
    assert detector.detect([]) == []


def test_leaves_no_gradients_and_no_threads_changed(detector: MtcnnDetector, drawn: list[DrawnFace]) -> None:
    threads = torch.get_num_threads()
    faces: list[DetectedFace] = detector.detect([drawn[0].pixels])[0]
    assert isinstance(faces[0].landmarks, np.ndarray)
    assert torch.get_num_threads() == threads
