from __future__ import annotations

from pathlib import Path

import numpy as np
import pydicom
import pytest
from PIL import Image

from jobs.demo.hospital import write_photographs
from jobs.demo.oddities import ODD_IN_DICOM_FOLDER, ODD_ON_SHARE
from jobs.demo.photographs import render
from jobs.demo.population import CANARY
from model.decode import decode_photo
from model.exclusions import PhotoExcluded
from model.header import read_header
from schemas.reasons import BY_CODE
from tests.jobs.demo.conftest import BuiltHospital

CATALOGUE = {oddity.name: oddity for oddity in (*ODD_ON_SHARE, *ODD_IN_DICOM_FOLDER)}

HEADER_REASONS = ("not_an_image", "empty_file", "truncated_header", "dicom_without_pixel_data")
DECODING_REASONS = ("truncated_image", "decode_failed", "multi_frame", "too_many_pixels")
SCORED = sorted(name for name, oddity in CATALOGUE.items() if oddity.expected_reason is None)


def test_the_same_seed_gives_the_same_bytes_in_two_processes_as_in_one(hospital: BuiltHospital, tmp_path: Path) -> None:
    again = hospital.plan.photos[::6]
    write_photographs(again, tmp_path, processes=2)
    for filed in again:
        if filed.make is not None:
            root = tmp_path / ("photos" if filed.source == "share" else "dicom")
            assert (root / filed.relative_path).read_bytes() == hospital.content(filed), filed.oddity


def test_every_photo_but_the_missing_ones_is_a_file_and_there_are_no_others(hospital: BuiltHospital) -> None:
    files = {path for path in hospital.folder.rglob("*") if path.is_file() and path.name != "SYNTHETIC.txt"}
    assert files == {hospital.path(filed) for filed in hospital.plan.photos if filed.make is not None}
    keys = {(row.source, row.source_key) for row in hospital.query("SELECT source, source_key FROM demo.odd_photo")}
    keys |= {(row.source, row.source_key) for row in hospital.query("SELECT source, source_key FROM demo.truth_photo")}
    assert keys == {(filed.source, filed.source_key) for filed in hospital.plan.photos}
    manifest = {row.photo_key for row in hospital.query("SELECT photo_key FROM hospital.photo_manifest")}
    assert manifest == {key for source, key in keys if source == "share"}


def test_every_path_and_every_name_carries_the_canary(hospital: BuiltHospital) -> None:
    for filed in hospital.plan.photos:
        if filed.make is not None:
            assert CANARY in filed.relative_path
    some = next(filed for filed in hospital.plan.photos if filed.source == "dicom_folder" and filed.oddity is None)
    assert CANARY in str(pydicom.dcmread(hospital.path(some)).PatientName)


def test_ordinary_photos_decode_to_what_was_drawn(hospital: BuiltHospital) -> None:
    ordinary = [filed for filed in hospital.plan.photos if filed.oddity is None]
    for filed in ordinary[::5]:
        content = hospital.content(filed)
        header = read_header(content)
        assert (header.width_px, header.height_px) == (filed.photo.width, filed.photo.height)
        assert _difference(decode_photo(content, shortest_side=None), render(filed.photo)) < 6
        assert b"SYNTHETIC" in content


def test_jpegs_tell_when_they_were_taken(hospital: BuiltHospital) -> None:
    filed = next(filed for filed in hospital.plan.photos if filed.source == "share" and filed.oddity is None)
    with Image.open(hospital.path(filed)) as picture:
        assert picture.getexif().get_ifd(0x8769)[0x9003] == f"{filed.photo.captured_at:%Y:%m:%d %H:%M:%S}"


def test_dicom_photos_say_whose_and_that_they_are_synthetic(hospital: BuiltHospital) -> None:
    filed = next(filed for filed in hospital.plan.photos if filed.source == "dicom_folder" and filed.oddity is None)
    dataset = pydicom.dcmread(hospital.path(filed))
    assert dataset.SOPClassUID == pydicom.uid.VLPhotographicImageStorage
    assert dataset.PatientID == filed.mrn
    assert dataset.InstitutionName == "SYNTHETIC DEMO HOSPITAL"
    assert read_header(hospital.content(filed)).captured_at == filed.photo.captured_at
    same_session = [
        pydicom.dcmread(hospital.path(other)).StudyInstanceUID
        for other in hospital.plan.photos
        if other.photo.session == filed.photo.session and other.oddity is None
    ]
    assert set(same_session) == {dataset.StudyInstanceUID}


def test_every_oddity_is_there_once_with_a_known_reason(hospital: BuiltHospital) -> None:
    rows = hospital.query("SELECT oddity, expected_reason FROM demo.odd_photo WHERE oddity <> 'opted_out'")
    assert {row.oddity: row.expected_reason for row in rows} == {
        name: oddity.expected_reason for name, oddity in CATALOGUE.items()
    }
    assert len(rows) == len(CATALOGUE)
    assert {row.expected_reason for row in rows if row.expected_reason} <= set(BY_CODE)
    assert hospital.query("SELECT count(*) FROM demo.odd_photo WHERE oddity = 'opted_out'")[0][0] > 0


@pytest.mark.parametrize("name", SCORED)
def test_unusual_but_sound_photos_decode_upright(hospital: BuiltHospital, name: str) -> None:
    filed = hospital.odd(name)
    decoded = decode_photo(hospital.content(filed), shortest_side=None)
    drawn = render(filed.content_of)
    if "grey" in name or "monochrome" in name:
        drawn = np.repeat(np.asarray(Image.fromarray(drawn).convert("L"))[..., None], 3, axis=2)
    assert _difference(decoded, drawn) < 8


@pytest.mark.parametrize(
    ("name", "facts"),
    [
        *((f"exif_orientation_{number}", {"exif_orientation": number}) for number in range(2, 9)),
        ("cmyk_jpeg", {"photometric_interpretation": "CMYK"}),
        ("grey_jpeg", {"photometric_interpretation": "MONOCHROME2", "bits_per_sample": 8}),
        ("grey_16_bit_png", {"photometric_interpretation": "MONOCHROME2", "bits_per_sample": 16}),
        ("colour_16_bit_png", {"photometric_interpretation": "RGB", "bits_per_sample": 16}),
        ("palette_png", {"photometric_interpretation": "PALETTE COLOR"}),
        ("png_named_jpg", {"image_format": "png"}),
        ("bomb_30000_x_30000", {"width_px": 30_000, "height_px": 30_000, "image_format": "png"}),
        ("too_small_image", {"width_px": 120}),
        ("dicom_jpeg_2000", {"transfer_syntax_uid": pydicom.uid.JPEG2000Lossless}),
        ("dicom_rle", {"transfer_syntax_uid": pydicom.uid.RLELossless}),
        ("dicom_jpeg_ls", {"transfer_syntax_uid": pydicom.uid.JPEGLSLossless}),
        ("dicom_implicit_little_endian", {"transfer_syntax_uid": pydicom.uid.ImplicitVRLittleEndian}),
        ("dicom_monochrome1", {"photometric_interpretation": "MONOCHROME1"}),
        ("dicom_palette_colour", {"photometric_interpretation": "PALETTE COLOR"}),
        ("dicom_multi_frame", {"frame_count": 3}),
        (
            "dicom_without_pixel_data",
            {"has_pixel_data": False, "sop_class_uid": pydicom.uid.VLPhotographicImageStorage},
        ),
        ("dicom_ct_slice", {"sop_class_uid": pydicom.uid.CTImageStorage}),
        ("dicom_unknown_patient", {"dicom_patient_id": "SYN-9999999"}),
    ],
)
def test_odd_files_are_what_their_names_claim(hospital: BuiltHospital, name: str, facts: dict[str, object]) -> None:
    header = read_header(hospital.content(hospital.odd(name)))
    assert {fact: getattr(header, fact) for fact in facts} == facts


@pytest.mark.parametrize("name", [n for n, oddity in CATALOGUE.items() if oddity.expected_reason in HEADER_REASONS])
def test_headers_give_away_what_is_no_photo(hospital: BuiltHospital, name: str) -> None:
    filed = hospital.odd(name)
    assert read_header(hospital.content(filed)).problem == filed.expected_reason


@pytest.mark.filterwarnings("ignore:End of file reached before delimiter:UserWarning")
@pytest.mark.parametrize("name", [n for n, oddity in CATALOGUE.items() if oddity.expected_reason in DECODING_REASONS])
def test_damaged_and_outsized_photos_are_refused_when_decoded(hospital: BuiltHospital, name: str) -> None:
    filed = hospital.odd(name)
    assert read_header(hospital.content(filed)).problem is None
    with pytest.raises(PhotoExcluded) as refusal:
        decode_photo(hospital.content(filed), shortest_side=640)
    assert refusal.value.reason == filed.expected_reason


def test_duplicates_have_the_bytes_of_a_photo_that_is_listed_before(hospital: BuiltHospital) -> None:
    for name, same_patient in (("duplicate_of_same_patient", True), ("duplicate_of_another_patient", False)):
        filed = hospital.odd(name)
        twin = next(other for other in hospital.plan.photos if other.photo == filed.content_of)
        assert hospital.content(filed) == hospital.content(twin)
        assert (filed.mrn == twin.mrn) == same_patient
        assert twin.oddity is None
        assert twin.source == "share"
        assert twin.source_key < filed.source_key


def test_the_bomb_is_small_until_it_is_decoded(hospital: BuiltHospital) -> None:
    assert hospital.path(hospital.odd("bomb_30000_x_30000")).stat().st_size < 4_000_000


def _difference(one: np.ndarray, other: np.ndarray) -> float:
    """Mean absolute difference in grey levels; pictures of different shape differ without measure."""
    if one.shape != other.shape:
        return float("inf")
    return float(np.abs(one.astype(np.int16) - other.astype(np.int16)).mean())
