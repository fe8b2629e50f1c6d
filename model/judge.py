"""The exclusion rules: which face of a photograph is scored, or why none is.

The rules are the predecessor's (source below 160 px, no face, more than one, cut by the frame, obscured, poor quality);
where they need a number, it is ours and stands in `ExclusionThresholds`.
"""

from __future__ import annotations

from collections.abc import Sequence

import cv2
import numpy as np
from numpy.typing import NDArray

from model.align import FACE_PX, crop_corners
from model.detect import DetectedFace
from model.exclusions import THRESHOLDS, Exclusion, ExclusionThresholds, PhotoExcluded
from model.photo_header import PhotoHeader


def refuse_small_source(header: PhotoHeader, thresholds: ExclusionThresholds = THRESHOLDS) -> None:
    """Raise PhotoExcluded (SOURCE_TOO_SMALL) where the photograph's shorter side is below the minimum."""
    if min(header.width_px or 0, header.height_px or 0) < thresholds.source_px:
        raise PhotoExcluded(Exclusion.SOURCE_TOO_SMALL)


def the_face(
    found: Sequence[DetectedFace],
    image_size: tuple[int, int],
    source_scale: float,
    thresholds: ExclusionThresholds = THRESHOLDS,
) -> DetectedFace:
    """The one face to score.

    A second face much smaller than the first (below a third of its width) is background, a poster or a mistake of the
    detector, and is passed over: the photograph is clearly of the large one.

    `found` and `image_size` (height, width) are in pixels of the decoded image; `source_scale` is pixels of the
    photograph per decoded pixel. Raises PhotoExcluded: NO_FACE, SEVERAL_FACES, FACE_TOO_SMALL, FACE_CUT_BY_FRAME, or
    POOR_QUALITY where the detector is in doubt about the only face, as it is when a hand or a mask obscures it.
    """
    likely = [face for face in found if face.probability >= thresholds.face_probability]
    if not likely:
        raise PhotoExcluded(Exclusion.POOR_QUALITY if found else Exclusion.NO_FACE)
    face, *others = sorted(likely, key=lambda candidate: -candidate.width)
    if any(other.width >= thresholds.second_face_width_ratio * face.width for other in others):
        raise PhotoExcluded(Exclusion.SEVERAL_FACES)
    if face.width * source_scale < thresholds.face_px:
        raise PhotoExcluded(Exclusion.FACE_TOO_SMALL)
    try:
        outside = share_outside(face, image_size)
    except ValueError:  # the five landmarks coincide: nothing that was seen as a face can be straightened
        raise PhotoExcluded(Exclusion.POOR_QUALITY) from None
    if outside > thresholds.cut_share:
        raise PhotoExcluded(Exclusion.FACE_CUT_BY_FRAME)
    if face.probability < thresholds.clear_face_probability:
        raise PhotoExcluded(Exclusion.POOR_QUALITY)
    return face


def share_outside(face: DetectedFace, image_size: tuple[int, int]) -> float:
    """Share of the aligned crop (forehead to chin, temple to temple) that lies outside the image, 0-1."""
    height, width = image_size
    frame = np.array([(0, 0), (width, 0), (width, height), (0, height)], dtype=np.float32)
    corners = crop_corners(face.landmarks).astype(np.float32)
    inside, _ = cv2.intersectConvexConvex(corners, frame)
    whole = cv2.contourArea(corners)
    return float(1.0 - inside / whole) if whole > 0 else 1.0


def refuse_poor_quality(
    face: NDArray[np.uint8], sharpness: float, thresholds: ExclusionThresholds = THRESHOLDS
) -> None:
    """Raise PhotoExcluded (POOR_QUALITY) where the aligned face is blurred, or too dark or too bright to be read."""
    brightness = float(face.mean())
    readable = thresholds.brightness_low <= brightness <= thresholds.brightness_high
    if sharpness < thresholds.sharpness or not readable:
        raise PhotoExcluded(Exclusion.POOR_QUALITY)


def sharpness_of(face: NDArray[np.uint8]) -> float:
    """Variance of the Laplacian of the aligned face's brightness (0-255), a focus measure (Pech-Pacheco 2000).

    Only the middle of the crop counts, where there is face and no background.
    """
    margin = FACE_PX // 7
    grey = cv2.cvtColor(face[margin:-margin, margin:-margin], cv2.COLOR_RGB2GRAY)
    return float(cv2.Laplacian(grey, cv2.CV_32F).var())
