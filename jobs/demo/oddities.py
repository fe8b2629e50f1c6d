"""The odd photographs every hospital has, and what the night must make of each: a reason code, or a score."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, time, timedelta
from functools import partial
from typing import Literal

from jobs.demo import odd_dicom_files as dicom_files
from jobs.demo import odd_share_files as share_files
from jobs.demo.filing import FiledPhoto
from jobs.demo.photographs import clinical_jpeg
from jobs.demo.population import CANARY, Patient
from jobs.demo.sessions import DICOM_FOLDER, SHARE, SOURCES, Photo, plain_photo

UNKNOWN_MRN = "SYN-9999999"
"""In no id map."""

FUTURE = datetime(2031, 5, 4, 9, 30)

Capture = Literal["that_day", "future", "before_birth", "unknown"]
Bytes = Literal["own", "of_same_patient", "of_another_patient"]


@dataclass(frozen=True, slots=True)
class Oddity:
    """One kind of odd photograph."""

    name: str
    make: Callable[[Photo], bytes] | None
    """Makes the file's bytes; None: there is no file."""
    expected_reason: str | None = None
    """None: it must be scored."""
    extension: str = ".jpg"
    mrn: str | None = None
    """Record number it is filed under, where that is not the patient's."""
    path: str | None = None
    """Path in the manifest, where that is not an ordinary one."""
    capture: Capture = "that_day"
    bytes_are: Bytes = "own"


ODD_ON_SHARE: tuple[Oddity, ...] = (
    *(Oddity(f"exif_orientation_{orientation}", make) for orientation, make in share_files.TURNED.items()),
    Oddity("cmyk_jpeg", share_files.cmyk_jpeg),
    Oddity("progressive_jpeg", share_files.progressive_jpeg),
    Oddity("grey_jpeg", share_files.grey_jpeg),
    Oddity("grey_16_bit_png", share_files.grey_16_bit_png, extension=".png"),
    Oddity("colour_16_bit_png", share_files.colour_16_bit_png, extension=".png"),
    Oddity("png_with_transparency", share_files.png_with_transparency, extension=".png"),
    Oddity("palette_png", share_files.palette_png, extension=".png"),
    Oddity("tiff", share_files.tiff, extension=".tif"),
    Oddity("png_named_jpg", share_files.png_with_transparency),
    Oddity("truncated_jpeg_half", partial(share_files.cut_off, share=0.5), "truncated_image"),
    Oddity("truncated_jpeg_end", partial(share_files.cut_off, share=0.97), "truncated_image"),
    Oddity("truncated_png", share_files.cut_off_png, "truncated_image", extension=".png"),
    Oddity("truncated_in_header", share_files.cut_off_in_header, "truncated_header"),
    Oddity("text_named_jpg", share_files.text_named_jpg, "not_an_image"),
    Oddity("zero_bytes", share_files.zero_bytes, "empty_file"),
    Oddity("no_face", share_files.nobody, "no_face"),
    Oddity("two_faces", share_files.two_people, "several_faces"),
    Oddity("face_cut_by_frame", share_files.cut_by_frame, "face_cut_by_frame"),
    Oddity("face_too_small", share_files.far_away, "face_too_small"),
    Oddity("too_small_image", share_files.small_jpeg, "source_too_small"),
    Oddity("bomb_30000_x_30000", share_files.bomb, "too_many_pixels", extension=".png"),
    Oddity("unknown_patient", clinical_jpeg, "unknown_patient", mrn=UNKNOWN_MRN),
    Oddity("missing_file", None, "file_missing"),
    Oddity("path_leaves_share", None, "outside_photo_root", path="../SYNTHETIC.txt"),
    Oddity("absolute_path", None, "outside_photo_root", path="/etc/hostname"),
    Oddity("dated_in_future", clinical_jpeg, "captured_in_future", capture="future"),
    Oddity("dated_before_birth", clinical_jpeg, "captured_before_birth", capture="before_birth"),
    Oddity("undated", clinical_jpeg, "capture_time_missing", capture="unknown"),
    Oddity("duplicate_of_same_patient", clinical_jpeg, "duplicate_bytes", bytes_are="of_same_patient"),
    Oddity("duplicate_of_another_patient", clinical_jpeg, "bytes_of_another_patient", bytes_are="of_another_patient"),
)
"""Odd files and rows of the photo share."""

ODD_IN_DICOM_FOLDER: tuple[Oddity, ...] = (
    *(
        Oddity(f"dicom_{encoding}", partial(dicom_files.encoded_as, encoding=encoding), extension=".dcm")
        for encoding in ("jpeg_2000", "rle", "jpeg_ls", "explicit_little_endian", "implicit_little_endian")
    ),
    Oddity("dicom_monochrome1", dicom_files.monochrome1, extension=".dcm"),
    Oddity("dicom_monochrome2_12_bit", dicom_files.monochrome2_12_bit, extension=".dcm"),
    Oddity("dicom_palette_colour", dicom_files.palette_colour, extension=".dcm"),
    Oddity("dicom_progressive_jpeg", dicom_files.progressive_jpeg_frame, extension=".dcm"),
    Oddity("dicom_without_pixel_data", dicom_files.without_pixel_data, "dicom_without_pixel_data", extension=".dcm"),
    Oddity("dicom_multi_frame", dicom_files.several_frames, "multi_frame", extension=".dcm"),
    Oddity("dicom_ct_slice", dicom_files.ct_slice, "unsupported_sop_class", extension=".dcm"),
    Oddity("dicom_truncated", dicom_files.cut_off_object, "decode_failed", extension=".dcm"),
    Oddity(
        "dicom_unknown_patient",
        partial(dicom_files.unknown_patient_id, mrn=UNKNOWN_MRN),
        "unknown_patient",
        extension=".dcm",
    ),
    Oddity("jpeg_in_dicom_folder", dicom_files.plain_jpeg, "unknown_patient"),
    Oddity("text_in_dicom_folder", dicom_files.text_file, "not_an_image", extension=".txt"),
)
"""Odd files of the DICOM folder."""

OPTED_OUT = "opted_out"


def file_oddities(ordinary: Sequence[FiledPhoto]) -> list[FiledPhoto]:
    """One photograph of each oddity, numbered on from the ordinary ones; the patients are ordinary patients in turn.

    Args:
        ordinary: the hospital's other photographs; those of patients who opted out lend no face.
    """
    sitters = _first_photos([filed for filed in ordinary if filed.oddity is None])
    on_share = [photo for photo in sitters if photo.session.source == SHARE]
    catalogue = [(SHARE, oddity) for oddity in ODD_ON_SHARE]
    catalogue += [(DICOM_FOLDER, oddity) for oddity in ODD_IN_DICOM_FOLDER]
    first_number = 1 + max(filed.photo.number for filed in ordinary)
    odd = []
    for place, (source, oddity) in enumerate(catalogue):
        among = on_share if oddity.bytes_are == "of_same_patient" else sitters
        sitter = among[place % len(among)]
        lender = next(photo for photo in on_share if photo.patient != sitter.patient)
        odd.append(_file(oddity, source, sitter, lender, number=first_number + place))
    return odd


def mark_opted_out(ordinary: Sequence[FiledPhoto], opted_out: Sequence[Patient]) -> list[FiledPhoto]:
    """The photographs, those of patients who opted out marked as such: they must not be read."""
    persons = {patient.person_id for patient in opted_out}
    return [
        replace(filed, oddity=OPTED_OUT, expected_reason=OPTED_OUT)
        if filed.photo.patient.person_id in persons
        else filed
        for filed in ordinary
    ]


def patients_who_opt_out(photos: Sequence[Photo]) -> list[Patient]:
    """The first patient whose photographs are all on the share, and the first whose are all in the DICOM folder."""
    sources: dict[Patient, set[str]] = {}
    for photo in photos:
        sources.setdefault(photo.patient, set()).add(photo.session.source)
    kept_in = {source: [patient for patient, where in sources.items() if where == {source}] for source in SOURCES}
    return [patient for source in SOURCES for patient in kept_in[source][:1]]


def _first_photos(ordinary: Sequence[FiledPhoto]) -> list[Photo]:
    """Each patient's first photograph."""
    first: dict[int, Photo] = {}
    for filed in ordinary:
        first.setdefault(filed.photo.patient.person_id, filed.photo)
    return list(first.values())


def _file(oddity: Oddity, source: str, sitter: Photo, lender: Photo, *, number: int) -> FiledPhoto:
    """`sitter`'s odd photograph; `lender` is another patient's, whose bytes may stand in its place."""
    session = replace(sitter.session, source=source)
    arrived = datetime.combine(session.day, time(18)) + timedelta(seconds=number % 3600)
    photo = replace(
        plain_photo(sitter, number=number),
        session=session,
        captured_at=_captured_at(oddity.capture, sitter),
        registered_at=arrived,
    )
    mrn = oddity.mrn or photo.patient.mrn
    folder = f"{CANARY}/unsorted" if source == DICOM_FOLDER else f"{CANARY}/{session.day.year}"
    return FiledPhoto(
        photo=photo,
        mrn=mrn,
        relative_path=oddity.path or f"{folder}/{mrn}_{session.day:%Y%m%d}_{number:06d}{oddity.extension}",
        make=oddity.make,
        content_of={"own": photo, "of_same_patient": sitter, "of_another_patient": lender}[oddity.bytes_are],
        oddity=oddity.name,
        expected_reason=oddity.expected_reason,
    )


def _captured_at(capture: Capture, sitter: Photo) -> datetime | None:
    if capture == "unknown":
        return None
    if capture == "future":
        return FUTURE
    if capture == "before_birth":
        return datetime.combine(sitter.patient.born, time(9, 30)) - timedelta(days=400)
    return datetime.combine(sitter.session.day, time(17, 30))
