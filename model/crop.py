"""Photographs' bytes to aligned faces, without networks: the first half of scoring, for training data.

The same functions decode, find, judge and align as in `model.scorer`, so that a network learns from exactly the pixels
it will be fed. Every photograph gets exactly one outcome, in order: a face, or the reason why there is none.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray

from model.detect import FaceDetector, MtcnnDetector
from model.scorer import PhotoScorer, _decode_batch, _judge_and_align, _Photo


@dataclass(frozen=True, slots=True)
class CroppedPhoto:
    """What became of one photograph: an aligned face, or a `reason` (permanent, or SCORER_UNAVAILABLE)."""

    face: NDArray[np.uint8] | None
    """(112, 112, 3) RGB, or None with a reason."""
    reason: str | None
    sharpness: float | None
    """Focus measure of the aligned face (`model.judge.sharpness_of`)."""
    face_width_px: float | None
    """Width of the face box in pixels of the photograph as it was stored."""
    detection_probability: float | None


class FaceCropper(PhotoScorer):
    """A scorer that stops at the aligned face. Not for use by several threads at once."""

    def __init__(self, *, device: str = "cpu", batch_size: int = 16, detector: FaceDetector | None = None) -> None:
        """`batch_size` bounds the photographs that are held decoded."""
        self.device = torch.device(device)
        self.batch_size = batch_size
        self._detector = detector or MtcnnDetector(self.device)

    def crop_stream(self, batches: Iterable[Sequence[bytes]]) -> Iterator[list[CroppedPhoto]]:
        """Faces of batches as they come: one list a batch, in order. A thread decodes the next batch meanwhile."""
        with ThreadPoolExecutor(max_workers=1, thread_name_prefix="decode") as pool:
            decoding: Future[list[_Photo]] | None = None
            for batch in batches:
                following = pool.submit(_decode_batch, list(batch))
                if decoding is not None:
                    yield self._crop_decoded(decoding.result())
                decoding = following
            if decoding is not None:
                yield self._crop_decoded(decoding.result())

    def _crop_decoded(self, photos: list[_Photo]) -> list[CroppedPhoto]:
        for start in range(0, len(photos), self.batch_size):
            part = photos[start : start + self.batch_size]
            self._all_or_each(self._find_faces, [photo for photo in part if photo.image is not None])
            for photo in part:
                self._all_or_each(_judge_and_align, [photo] if photo.found is not None else [])
                photo.image, photo.content = None, b""
        return [
            CroppedPhoto(
                face=photo.face if photo.reason is None else None,
                reason=photo.reason,
                sharpness=photo.sharpness,
                face_width_px=photo.face_width_px,
                detection_probability=photo.detection_probability,
            )
            for photo in photos
        ]
