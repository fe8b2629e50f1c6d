"""What stands before the first scan of a JPEG stream (ITU T.81): size, components, colours, EXIF, ICC profile."""

from __future__ import annotations

from dataclasses import dataclass

START_OF_FRAME = frozenset(range(0xC0, 0xD0)) - {0xC4, 0xC8, 0xCC}
STANDALONE = frozenset({0x01, *range(0xD0, 0xD9)})
START_OF_SCAN, END_OF_IMAGE = 0xDA, 0xD9
APP0, APP1, APP2, APP14 = 0xE0, 0xE1, 0xE2, 0xEE
SEGMENT_LIMIT = 10_000
ICC_LIMIT_BYTES = 8 * 2**20


class DamagedJpeg(ValueError):
    """The stream ends or makes no sense before it says what it is."""


@dataclass(frozen=True)
class JpegFacts:
    """The header of a JPEG stream."""

    width: int
    height: int
    bits: int
    components: int
    component_ids: bytes
    has_jfif: bool
    adobe_transform: int | None
    """0: RGB or CMYK, 1: YCbCr, 2: YCCK; None: no Adobe marker."""
    exif: bytes
    """The TIFF structure inside the EXIF segment; empty: none."""
    icc_profile: bytes
    """Empty: none, or incomplete."""

    @property
    def photometric_interpretation(self) -> str:
        """In DICOM's terms; a four-component picture is called CMYK also where it is stored as YCCK."""
        if self.components == 1:
            return "MONOCHROME2"
        if self.components == 4:
            return "CMYK"
        stored_as_rgb = self.adobe_transform == 0 or (not self.says_its_colours and self.component_ids == b"RGB")
        return "RGB" if stored_as_rgb else "YBR_FULL"

    @property
    def says_its_colours(self) -> bool:
        """Whether a JFIF or Adobe marker says how colours are stored; without one decoders guess."""
        return self.has_jfif or self.adobe_transform is not None


def read_jpeg_facts(content: bytes) -> JpegFacts:
    """Read a JPEG stream's segments up to its first scan. Raises DamagedJpeg where that cannot be done."""
    frame: bytes | None = None
    has_jfif, adobe, exif = False, None, b""
    icc_parts: dict[int, bytes] = {}
    icc_count = 0
    for marker, segment in _segments(content):
        if marker in START_OF_FRAME:
            if len(segment) < 6 or len(segment) < 6 + 3 * segment[5]:
                raise DamagedJpeg("short frame header")
            frame = frame or segment
        elif marker == APP0 and segment[:5] == b"JFIF\0":
            has_jfif = True
        elif marker == APP1 and segment[:6] == b"Exif\0\0" and not exif:
            exif = segment[6:]
        elif marker == APP2 and segment[:12] == b"ICC_PROFILE\0" and len(segment) > 14:
            icc_count = segment[13]
            icc_parts[segment[12]] = segment[14:]
        elif marker == APP14 and segment[:5] == b"Adobe" and len(segment) >= 12:
            adobe = segment[11]
    if frame is None:
        raise DamagedJpeg("no frame header before the scan")
    profile = b"".join(icc_parts[number] for number in sorted(icc_parts))
    complete = len(icc_parts) == icc_count and len(profile) <= ICC_LIMIT_BYTES
    return JpegFacts(
        width=int.from_bytes(frame[3:5], "big"),
        height=int.from_bytes(frame[1:3], "big"),
        bits=frame[0],
        components=frame[5],
        component_ids=frame[6 : 6 + 3 * frame[5] : 3],
        has_jfif=has_jfif,
        adobe_transform=adobe,
        exif=exif,
        icc_profile=profile if complete else b"",
    )


def _segments(content: bytes) -> list[tuple[int, bytes]]:
    """Marker and payload of each segment up to the first scan."""
    segments: list[tuple[int, bytes]] = []
    position = 2
    while len(segments) < SEGMENT_LIMIT:
        if content[position : position + 1] != b"\xff":
            raise DamagedJpeg("no marker where one must stand")
        while content[position : position + 1] == b"\xff":
            position += 1
        marker = content[position] if position < len(content) else END_OF_IMAGE
        position += 1
        if marker in (START_OF_SCAN, END_OF_IMAGE):
            return segments
        if marker in STANDALONE:
            continue
        length = int.from_bytes(content[position : position + 2], "big")
        if length < 2 or position + length > len(content):
            raise DamagedJpeg("a segment reaches beyond the end")
        segments.append((marker, content[position + 2 : position + length]))
        position += length
    raise DamagedJpeg("too many segments")
