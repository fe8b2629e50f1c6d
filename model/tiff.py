"""The little of TIFF 6.0 that headers need: image file directories. EXIF is one such directory."""

from __future__ import annotations

import struct

WANTED_TAGS = {
    254: "subfile_type",
    256: "width",
    257: "height",
    258: "bits_per_sample",
    262: "photometric",
    274: "orientation",
}
FIELD_FORMATS = {1: ("B", 1), 3: ("H", 2), 4: ("I", 4)}
"""BYTE, SHORT and LONG: the types that the wanted tags may have."""
DIRECTORY_LIMIT = 1_000
ENTRY_LIMIT = 4_096


class DamagedTiff(ValueError):
    """The directory structure makes no sense or lies outside the file."""


def read_tiff_directories(content: bytes) -> list[dict[str, int]]:
    """The wanted tags of every directory of the chain, at least one.

    Raises DamagedTiff or struct.error where the structure makes no sense or leaves the file.
    """
    if content[:2] not in (b"II", b"MM"):
        raise DamagedTiff("no byte order")
    order = "<" if content[:2] == b"II" else ">"
    offset = struct.unpack_from(order + "I", content, 4)[0]
    directories: list[dict[str, int]] = []
    seen: set[int] = set()
    while offset:
        if offset in seen or len(directories) >= DIRECTORY_LIMIT:
            raise DamagedTiff("directories in a circle, or too many")
        seen.add(offset)
        directory, offset = _read_directory(content, offset, order)
        directories.append(directory)
    if not directories:
        raise DamagedTiff("no directory")
    return directories


def read_exif_orientation(exif: bytes) -> int | None:
    """Orientation, 1-8, of an EXIF block; None where it does not say or the block is damaged."""
    try:
        orientation = read_tiff_directories(exif)[0].get("orientation") if exif else None
    except (DamagedTiff, struct.error):
        return None
    return orientation if orientation in range(1, 9) else None


def _read_directory(content: bytes, offset: int, order: str) -> tuple[dict[str, int], int]:
    count = struct.unpack_from(order + "H", content, offset)[0]
    if count > ENTRY_LIMIT:
        raise DamagedTiff("too many entries")
    tags: dict[str, int] = {}
    for entry in range(offset + 2, offset + 2 + 12 * count, 12):
        tag, field_type, values = struct.unpack_from(order + "HHI", content, entry)
        if tag in WANTED_TAGS and field_type in FIELD_FORMATS and values:
            letter, size = FIELD_FORMATS[field_type]
            # Values of more than four bytes lie elsewhere; the first of them is enough.
            place = entry + 8 if size * values <= 4 else struct.unpack_from(order + "I", content, entry + 8)[0]
            tags[WANTED_TAGS[tag]] = struct.unpack_from(order + letter, content, place)[0]
    after = offset + 2 + 12 * count
    following = struct.unpack_from(order + "I", content, after)[0] if after + 4 <= len(content) else 0
    return tags, following
