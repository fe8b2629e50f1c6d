"""Drawing a planned photograph, and the JPEG files of the share. Every file says in words that it is synthetic."""

from __future__ import annotations

from datetime import datetime

import cv2
import numpy as np
import simplejpeg
from PIL import Image

from jobs.demo.sessions import Photo
from model.drawing import draw_face
from model.drawing.camera import Pixels

DRAWN_PX = 320
"""Side of the square drawing that is enlarged to the camera's size."""

NOISE_TILE_PX = 512
JPEG_QUALITY = 84

SYNTHETIC_NOTICE = "SYNTHETIC: a drawn face, nobody's photograph. Demo hospital, for software testing."

_EXIF_DESCRIPTION, _EXIF_MAKE, _EXIF_ORIENTATION, _EXIF_SUB_IFD, _EXIF_TAKEN_AT = 0x010E, 0x010F, 0x0112, 0x8769, 0x9003


def render(photo: Photo) -> Pixels:
    """Draw the photograph at its full size: uint8 RGB, (height, width, 3), upright."""
    drawn = draw_face(photo.latents, photo.conditions, DRAWN_PX, framing=photo.framing).pixels
    return enlarge(drawn, photo.width, photo.height, photo.noise())


def enlarge(drawing: Pixels, width: int, height: int, rng: np.random.Generator) -> Pixels:
    """A photograph of `width` x `height` pixels: the middle of the drawing, upscaled, under fresh sensor noise.

    Five milliseconds a megapixel (OpenCV; one tile of noise is laid again and again), or it would take minutes.
    """
    scale = max(width / drawing.shape[1], height / drawing.shape[0])
    crop_width, crop_height = round(width / scale), round(height / scale)
    left, top = (drawing.shape[1] - crop_width) // 2, (drawing.shape[0] - crop_height) // 2
    middle = np.ascontiguousarray(drawing[top : top + crop_height, left : left + crop_width])
    large = np.asarray(cv2.resize(middle, (width, height), interpolation=cv2.INTER_CUBIC), dtype=np.uint8)
    grain = rng.integers(-3, 4, size=(NOISE_TILE_PX, NOISE_TILE_PX, 1), dtype=np.int8).astype(np.int16)
    tile = np.repeat(grain, 3, axis=2)
    for row in range(0, height, NOISE_TILE_PX):
        for column in range(0, width, NOISE_TILE_PX):
            part = large[row : row + NOISE_TILE_PX, column : column + NOISE_TILE_PX]
            cv2.add(part, tile[: part.shape[0], : part.shape[1]], dst=part, dtype=cv2.CV_8U)
    return large


def clinical_jpeg(photo: Photo) -> bytes:
    """The photograph as the share keeps it: a JPEG with EXIF and a comment."""
    return jpeg_file(render(photo), taken_at=photo.captured_at)


def jpeg_file(pixels: Pixels, *, taken_at: datetime | None, orientation: int = 1) -> bytes:
    """Encode RGB (height, width, 3) or grey (height, width, 1) pixels; EXIF tells time and orientation."""
    grey = pixels.shape[2] == 1
    jpeg = simplejpeg.encode_jpeg(
        pixels,
        quality=JPEG_QUALITY,
        colorspace="GRAY" if grey else "RGB",
        colorsubsampling="Gray" if grey else "420",
    )
    return with_notices(jpeg, exif_block(taken_at=taken_at, orientation=orientation))


def exif_block(*, taken_at: datetime | None, orientation: int = 1) -> bytes:
    """EXIF as it stands in a file, with its six-byte prefix."""
    exif = Image.Exif()
    exif[_EXIF_DESCRIPTION] = SYNTHETIC_NOTICE
    exif[_EXIF_MAKE] = "SYNTHETIC"
    exif[_EXIF_ORIENTATION] = orientation
    if taken_at is not None:
        exif.get_ifd(_EXIF_SUB_IFD)[_EXIF_TAKEN_AT] = f"{taken_at:%Y:%m:%d %H:%M:%S}"
    return exif.tobytes()


def with_notices(jpeg: bytes, exif: bytes) -> bytes:
    """A JPEG with the EXIF block and the synthetic notice put in front of everything else."""
    return jpeg[:2] + _segment(0xE1, exif) + _segment(0xFE, SYNTHETIC_NOTICE.encode()) + jpeg[2:]


def _segment(marker: int, payload: bytes) -> bytes:
    return bytes((0xFF, marker)) + (len(payload) + 2).to_bytes(2, "big") + payload
