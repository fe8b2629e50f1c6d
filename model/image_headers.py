"""Headers of image files: JPEG (ITU T.81), PNG (ISO 15948), TIFF 6.0 and BMP, read without an imaging library.

An imaging library refuses or loads as it sees fit before it tells an image's size; here the size must be known first.
"""

from __future__ import annotations

import struct
from collections.abc import Callable
from dataclasses import replace

from model.exclusions import Exclusion
from model.jpeg import DamagedJpeg, read_jpeg_facts
from model.photo_header import PhotoHeader
from model.tiff import DamagedTiff, read_exif_orientation, read_tiff_directories

PNG_COLOUR_TYPES = {0: "MONOCHROME2", 2: "RGB", 3: "PALETTE COLOR", 4: "MONOCHROME2", 6: "RGB"}
TIFF_PHOTOMETRICS = {0: "MONOCHROME1", 1: "MONOCHROME2", 2: "RGB", 3: "PALETTE COLOR", 5: "CMYK", 6: "YBR_FULL"}
BMP_HEADER_SIZES = (12, 40, 52, 56, 64, 108, 124)
PNG_CHUNK_LIMIT = 10_000

UNDECODED_SIGNATURES = (
    (0, b"GIF87a", "gif"),
    (0, b"GIF89a", "gif"),
    (8, b"WEBP", "webp"),
    (4, b"ftyphei", "heif"),
    (4, b"ftyphev", "heif"),
    (4, b"ftypmif1", "heif"),
    (4, b"ftypavif", "avif"),
    (0, b"\x00\x00\x00\x0cjP  \r\n\x87\n", "jpeg2000"),
    (0, b"\xff\x4f\xff\x51", "jpeg2000"),
    (0, b"\xff\x0a", "jpegxl"),
    (0, b"\x00\x00\x00\x0cJXL \r\n\x87\n", "jpegxl"),
    (0, b"II+\x00", "bigtiff"),
    (0, b"MM\x00+", "bigtiff"),
    (0, b"8BPS", "psd"),
)
"""Images by (offset, bytes) that hospitals may well have and that are not decoded here."""


def read_image_header(content: bytes) -> PhotoHeader:
    """Read an image file's header; `problem` says if it is none, is damaged, or of a format not decoded here."""
    for is_format, name, read in _READERS:
        if is_format(content):
            try:
                return _checked(read(content))
            except (struct.error, IndexError, DamagedJpeg, DamagedTiff):
                return PhotoHeader(image_format=name, problem=Exclusion.TRUNCATED_HEADER)
    for offset, signature, name in UNDECODED_SIGNATURES:
        if content[offset : offset + len(signature)] == signature:
            return PhotoHeader(image_format=name, problem=Exclusion.UNSUPPORTED_FORMAT)
    return PhotoHeader(problem=Exclusion.NOT_AN_IMAGE)


def _checked(header: PhotoHeader) -> PhotoHeader:
    return header if header.pixel_count > 0 else replace(header, problem=Exclusion.TRUNCATED_HEADER)


def _read_jpeg(content: bytes) -> PhotoHeader:
    facts = read_jpeg_facts(content)
    return PhotoHeader(
        image_format="jpeg",
        width_px=facts.width,
        height_px=facts.height,
        frame_count=1,
        bits_per_sample=facts.bits,
        photometric_interpretation=facts.photometric_interpretation,
        exif_orientation=read_exif_orientation(facts.exif),
        has_pixel_data=True,
    )


def _read_png(content: bytes) -> PhotoHeader:
    if content[12:16] != b"IHDR":
        return PhotoHeader(image_format="png", problem=Exclusion.TRUNCATED_HEADER)
    width, height, bits, colour_type = struct.unpack_from(">IIBB", content, 16)
    frames, exif = 1, b""
    for kind, start, length in _png_chunks(content):
        if kind == b"acTL":
            frames = struct.unpack_from(">I", content, start)[0]
        elif kind == b"eXIf":
            exif = content[start : start + length]
    return PhotoHeader(
        image_format="png",
        width_px=width,
        height_px=height,
        frame_count=frames,
        bits_per_sample=bits,
        photometric_interpretation=PNG_COLOUR_TYPES.get(colour_type),
        exif_orientation=read_exif_orientation(exif),
        has_pixel_data=True,
    )


def _png_chunks(content: bytes) -> list[tuple[bytes, int, int]]:
    """Kind, start and length of the chunks after IHDR, up to the end of the file or a limit."""
    chunks: list[tuple[bytes, int, int]] = []
    position = 33
    while position + 8 <= len(content) and len(chunks) < PNG_CHUNK_LIMIT:
        length = int.from_bytes(content[position : position + 4], "big")
        chunks.append((content[position + 4 : position + 8], position + 8, length))
        position += 12 + length
    return chunks


def _read_tiff(content: bytes) -> PhotoHeader:
    directories = read_tiff_directories(content)
    # Bit 0 of NewSubfileType marks a reduced copy of another picture: a thumbnail is no frame.
    pictures = [directory for directory in directories if not directory.get("subfile_type", 0) & 1]
    first = directories[0]
    orientation = first.get("orientation")
    return PhotoHeader(
        image_format="tiff",
        width_px=first.get("width"),
        height_px=first.get("height"),
        frame_count=max(1, len(pictures)),
        bits_per_sample=first.get("bits_per_sample", 1),
        photometric_interpretation=TIFF_PHOTOMETRICS.get(first.get("photometric", -1)),
        exif_orientation=orientation if orientation in range(1, 9) else None,
        has_pixel_data=True,
    )


def _read_bmp(content: bytes) -> PhotoHeader:
    header_size = struct.unpack_from("<I", content, 14)[0]
    if header_size == 12:
        width, height, _, bits = struct.unpack_from("<HHHH", content, 18)
    else:
        width, height, _, bits = struct.unpack_from("<iiHH", content, 18)
    return PhotoHeader(
        image_format="bmp",
        width_px=abs(width),
        height_px=abs(height),
        frame_count=1,
        bits_per_sample=min(bits, 8),
        photometric_interpretation="PALETTE COLOR" if bits <= 8 else "RGB",
        has_pixel_data=True,
    )


def _is_bmp(content: bytes) -> bool:
    """The two letters alone would make pictures of text files."""
    return content[:2] == b"BM" and int.from_bytes(content[14:18], "little") in BMP_HEADER_SIZES


_READERS: tuple[tuple[Callable[[bytes], bool], str, Callable[[bytes], PhotoHeader]], ...] = (
    (lambda content: content[:3] == b"\xff\xd8\xff", "jpeg", _read_jpeg),
    (lambda content: content[:8] == b"\x89PNG\r\n\x1a\n", "png", _read_png),
    (lambda content: content[:4] in (b"II*\x00", b"MM\x00*"), "tiff", _read_tiff),
    (_is_bmp, "bmp", _read_bmp),
)
