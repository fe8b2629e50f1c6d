"""Photographs' bytes to scores: decode, find the face, judge, align, and run both networks, in batches.

Every photograph gets exactly one outcome, in order: scores, or the reason why it has none. A reason is permanent
(`Exclusion`) or, where the machine and not the photograph is at fault, SCORER_UNAVAILABLE.
"""

from __future__ import annotations

import logging
import math
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from typing import Literal

import numpy as np
import torch
from numpy.typing import NDArray

from model.align import align_face, similarity_to_template
from model.bfloat16 import compute_in_bfloat16
from model.decode import decode_photo, refuse_by_header
from model.detect import DetectedFace, FaceDetector, MtcnnDetector
from model.exclusions import Exclusion, PhotoExcluded
from model.header import PhotoHeader, read_header
from model.judge import refuse_poor_quality, refuse_small_source, sharpness_of, the_face
from model.network import Biomarker, BiomarkerNetwork
from model.parity import parity_holds
from model.preprocessing import DECODED_SIDE_PX, to_network_input
from model.release import ModelRelease

log = logging.getLogger("fahr.model")

SCORER_UNAVAILABLE = "scorer_unavailable"
"""The one transient reason: memory, the processor or our own code failed; a later night tries again."""

Precision = Literal["auto", "float32", "bfloat16"]


@dataclass(frozen=True)
class PhotoOutcome:
    """What became of one photograph. With a `reason` there are no scores; what was measured before it is kept."""

    face_age_years: float | None = None
    face_survival_log_risk: float | None = None
    reason: str | None = None
    detection_probability: float | None = None
    face_width_px: float | None = None
    """Width of the face box in pixels of the photograph as it was stored."""
    sharpness: float | None = None
    """Focus measure of the aligned face (`model.judge.sharpness_of`)."""
    face_count: int | None = None
    """Faces the detector found, background ones included."""


@dataclass
class _Photo:
    """One photograph on its way through a batch."""

    content: bytes
    header: PhotoHeader | None = None
    image: NDArray[np.uint8] | None = None
    found: list[DetectedFace] | None = None
    face: NDArray[np.uint8] | None = None
    scores: dict[Biomarker, float] | None = None
    reason: str | None = None
    detection_probability: float | None = None
    face_width_px: float | None = None
    sharpness: float | None = None
    face_count: int | None = None

    def outcome(self) -> PhotoOutcome:
        scores = self.scores if self.reason is None and self.scores is not None else {}
        return PhotoOutcome(
            face_age_years=scores.get("age"),
            face_survival_log_risk=scores.get("survival"),
            reason=self.reason,
            detection_probability=self.detection_probability,
            face_width_px=self.face_width_px,
            sharpness=self.sharpness,
            face_count=self.face_count,
        )


_Step = Callable[[list[_Photo]], None]


class PhotoScorer:
    """Scores photographs with one model release on one device. Not for use by several threads at once."""

    def __init__(
        self,
        release: ModelRelease,
        *,
        device: str = "cpu",
        dtype: Precision = "auto",
        batch_size: int = 16,
        detector: FaceDetector | None = None,
        threads: int | None = None,
    ) -> None:
        """Load a release's networks, which compares their SHA-256.

        `batch_size` bounds photographs in one forward pass. `dtype`: see `choose_dtype`. `threads`: CPU
        threads of torch in the whole process; None leaves them as they are.

        Raises WeightsRefused where a network is missing, altered or does not fit.
        """
        if threads is not None:
            torch.set_num_threads(threads)
        self.release = release
        self.device = torch.device(device)
        self.dtype = choose_dtype(self.device, dtype, release)
        self.batch_size = batch_size
        self._detector = detector or MtcnnDetector(self.device)
        self._networks: dict[Biomarker, BiomarkerNetwork] = {
            biomarker: self._placed(release.network(biomarker)) for biomarker in release.biomarkers
        }

    def _placed(self, network: BiomarkerNetwork) -> BiomarkerNetwork:
        network = network.to(self.device)
        return compute_in_bfloat16(network) if self.dtype == torch.bfloat16 else network

    def score(self, photos: Iterable[bytes]) -> list[PhotoOutcome]:
        """Score photographs; one outcome each, in order."""
        return [outcome for outcomes in self.score_stream(_batched(photos, self.batch_size)) for outcome in outcomes]

    def score_stream(self, batches: Iterable[Sequence[bytes]]) -> Iterator[list[PhotoOutcome]]:
        """Score batches as they come: one list of outcomes a batch, in order.

        While a batch is in the networks a thread decodes the next one, so at most two batches are held. `batches` is
        read from the caller's thread only.
        """
        with ThreadPoolExecutor(max_workers=1, thread_name_prefix="decode") as pool:
            decoding: Future[list[_Photo]] | None = None
            for batch in batches:
                following = pool.submit(_decode_batch, list(batch))
                if decoding is not None:
                    yield self._score_decoded(decoding.result())
                decoding = following
            if decoding is not None:
                yield self._score_decoded(decoding.result())

    def _score_decoded(self, photos: list[_Photo]) -> list[PhotoOutcome]:
        for start in range(0, len(photos), self.batch_size):
            part = photos[start : start + self.batch_size]
            self._all_or_each(self._find_faces, [photo for photo in part if photo.image is not None])
            for photo in part:
                self._all_or_each(_judge_and_align, [photo] if photo.found is not None else [])
                photo.image, photo.content = None, b""
            self._all_or_each(self._run_networks, [photo for photo in part if photo.face is not None])
        return [photo.outcome() for photo in photos]

    def _all_or_each(self, step: _Step, photos: list[_Photo]) -> None:
        """Take a step for all photographs at once; where that fails, for each alone, so that one cannot fail others."""
        if not photos:
            return
        try:
            step(photos)
        except Exception as error:  # whatever it is, it must not take the batch along
            log.warning("A step over %d photos failed (%s).", len(photos), type(error).__name__)
            if len(photos) == 1:
                photos[0].reason, photos[0].face = SCORER_UNAVAILABLE, None
                return
            for photo in photos:
                self._all_or_each(step, [photo])

    def _find_faces(self, photos: list[_Photo]) -> None:
        images = [photo.image for photo in photos if photo.image is not None]
        for photo, found in zip(photos, self._detector.detect(images), strict=True):
            photo.found = found

    @torch.inference_mode()
    def _run_networks(self, photos: list[_Photo]) -> None:
        faces = to_network_input([photo.face for photo in photos if photo.face is not None])
        faces = faces.to(self.device)
        outputs = {biomarker: network(faces).cpu().tolist() for biomarker, network in self._networks.items()}
        for number, photo in enumerate(photos):
            photo.scores = {biomarker: values[number] for biomarker, values in outputs.items()}
            if not all(math.isfinite(value) for value in photo.scores.values()):
                photo.reason = Exclusion.SCORE_NOT_FINITE.value


def choose_dtype(device: torch.device, wish: Precision, release: ModelRelease) -> torch.dtype:
    """Precision of the encoders' matrix products (`model.bfloat16` says of which).

    "auto" is bfloat16 on a GPU that computes in it. On a CPU it is bfloat16 only where the processor computes in it
    (others emulate it, more slowly than float32) and the release states that its FaceAge then stays close enough to
    float32's (`model.parity.parity_holds`); else float32.
    """
    if wish != "auto":
        return {"float32": torch.float32, "bfloat16": torch.bfloat16}[wish]
    if device.type == "cuda":
        return torch.bfloat16 if torch.cuda.is_bf16_supported(including_emulation=False) else torch.float32
    return torch.bfloat16 if processor_has_bfloat16() and parity_holds(release) else torch.float32


def processor_has_bfloat16() -> bool:
    """Whether this CPU multiplies matrices in bfloat16 (AMX or AVX-512 BF16)."""
    return bool(torch.cpu._is_avx512_bf16_supported() or torch.cpu._is_amx_tile_supported())


def _decode_batch(contents: list[bytes]) -> list[_Photo]:
    return [_decode(content) for content in contents]


def _decode(content: bytes) -> _Photo:
    photo = _Photo(content)
    try:
        photo.header = read_header(content)
        refuse_by_header(photo.header)
        refuse_small_source(photo.header)
        photo.image = decode_photo(content, shortest_side=DECODED_SIDE_PX, header=photo.header)
    except PhotoExcluded as excluded:
        photo.reason = excluded.reason.value
    except MemoryError:
        log.warning("Memory gave out while a photo was decoded.")
        photo.reason = SCORER_UNAVAILABLE
    return photo


def _judge_and_align(photos: list[_Photo]) -> None:
    for photo in photos:
        try:
            photo.face = _face_to_score(photo)
        except PhotoExcluded as excluded:
            photo.reason = excluded.reason.value


def _face_to_score(photo: _Photo) -> NDArray[np.uint8]:
    """Choose the face, cut it out and measure it. Raises PhotoExcluded."""
    assert photo.image is not None and photo.header is not None and photo.found is not None
    image, found = photo.image, photo.found
    scale = max(photo.header.width_px or 0, photo.header.height_px or 0) / max(image.shape[:2])
    photo.face_count = len(found)
    if found:
        photo.detection_probability = max(face.probability for face in found)
        photo.face_width_px = max(face.width for face in found) * scale
    face = the_face(found, (image.shape[0], image.shape[1]), scale)
    photo.detection_probability, photo.face_width_px = face.probability, face.width * scale
    image, landmarks = _sharpest(photo, face, scale)
    aligned = align_face(image, landmarks)
    photo.sharpness = sharpness_of(aligned)
    refuse_poor_quality(aligned, photo.sharpness)
    return aligned


def _sharpest(photo: _Photo, face: DetectedFace, scale: float) -> tuple[NDArray[np.uint8], NDArray[np.floating]]:
    """The image to cut the face from: decoded again in full where the crop would be enlarged from a reduced one."""
    assert photo.image is not None
    to_crop = similarity_to_template(face.landmarks)
    enlarged = math.hypot(to_crop[0, 0], to_crop[1, 0]) > 1.0
    if not enlarged or scale <= 1.0:
        return photo.image, face.landmarks
    full = decode_photo(photo.content, header=photo.header)
    ratio = np.array([full.shape[1] / photo.image.shape[1], full.shape[0] / photo.image.shape[0]])
    return full, (face.landmarks + 0.5) * ratio - 0.5


def _batched(photos: Iterable[bytes], size: int) -> Iterator[list[bytes]]:
    batch: list[bytes] = []
    for photo in photos:
        batch.append(photo)
        if len(batch) == size:
            yield batch
            batch = []
    if batch:
        yield batch
