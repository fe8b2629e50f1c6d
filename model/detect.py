"""Finding faces: a detector takes decoded photographs and gives boxes, probabilities and five landmarks.

The default is MTCNN (Zhang et al., IEEE Signal Processing Letters 23, 2016), with the weights inside facenet-pytorch.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from importlib.util import find_spec
from typing import Protocol

import cv2
import numpy as np
import torch
from numpy.typing import NDArray

from model.mtcnn import Cascade, CascadeSettings

Image = NDArray[np.uint8]


@dataclass(frozen=True)
class DetectedFace:
    """One face, in pixels of the image that was given to the detector."""

    box: NDArray[np.float32]
    """Left, top, right, bottom: (4,). May reach outside the image."""
    probability: float
    landmarks: NDArray[np.float32]
    """(5, 2), x and y: left eye in the image, right eye in the image, nose tip, left and right mouth corner."""

    @property
    def width(self) -> float:
        """Width of the box in pixels."""
        return float(self.box[2] - self.box[0])


class FaceDetector(Protocol):
    """What the scorer needs of a detector."""

    def is_available(self) -> bool:
        """Whether everything this detector needs is installed."""

    def detect(self, images: Sequence[Image]) -> list[list[DetectedFace]]:
        """Find the faces of each uint8 RGB (H, W, 3) image, widest first; an empty list where there is none."""


@dataclass(frozen=True)
class Look:
    """One pass over an image: how large it is looked at and how small a face may be. All ours."""

    longest_side_px: int
    smallest_face_px: int


@dataclass(frozen=True)
class DetectionSettings:
    """Constants of detection; part of PREPROCESSING_ID."""

    first: Look = Look(longest_side_px=320, smallest_face_px=44)
    """Finds faces from a seventh of the longer side: a clinical portrait's face is far larger."""
    finer: Look = Look(longest_side_px=640, smallest_face_px=28)
    """Only for images in which the first look found nothing."""
    evened: Look = Look(longest_side_px=320, smallest_face_px=44)
    """Only for images in which the finer look found nothing either, their brightness evened out: MTCNN overlooks dark
    skin in flat light, and a face must not go without a score for its colour."""
    cascade: CascadeSettings = field(default_factory=CascadeSettings)


class MtcnnDetector:
    """MTCNN with a bounded pyramid, run on batches of images of any sizes."""

    def __init__(self, device: str | torch.device = "cpu", settings: DetectionSettings | None = None) -> None:
        self.settings = settings or DetectionSettings()
        self._cascade = Cascade(device, self.settings.cascade)

    def is_available(self) -> bool:
        """Whether facenet-pytorch, which holds the weights, is installed."""
        return find_spec("facenet_pytorch") is not None

    def detect(self, images: Sequence[Image]) -> list[list[DetectedFace]]:
        """Find the faces of each uint8 RGB (H, W, 3) image, widest first; an empty list where there is none."""
        faces = self._look(images, self.settings.first)
        for look, prepared in ((self.settings.finer, _as_it_is), (self.settings.evened, _evened)):
            unseen = [index for index, found in enumerate(faces) if not found]
            for index, found in zip(unseen, self._look([prepared(images[i]) for i in unseen], look), strict=True):
                faces[index] = found
        return faces

    def _look(self, images: Sequence[Image], look: Look) -> list[list[DetectedFace]]:
        seen = [_shrunk(image, look.longest_side_px) for image in images]
        results = []
        for image, small, found in zip(images, seen, self._cascade.run(seen, look.smallest_face_px), strict=True):
            scale = np.array([image.shape[1] / small.shape[1], image.shape[0] / small.shape[0]], dtype=np.float32)
            faces = [
                # Pixel centres stay pixel centres under scaling: hence the halves.
                DetectedFace(
                    box=(box.reshape(2, 2) * scale).reshape(4),
                    probability=float(probability),
                    landmarks=(points + 0.5) * scale - 0.5,
                )
                for box, probability, points in zip(found.boxes, found.probabilities, found.landmarks, strict=True)
            ]
            results.append(sorted(faces, key=lambda face: -face.width))
        return results


def _as_it_is(image: Image) -> Image:
    return image


def _evened(image: Image) -> Image:
    """The image with its luminance histogram equalised; colours stay."""
    channels = cv2.cvtColor(image, cv2.COLOR_RGB2YCrCb)
    channels[..., 0] = cv2.equalizeHist(channels[..., 0])
    return np.asarray(cv2.cvtColor(channels, cv2.COLOR_YCrCb2RGB), dtype=np.uint8)


def _shrunk(image: Image, longest_side_px: int) -> Image:
    """The image reduced by area averaging to the given longer side; never enlarged."""
    height, width = image.shape[:2]
    scale = longest_side_px / max(height, width)
    if scale >= 1:
        return np.ascontiguousarray(image)
    size = (max(1, round(width * scale)), max(1, round(height * scale)))
    return np.asarray(cv2.resize(image, size, interpolation=cv2.INTER_AREA), dtype=np.uint8)
