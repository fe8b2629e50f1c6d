"""The scorer: one outcome a photograph, in order, whatever the bytes and whatever fails."""

from __future__ import annotations

import math
import threading
from collections.abc import Iterator, Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from photos import (
    dicom,
    dicom_with_frame,
    exif,
    face,
    jpeg,
    png_bomb,
    save,
    smooth_picture,
    stored_for_orientation,
)

from model.align import align_face
from model.decode import decode_photo
from model.detect import DetectedFace, MtcnnDetector
from model.drawing import draw_face_cut_by_frame, draw_scene_without_face, draw_two_faces, enlarge
from model.exclusions import Exclusion
from model.manifest import Bfloat16Parity
from model.network import BiomarkerNetwork, NetworkConfig
from model.parity import measure_parity
from model.preprocessing import to_network_input
from model.release import ModelRelease, save_release
from model.scorer import SCORER_UNAVAILABLE, PhotoScorer, choose_dtype

SMALL = NetworkConfig(hidden_size=64, layers=2, heads=2, mlp_size=128, output_mean=60.0, output_sd=15.0)


@pytest.fixture(scope="module")
def release(tmp_path_factory: pytest.TempPathFactory) -> ModelRelease:
    torch.manual_seed(0)
    return save_release(
        tmp_path_factory.mktemp("release"),
        {"age": BiomarkerNetwork(SMALL), "survival": BiomarkerNetwork(SMALL)},
        model_id="small-1",
        trained_on_synthetic=True,
        training_data="nothing",
        intended_use="tests",
    )


@pytest.fixture(scope="module")
def scorer(release: ModelRelease) -> PhotoScorer:
    return PhotoScorer(release, batch_size=4)


def photograph(seed: int, width: int = 800, height: int = 600) -> np.ndarray:
    return enlarge(face(seed), width, height, np.random.default_rng(seed))


def test_scores_are_what_the_parts_compute(scorer: PhotoScorer, release: ModelRelease) -> None:
    pixels = photograph(1)
    content = save(pixels, "PNG")
    outcome = scorer.score([content])[0]
    found = MtcnnDetector().detect([pixels])[0][0]
    faces = to_network_input([align_face(pixels, found.landmarks)])
    with torch.no_grad():
        assert outcome.face_age_years == pytest.approx(float(release.network("age")(faces)), abs=1e-3)
        assert outcome.face_survival_log_risk == pytest.approx(float(release.network("survival")(faces)), abs=1e-3)
    assert outcome.reason is None
    assert outcome.detection_probability == pytest.approx(found.probability, abs=1e-5)
    assert outcome.face_width_px == pytest.approx(found.width, rel=1e-5)
    assert outcome.face_count == 1


def test_every_odd_photograph_has_its_reason_and_the_good_ones_their_scores(scorer: PhotoScorer) -> None:
    rng = np.random.default_rng(6)
    good = jpeg(photograph(1))
    drawn = face(2, 320)
    black = np.zeros((400, 400, 3), np.uint8)
    expected: list[tuple[bytes, str | None]] = [
        (good, None),
        (b"", "empty_file"),
        (b"a letter, not a photograph", "not_an_image"),
        (good[: len(good) // 2], "truncated_image"),
        (png_bomb(), "too_many_pixels"),
        (save(smooth_picture(150, 400), "PNG"), "source_too_small"),
        (jpeg(draw_scene_without_face(rng, 400)), "no_face"),
        (jpeg(draw_two_faces(rng, 400)), "several_faces"),
        (jpeg(draw_face_cut_by_frame(rng, 400)), "face_cut_by_frame"),
        (jpeg(black), "no_face"),
        (dicom(None, width=400, height=400), "dicom_without_pixel_data"),
        (dicom(drawn.tobytes() * 2, width=320, height=320, frames=2), "multi_frame"),
        (dicom_with_frame(jpeg(drawn), drawn), None),
        (good, None),
    ]
    outcomes = scorer.score([content for content, _ in expected])
    assert [outcome.reason for outcome in outcomes] == [reason for _, reason in expected]
    for outcome in outcomes:
        scored = outcome.reason is None
        assert (outcome.face_age_years is not None) is scored
        assert (outcome.face_survival_log_risk is not None) is scored
    first, last = outcomes[0], outcomes[-1]
    assert last.face_age_years == pytest.approx(first.face_age_years, abs=1e-3)  # sums in another order
    assert last.face_width_px == pytest.approx(first.face_width_px, rel=1e-5)


def test_a_blurred_face_and_a_tiny_one(scorer: PhotoScorer) -> None:
    import cv2

    blurred = cv2.GaussianBlur(photograph(1), (0, 0), 14)
    scene = np.full((400, 560, 3), 120, np.uint8)
    scene[200:270, 200:270] = cv2.resize(face(3), (70, 70), interpolation=cv2.INTER_AREA)
    outcomes = scorer.score([save(blurred, "PNG"), save(scene, "PNG")])
    assert outcomes[0].reason in (Exclusion.POOR_QUALITY, Exclusion.NO_FACE)
    assert outcomes[1].reason == Exclusion.FACE_TOO_SMALL


def test_a_small_face_in_the_background_does_not_exclude(scorer: PhotoScorer) -> None:
    import cv2

    pixels = photograph(1, 1200, 900)
    pixels[30:170, 20:160] = cv2.resize(face(5), (140, 140), interpolation=cv2.INTER_AREA)
    outcome = scorer.score([save(pixels, "PNG")])[0]
    assert outcome.reason is None


@pytest.mark.parametrize("orientation", [2, 3, 5, 6])
def test_orientation_does_not_change_the_score(scorer: PhotoScorer, orientation: int) -> None:
    pixels = photograph(4)
    stored = stored_for_orientation(pixels, orientation)
    upright, turned = scorer.score([save(pixels, "PNG"), save(stored, "PNG", exif=exif(orientation))])
    assert turned.face_age_years == pytest.approx(upright.face_age_years, abs=1e-3)
    assert turned.face_width_px == pytest.approx(upright.face_width_px, rel=1e-4)


def test_reduced_decoding_barely_changes_the_crop(scorer: PhotoScorer) -> None:
    """A 1600 x 1200 JPEG is decoded at three eighths; its face is measured in pixels of the photograph."""
    pixels = photograph(4, 1600, 1200)
    full, reduced = scorer.score([save(pixels, "PNG"), jpeg(pixels)])
    assert reduced.face_width_px == pytest.approx(full.face_width_px, rel=0.03)
    assert 400 < (reduced.face_width_px or 0) < 1000


def test_a_small_face_in_a_large_jpeg_is_cut_from_the_full_picture(scorer: PhotoScorer) -> None:
    import cv2

    scene = np.full((1200, 1600, 3), 120, np.uint8)
    scene[300:620, 500:820] = cv2.GaussianBlur(face(3, 320), (0, 0), 0.8)
    reduced, full = scorer.score([jpeg(scene), save(scene, "PNG")])
    assert reduced.reason is None
    assert reduced.sharpness == pytest.approx(full.sharpness, rel=0.25)


def test_batches_of_any_size_give_the_same_outcomes(release: ModelRelease) -> None:
    photos = [jpeg(photograph(seed, 400, 400)) for seed in range(5)] + [b"no photograph"]
    expected = PhotoScorer(release, batch_size=6).score(photos)
    for batch_size in (1, 4):
        outcomes = PhotoScorer(release, batch_size=batch_size).score(photos)
        for outcome, other in zip(outcomes, expected, strict=True):
            assert outcome.reason == other.reason
            if other.face_age_years is not None:
                assert outcome.face_age_years == pytest.approx(other.face_age_years, abs=0.05)


def test_the_stream_answers_batch_by_batch_and_reads_one_ahead(scorer: PhotoScorer) -> None:
    photo = jpeg(photograph(1, 400, 400))
    readers: list[int] = []

    def batches() -> Iterator[Sequence[bytes]]:
        for size in (1, 3, 0, 6):
            readers.append(threading.get_ident())
            yield [photo] * size

    stream = scorer.score_stream(batches())
    assert len(next(stream)) == 1
    assert len(readers) == 2
    assert [len(outcomes) for outcomes in stream] == [3, 0, 6]
    assert set(readers) == {threading.get_ident()}


def test_a_real_face_that_nobody_here_drew_is_scored(scorer: PhotoScorer) -> None:
    """The portrait that scikit-image ships: 512 x 512, one face, 85 pixels wide."""
    pixels = pytest.importorskip("skimage.data").astronaut()
    as_jpeg, as_dicom = scorer.score([jpeg(pixels), dicom_with_frame(jpeg(pixels), pixels)])
    for outcome in (as_jpeg, as_dicom):
        assert outcome.reason is None
        assert outcome.face_count == 1
        assert outcome.face_width_px == pytest.approx(85, abs=8)
        assert (outcome.detection_probability or 0) > 0.99
    assert as_dicom.face_age_years == pytest.approx(as_jpeg.face_age_years, abs=1e-3)


class FailingDetector:
    """Fails on a picture that is all white, and on every batch that holds one, as a library with a bug would."""

    def __init__(self, error: Exception) -> None:
        self.error = error
        self.real = MtcnnDetector()

    def is_available(self) -> bool:
        return True

    def detect(self, images: Sequence[np.ndarray]) -> list[list[DetectedFace]]:
        if any(image.min() == 255 for image in images):
            raise self.error
        return self.real.detect(images)


@pytest.mark.parametrize("error", [RuntimeError("a bug"), torch.OutOfMemoryError(), MemoryError()])
def test_a_failure_of_ours_is_transient_and_takes_nobody_along(release: ModelRelease, error: Exception) -> None:
    scorer = PhotoScorer(release, batch_size=4, detector=FailingDetector(error))
    good, white = jpeg(photograph(1)), save(np.full((300, 300, 3), 255, np.uint8), "PNG")
    outcomes = scorer.score([good, white, good])
    assert [outcome.reason for outcome in outcomes] == [None, SCORER_UNAVAILABLE, None]


def test_a_network_that_overflows_gives_a_reason(tmp_path: Path) -> None:
    network = BiomarkerNetwork(SMALL)
    with torch.no_grad():
        network.head.weight.fill_(math.inf)
    release = save_release(
        tmp_path,
        {"age": network},
        model_id="overflowing",
        trained_on_synthetic=True,
        training_data="nothing",
        intended_use="tests",
    )
    outcome = PhotoScorer(release).score([jpeg(photograph(1))])[0]
    assert outcome.reason == Exclusion.SCORE_NOT_FINITE
    assert outcome.face_age_years is None


def test_logs_hold_counts_only(release: ModelRelease, caplog: pytest.LogCaptureFixture) -> None:
    scorer = PhotoScorer(release, detector=FailingDetector(RuntimeError("Canary^Yellow at /share/canary.png")))
    scorer.score([save(np.full((300, 300, 3), 255, np.uint8), "PNG")])
    assert caplog.records
    assert "anary" not in caplog.text


def test_precision_is_what_was_asked_for(release: ModelRelease) -> None:
    cpu = torch.device("cpu")
    assert choose_dtype(cpu, "float32", release) is torch.float32
    assert choose_dtype(cpu, "bfloat16", release) is torch.bfloat16


@pytest.mark.parametrize(
    ("stated", "holds"),
    [
        (Bfloat16Parity(faces=1000, largest=0.1, mean=0.02), True),
        (Bfloat16Parity(faces=1000, largest=0.1001, mean=0.02), False),
        (Bfloat16Parity(faces=999, largest=0.01, mean=0.002), False),
        (Bfloat16Parity(faces=1000, largest=math.nan, mean=math.nan), False),
        (None, False),
    ],
)
@pytest.mark.parametrize("instructions", ["avx512_bf16", "amx", None])
def test_a_cpu_scores_in_bfloat16_only_with_a_release_that_states_parity(
    release: ModelRelease,
    monkeypatch: pytest.MonkeyPatch,
    stated: Bfloat16Parity | None,
    holds: bool,
    instructions: str | None,
) -> None:
    monkeypatch.setattr(torch.cpu, "_is_avx512_bf16_supported", lambda: instructions == "avx512_bf16")
    monkeypatch.setattr(torch.cpu, "_is_amx_tile_supported", lambda: instructions == "amx")
    entries = {**release.networks, "age": replace(release.networks["age"], bfloat16=stated)}
    expected = torch.bfloat16 if holds and instructions else torch.float32
    assert choose_dtype(torch.device("cpu"), "auto", replace(release, networks=entries)) is expected


def test_scoring_in_bfloat16_differs_from_float32_by_what_was_measured(release: ModelRelease) -> None:
    photos = [jpeg(photograph(seed, 400, 400)) for seed in range(4)]
    exact, rounded = (PhotoScorer(release, dtype=dtype).score(photos) for dtype in ("float32", "bfloat16"))
    decoded = [decode_photo(photo) for photo in photos]
    found = MtcnnDetector().detect(decoded)
    faces = [align_face(image, seen[0].landmarks) for image, seen in zip(decoded, found, strict=True)]
    measured = measure_parity(release.network("age"), np.stack(faces))
    differences = [
        (other.face_age_years or 0) - (one.face_age_years or 0) for one, other in zip(exact, rounded, strict=True)
    ]
    np.testing.assert_allclose(differences, measured.differences, atol=1e-3)
    assert measured.largest > 1e-3
