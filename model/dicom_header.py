"""The header of a DICOM object (PS3.10): an allowlist of elements, read raw, never the pixels.

Values are taken as bytes and read here: pydicom's own conversion warns about odd values and quotes them, and some of
them name people.
"""

from __future__ import annotations

import re
import struct
from datetime import datetime
from io import BytesIO

from pydicom import dcmread
from pydicom.dataelem import RawDataElement
from pydicom.dataset import Dataset

from model.exclusions import Exclusion
from model.photo_header import PhotoHeader

PREAMBLE_BYTES, MAGIC = 128, b"DICM"
DEFLATED_SYNTAX = "1.2.840.10008.1.2.1.99"
FILE_META_LIMIT = 64
MEDIA_STORAGE_SOP_INSTANCE, TRANSFER_SYNTAX = 0x0003, 0x0010
"""Elements of the file meta information."""
LONG_VRS = frozenset({b"OB", b"OD", b"OF", b"OL", b"OV", b"OW", b"SQ", b"SV", b"UC", b"UN", b"UR", b"UT", b"UV"})

HEADER_ELEMENTS = {
    "SOPClassUID": 0x00080016,
    "StudyDate": 0x00080020,
    "SeriesDate": 0x00080021,
    "AcquisitionDate": 0x00080022,
    "ContentDate": 0x00080023,
    "AcquisitionDateTime": 0x0008002A,
    "StudyTime": 0x00080030,
    "SeriesTime": 0x00080031,
    "AcquisitionTime": 0x00080032,
    "ContentTime": 0x00080033,
    "PatientID": 0x00100020,
    "PhotometricInterpretation": 0x00280004,
    "NumberOfFrames": 0x00280008,
    "Rows": 0x00280010,
    "Columns": 0x00280011,
    "BitsStored": 0x00280101,
}
"""What is read. A name, a birth date or an address is not among them."""

PIXEL_DATA_ELEMENTS = frozenset({(0x7FE0, 0x0008), (0x7FE0, 0x0009), (0x7FE0, 0x0010)})

CAPTURE_TIMES = (
    ("AcquisitionDateTime", None),
    ("AcquisitionDate", "AcquisitionTime"),
    ("ContentDate", "ContentTime"),
    ("SeriesDate", "SeriesTime"),
    ("StudyDate", "StudyTime"),
)
"""Where the time of capture may stand, best first."""


def is_dicom(content: bytes) -> bool:
    """Whether the bytes are a DICOM file: the magic after the preamble."""
    return content[PREAMBLE_BYTES : PREAMBLE_BYTES + 4] == MAGIC


def read_dicom_header(content: bytes) -> PhotoHeader:
    """Read an allowlist of elements. Any bytes after the magic give a header, if need be one with a `problem`."""
    syntax = transfer_syntax(content)
    if syntax is None:
        return PhotoHeader(image_format="dicom", problem=Exclusion.TRUNCATED_HEADER)
    if syntax == DEFLATED_SYNTAX:
        # Reading it would inflate the whole object, to a size that nobody has announced.
        return PhotoHeader(image_format="dicom", transfer_syntax_uid=syntax, problem=Exclusion.UNSUPPORTED_FORMAT)
    stream = BytesIO(content)
    try:
        dataset = dcmread(stream, stop_before_pixels=True, specific_tags=list(HEADER_ELEMENTS.values()))
    except MemoryError:
        raise
    except Exception:  # damaged bytes make the parser raise anything; its message may quote values
        return PhotoHeader(image_format="dicom", transfer_syntax_uid=syntax, problem=Exclusion.TRUNCATED_HEADER)
    has_pixel_data = _stands_at_pixel_data(content, stream.tell(), dataset)
    width, height = _unsigned_short(dataset, "Columns"), _unsigned_short(dataset, "Rows")
    problem = None if has_pixel_data else Exclusion.DICOM_WITHOUT_PIXEL_DATA
    if has_pixel_data and not (width and height):
        problem = Exclusion.TRUNCATED_HEADER
    return PhotoHeader(
        image_format="dicom",
        width_px=width,
        height_px=height,
        frame_count=_whole_number(_text(dataset, "NumberOfFrames")) or (1 if has_pixel_data else None),
        bits_per_sample=_unsigned_short(dataset, "BitsStored"),
        photometric_interpretation=_text(dataset, "PhotometricInterpretation"),
        has_pixel_data=has_pixel_data,
        sop_class_uid=_uid(_text(dataset, "SOPClassUID")),
        transfer_syntax_uid=syntax,
        captured_at=_captured_at(dataset),
        dicom_patient_id=_text(dataset, "PatientID"),
        problem=problem,
    )


def transfer_syntax(content: bytes) -> str | None:
    """The transfer syntax UID in the file meta information; None: none found."""
    return _uid(file_meta_text(content, TRANSFER_SYNTAX))


def file_meta_text(content: bytes, wanted: int) -> str | None:
    """The value of an element of the file meta information (PS3.10 7.1), group 0002, always explicit little endian.

    Args:
        content: a DICOM file.
        wanted: number of the element, whose value is text.

    Returns:
        The text without padding; None: there is none.
    """
    position = PREAMBLE_BYTES + len(MAGIC)
    for _ in range(FILE_META_LIMIT):
        if position + 8 > len(content):
            return None
        group, element, vr, length = struct.unpack_from("<HH2sH", content, position)
        if group != 0x0002:
            return None
        position += 8
        if vr in LONG_VRS:
            if position + 4 > len(content):
                return None
            length = struct.unpack_from("<I", content, position)[0]
            position += 4
        if element == wanted:
            return content[position : position + length].decode("ascii", "replace").strip(" \0")
        position += length
    return None


def _stands_at_pixel_data(content: bytes, position: int, dataset: Dataset) -> bool:
    """Whether reading stopped at an element that holds pixels."""
    order = "<" if dataset.original_encoding[1] else ">"
    if position + 4 > len(content):
        return False
    return struct.unpack_from(order + "HH", content, position) in PIXEL_DATA_ELEMENTS


def _raw(dataset: Dataset, name: str) -> bytes | None:
    tag = HEADER_ELEMENTS[name]
    element = dataset.get_item(tag) if tag in dataset else None
    value = element.value if isinstance(element, RawDataElement) else None
    return value if isinstance(value, bytes) else None


def _text(dataset: Dataset, name: str) -> str | None:
    """An element's first value as text, padding removed."""
    value = _raw(dataset, name)
    if value is None:
        return None
    try:
        text = value.decode("utf-8")
    except UnicodeDecodeError:
        text = value.decode("latin-1")
    return text.split("\\")[0].strip(" \0") or None


def _uid(text: str | None) -> str | None:
    text = text.strip(" \0") if text else None
    return text if text and re.fullmatch(r"[0-9.]{1,64}", text) else None


def _unsigned_short(dataset: Dataset, name: str) -> int | None:
    value = _raw(dataset, name)
    if value is None or len(value) < 2:
        return None
    return int.from_bytes(value[:2], "little" if dataset.original_encoding[1] else "big")


def _whole_number(text: str | None) -> int | None:
    return int(text) if text and re.fullmatch(r"\+?[0-9]{1,9}", text) else None


def _captured_at(dataset: Dataset) -> datetime | None:
    for date_name, time_name in CAPTURE_TIMES:
        day = _text(dataset, date_name)
        clock = _text(dataset, time_name) if time_name else None
        moment = _moment((day or "") + (clock or ""))
        if moment is not None:
            return moment
    return None


def _moment(text: str) -> datetime | None:
    """A DT value, or DA and TM joined: at least a full date. A zone offset is dropped: the device's clock is meant."""
    match = re.match(r"(\d{4})(\d{2})(\d{2})(\d{2})?(\d{2})?(\d{2})?(?:\.(\d{1,6}))?", text)
    if match is None:
        return None
    year, month, day, hour, minute, second = (int(part or 0) for part in match.groups()[:6])
    microsecond = int((match[7] or "0").ljust(6, "0"))
    try:
        return datetime(year, month, day, hour, minute, min(second, 59), microsecond)
    except ValueError:
        return None
