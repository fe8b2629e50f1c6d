"""From five landmarks to the 112 x 112 crop that the networks see.

The template is ArcFace's (Deng et al., CVPR 2019) for 112 x 112, which the released code of FAHR-Face uses
(arXiv 2506.14909).
"""

from __future__ import annotations

import cv2
import numpy as np
from numpy.typing import NDArray

FACE_PX = 112
"""Side of the aligned face, in pixels."""

ARCFACE_TEMPLATE: NDArray[np.float64] = np.array(
    [(38.2946, 51.6963), (73.5318, 51.5014), (56.0252, 71.7366), (41.5493, 92.3655), (70.7299, 92.2041)]
)
"""Where the left eye in the image, right eye in the image, nose tip and mouth corners go, x and y in pixels."""

SHRINK_LIMIT = 2.0
"""Above this reduction a plain warp would alias: the image is first reduced by area averaging (ours)."""


def similarity_to_template(landmarks: NDArray[np.floating]) -> NDArray[np.float64]:
    """The similarity (rotation, uniform scale, shift; no mirror) that best takes `landmarks` to the template.

    `landmarks` are (5, 2), x and y in pixels, ArcFace order. Returns the 2 x 3 matrix that takes image pixels to
    crop pixels; least squares by Umeyama (IEEE PAMI 13, 1991). Raises ValueError where the points coincide.
    """
    points = np.asarray(landmarks, dtype=np.float64)
    point_mean, template_mean = points.mean(axis=0), ARCFACE_TEMPLATE.mean(axis=0)
    centred, template = points - point_mean, ARCFACE_TEMPLATE - template_mean
    spread = (centred**2).sum()
    if not np.isfinite(spread) or spread < 1e-6:
        raise ValueError("the five landmarks coincide")
    # In the plane a similarity is multiplication by a complex number, so least squares has a closed form.
    cosine = (centred * template).sum() / spread
    sine = (centred[:, 0] * template[:, 1] - centred[:, 1] * template[:, 0]).sum() / spread
    rotation = np.array([[cosine, -sine], [sine, cosine]])
    return np.hstack([rotation, (template_mean - rotation @ point_mean)[:, None]])


def align_face(image: NDArray[np.uint8], landmarks: NDArray[np.floating]) -> NDArray[np.uint8]:
    """Crop and straighten one face.

    `image` is uint8 RGB (H, W, 3); `landmarks` (5, 2), x and y in its pixels. Returns uint8 RGB (112, 112, 3), black
    where the crop reaches outside the image. Raises ValueError where the landmarks define no similarity.
    """
    to_crop = similarity_to_template(landmarks)
    shrink = 1.0 / float(np.hypot(to_crop[0, 0], to_crop[1, 0]))
    if shrink >= SHRINK_LIMIT:
        image, to_crop = _reduce_around_face(image, to_crop, int(shrink))
    return np.asarray(cv2.warpAffine(image, to_crop, (FACE_PX, FACE_PX), flags=cv2.INTER_LINEAR), dtype=np.uint8)


def crop_corners(landmarks: NDArray[np.floating]) -> NDArray[np.float64]:
    """The four corners of the aligned crop in image pixels, (4, 2), clockwise from the crop's top left."""
    to_image = cv2.invertAffineTransform(similarity_to_template(landmarks))
    corners = np.array([(0, 0, 1), (FACE_PX, 0, 1), (FACE_PX, FACE_PX, 1), (0, FACE_PX, 1)], dtype=np.float64)
    return np.asarray(corners @ to_image.T, dtype=np.float64)


def _reduce_around_face(
    image: NDArray[np.uint8], to_crop: NDArray[np.float64], factor: int
) -> tuple[NDArray[np.uint8], NDArray[np.float64]]:
    """Reduce the part of the image that the crop needs by a whole factor, averaging, and adapt the matrix to it."""
    to_image = cv2.invertAffineTransform(to_crop)
    corners = np.array([(0, 0, 1), (FACE_PX, 0, 1), (FACE_PX, FACE_PX, 1), (0, FACE_PX, 1)]) @ to_image.T
    height, width = image.shape[:2]
    left, top = np.clip(np.floor(corners.min(axis=0)).astype(int) - factor, 0, (width - 1, height - 1))
    right, bottom = np.clip(np.ceil(corners.max(axis=0)).astype(int) + factor, (left + 1, top + 1), (width, height))
    columns, rows = max(1, (right - left) // factor), max(1, (bottom - top) // factor)
    part = image[top : top + rows * factor, left : left + columns * factor]
    reduced = cv2.resize(part, (columns, rows), interpolation=cv2.INTER_AREA)
    # Pixel centres: full = left + factor * (reduced + 0.5) - 0.5.
    scale_x, scale_y = part.shape[1] / columns, part.shape[0] / rows
    reduced_to_full = np.array(
        [[scale_x, 0, left + 0.5 * scale_x - 0.5], [0, scale_y, top + 0.5 * scale_y - 0.5], [0, 0, 1]]
    )
    return np.asarray(reduced, dtype=np.uint8), to_crop @ reduced_to_full
