"""Makers of the share's odd files: from the photo that would have stood there, the bytes that do."""

from __future__ import annotations

import struct
import zlib
from dataclasses import replace
from functools import partial
from io import BytesIO

import cv2
import numpy as np
from PIL import Image

from jobs.demo.photographs import (
    SYNTHETIC_NOTICE,
    clinical_jpeg,
    exif_block,
    jpeg_file,
    render,
)
from jobs.demo.sessions import Photo
from model.drawing import Framing, draw_face, draw_face_cut_by_frame, draw_scene_without_face, draw_two_faces
from model.drawing.camera import Pixels

BOMB_SIDE_PX = 30_000

_STORED_FROM_UPRIGHT = {
    2: Image.Transpose.FLIP_LEFT_RIGHT,
    3: Image.Transpose.ROTATE_180,
    4: Image.Transpose.FLIP_TOP_BOTTOM,
    5: Image.Transpose.TRANSPOSE,
    6: Image.Transpose.ROTATE_90,
    7: Image.Transpose.TRANSVERSE,
    8: Image.Transpose.ROTATE_270,
}
"""How an upright picture is turned before it is stored under an EXIF orientation that turns it back."""


def turned_jpeg(photo: Photo, *, orientation: int) -> bytes:
    """Stored turned or mirrored, with the EXIF orientation (2 to 8) that puts it upright."""
    stored = Image.fromarray(render(photo)).transpose(_STORED_FROM_UPRIGHT[orientation])
    return jpeg_file(np.array(stored), taken_at=photo.captured_at, orientation=orientation)


def cmyk_jpeg(photo: Photo) -> bytes:
    """A JPEG of four inks, as it comes back from a print shop."""
    return _pillow_file(Image.fromarray(render(photo)).convert("CMYK"), photo, "JPEG")


def progressive_jpeg(photo: Photo) -> bytes:
    """A JPEG in several scans, as web software writes it."""
    return _pillow_file(Image.fromarray(render(photo)), photo, "JPEG", progressive=True)


def grey_jpeg(photo: Photo) -> bytes:
    """A JPEG of one channel."""
    return jpeg_file(_grey(photo)[..., None], taken_at=photo.captured_at)


def png_with_transparency(photo: Photo) -> bytes:
    """A PNG with an alpha channel."""
    picture = Image.fromarray(render(photo))
    picture.putalpha(255)
    return _pillow_file(picture, photo, "PNG")


def palette_png(photo: Photo) -> bytes:
    """A PNG of 256 colours."""
    return _pillow_file(Image.fromarray(render(photo)).quantize(256), photo, "PNG")


def grey_16_bit_png(photo: Photo) -> bytes:
    """A PNG of one channel of 16 bits that uses their whole range."""
    return _encoded(".png", _grey(photo).astype(np.uint16) * 257)


def colour_16_bit_png(photo: Photo) -> bytes:
    """A PNG of three channels of 16 bits."""
    return _encoded(".png", cv2.cvtColor(render(photo), cv2.COLOR_RGB2BGR).astype(np.uint16) * 257)


def tiff(photo: Photo) -> bytes:
    """A TIFF, losslessly compressed."""
    file = BytesIO()
    Image.fromarray(render(photo)).save(file, format="TIFF", compression="tiff_lzw", description=SYNTHETIC_NOTICE)
    return file.getvalue()


def small_jpeg(photo: Photo) -> bytes:
    """A thumbnail, 120 x 150 pixels: below the 160 that a photo needs."""
    return clinical_jpeg(replace(photo, width=120, height=150))


def cut_off(photo: Photo, *, share: float) -> bytes:
    """A JPEG of which only the first `share` of the bytes arrived."""
    whole = clinical_jpeg(photo)
    return whole[: int(len(whole) * share)]


def cut_off_in_header(photo: Photo) -> bytes:
    """A JPEG that ends before it tells its size."""
    return clinical_jpeg(photo)[:100]


def cut_off_png(photo: Photo) -> bytes:
    """A PNG of which half the bytes arrived."""
    whole = _pillow_file(Image.fromarray(render(photo)), photo, "PNG")
    return whole[: len(whole) // 2]


def text_named_jpg(photo: Photo) -> bytes:
    """A note that somebody saved under a picture's name."""
    return f"{SYNTHETIC_NOTICE}\nPatient did not want to be photographed today.\n".encode()


def zero_bytes(photo: Photo) -> bytes:
    """Nothing at all."""
    return b""


def nobody(photo: Photo) -> bytes:
    """A picture of the room."""
    return _scene(photo, draw_scene_without_face(photo.noise()))


def two_people(photo: Photo) -> bytes:
    """The patient's companion is in the picture too."""
    return _scene(photo, draw_two_faces(photo.noise(), 640))


def cut_by_frame(photo: Photo) -> bytes:
    """Half the face is outside the picture."""
    return _scene(photo, draw_face_cut_by_frame(photo.noise()))


def far_away(photo: Photo) -> bytes:
    """A face of some twenty pixels in a small picture of the whole room."""
    drawn = draw_face(photo.latents, photo.conditions, 320, framing=Framing(zoom=0.95)).pixels
    room = np.full((200, 200, 3), 150, dtype=np.uint8)
    room[60:110, 70:120] = cv2.resize(drawn, (50, 50), interpolation=cv2.INTER_AREA)
    return jpeg_file(room, taken_at=photo.captured_at)


def bomb(photo: Photo) -> bytes:
    """A PNG of 30,000 x 30,000 pixels in about a hundred kilobytes; decoding it would take 2.7 GB."""
    row = b"\0" * (1 + BOMB_SIDE_PX // 8)
    compressor = zlib.compressobj(9)
    rows = b"".join(compressor.compress(row) for _ in range(BOMB_SIDE_PX)) + compressor.flush()
    header = struct.pack(">IIBBBBB", BOMB_SIDE_PX, BOMB_SIDE_PX, 1, 0, 0, 0, 0)
    notice = b"Comment\0" + SYNTHETIC_NOTICE.encode()
    chunks = ((b"IHDR", header), (b"tEXt", notice), (b"IDAT", rows), (b"IEND", b""))
    return b"\x89PNG\r\n\x1a\n" + b"".join(_png_chunk(kind, content) for kind, content in chunks)


def _png_chunk(kind: bytes, content: bytes) -> bytes:
    return struct.pack(">I", len(content)) + kind + content + struct.pack(">I", zlib.crc32(kind + content))


def _scene(photo: Photo, drawing: Pixels) -> bytes:
    large = cv2.resize(drawing, (photo.height, photo.height), interpolation=cv2.INTER_CUBIC)
    return jpeg_file(np.asarray(large, dtype=np.uint8), taken_at=photo.captured_at)


def _grey(photo: Photo) -> Pixels:
    return np.asarray(cv2.cvtColor(render(photo), cv2.COLOR_RGB2GRAY), dtype=np.uint8)


def _encoded(extension: str, samples: np.ndarray) -> bytes:
    written, encoded = cv2.imencode(extension, samples)
    if not written:
        raise ValueError(f"OpenCV cannot write {extension}")
    return encoded.tobytes()


def _pillow_file(picture: Image.Image, photo: Photo, image_format: str, **options: object) -> bytes:
    file = BytesIO()
    picture.save(file, format=image_format, exif=exif_block(taken_at=photo.captured_at), **options)
    return file.getvalue()


TURNED = {orientation: partial(turned_jpeg, orientation=orientation) for orientation in _STORED_FROM_UPRIGHT}
"""Makers by EXIF orientation."""
