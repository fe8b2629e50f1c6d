"""Headers: sizes agree with independent readers, pixels are never decoded, and no bytes make the reader fail."""

from __future__ import annotations

from datetime import datetime
from io import BytesIO

import numpy as np
import pydicom
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from photos import (
    dicom,
    dicom_with_frame,
    exif,
    jpeg,
    jpeg_bomb,
    png_bomb,
    save,
    sixteen_bit_png,
    smooth_picture,
    tiff_bomb,
)
from PIL import Image

from model.exclusions import Exclusion
from model.header import PhotoHeader, read_header

PICTURE = smooth_picture(240, 200)
DICOM = dicom(PICTURE.tobytes(), width=240, height=200)


@pytest.mark.parametrize("image_format", ["JPEG", "PNG", "TIFF", "BMP"])
def test_size_and_format_agree_with_pillow(image_format: str) -> None:
    content = save(PICTURE, image_format)
    header = read_header(content)
    with Image.open(BytesIO(content)) as image:
        assert (header.width_px, header.height_px) == image.size
        assert header.image_format == str(image.format).lower()
    assert (header.frame_count, header.bits_per_sample, header.has_pixel_data) == (1, 8, True)
    assert header.problem is None


@pytest.mark.parametrize("image_format", ["JPEG", "TIFF", "PNG"])
@pytest.mark.parametrize("orientation", range(1, 9))
def test_orientation(image_format: str, orientation: int) -> None:
    assert read_header(save(PICTURE, image_format, exif=exif(orientation))).exif_orientation == orientation


def test_progressive_grey_cmyk_and_sixteen_bits() -> None:
    assert read_header(save(PICTURE, "JPEG", progressive=True)).width_px == 240
    assert read_header(save(PICTURE[..., 0], "JPEG")).photometric_interpretation == "MONOCHROME2"
    cmyk = Image.fromarray(PICTURE).convert("CMYK")
    assert read_header(save(cmyk, "JPEG")).photometric_interpretation == "CMYK"
    assert read_header(sixteen_bit_png(np.zeros((200, 200), np.uint16))).bits_per_sample == 16


@pytest.mark.parametrize("bomb", [png_bomb(), jpeg_bomb(), tiff_bomb()], ids=["png", "jpeg", "tiff"])
def test_a_bomb_shows_its_size(bomb: bytes) -> None:
    header = read_header(bomb)
    assert (header.width_px, header.height_px) == (30_000, 30_000)


def test_pages_are_frames_and_thumbnails_are_not() -> None:
    page = Image.fromarray(PICTURE)
    assert read_header(save(page, "TIFF", save_all=True, append_images=[page, page])).frame_count == 3
    thumbnail = page.resize((24, 20))
    thumbnail.encoderinfo = {"tiffinfo": {254: 1}}
    with_thumbnail = save(page, "TIFF", save_all=True, append_images=[thumbnail])
    with Image.open(BytesIO(with_thumbnail)) as image:
        assert image.n_frames == 2
    assert read_header(with_thumbnail).frame_count == 1


def test_dicom_agrees_with_pydicom() -> None:
    header = read_header(DICOM)
    dataset = pydicom.dcmread(BytesIO(DICOM))
    assert (header.width_px, header.height_px) == (dataset.Columns, dataset.Rows)
    assert header.sop_class_uid == dataset.SOPClassUID
    assert header.transfer_syntax_uid == dataset.file_meta.TransferSyntaxUID
    assert header.photometric_interpretation == dataset.PhotometricInterpretation
    assert header.dicom_patient_id == dataset.PatientID
    assert header.captured_at == datetime(2025, 1, 10, 10, 15)
    assert (header.image_format, header.frame_count, header.has_pixel_data) == ("dicom", 1, True)
    assert header.problem is None


@pytest.mark.parametrize(
    ("elements", "moment"),
    [
        ({"AcquisitionDateTime": "20240229235959.5+0100"}, datetime(2024, 2, 29, 23, 59, 59, 500_000)),
        ({"AcquisitionDate": "20240301", "AcquisitionTime": "0730"}, datetime(2024, 3, 1, 7, 30)),
        ({"AcquisitionDateTime": "2024", "ContentDate": "20240302", "ContentTime": ""}, datetime(2024, 3, 2)),
        ({"StudyDate": "", "ContentDate": ""}, None),
        ({"AcquisitionDateTime": "20240231101010", "ContentDate": "", "StudyDate": ""}, None),
    ],
)
@pytest.mark.filterwarnings("ignore:Invalid value for VR:UserWarning")
def test_capture_time(elements: dict[str, str], moment: datetime | None) -> None:
    content = dicom(PICTURE.tobytes(), width=240, height=200, **elements)
    assert read_header(content).captured_at == moment


def test_implicit_big_endian_and_multi_frame_dicom() -> None:
    implicit = dicom(PICTURE.tobytes(), width=240, height=200, syntax=pydicom.uid.ImplicitVRLittleEndian)
    assert (read_header(implicit).width_px, read_header(implicit).has_pixel_data) == (240, True)
    film = dicom(PICTURE.tobytes() * 3, width=240, height=200, frames=3)
    assert read_header(film).frame_count == 3


def test_what_is_wrong_is_said() -> None:
    problems = {
        b"": Exclusion.EMPTY_FILE,
        b"Dear colleague, enclosed please find": Exclusion.NOT_AN_IMAGE,
        b"BM is short for bone marrow, see report": Exclusion.NOT_AN_IMAGE,
        b"%PDF-1.7": Exclusion.NOT_AN_IMAGE,
        save(PICTURE, "GIF"): Exclusion.UNSUPPORTED_FORMAT,
        save(PICTURE, "WEBP"): Exclusion.UNSUPPORTED_FORMAT,
        jpeg(PICTURE)[:150]: Exclusion.TRUNCATED_HEADER,
        save(PICTURE, "PNG")[:20]: Exclusion.TRUNCATED_HEADER,
        dicom(None, width=240, height=200): Exclusion.DICOM_WITHOUT_PIXEL_DATA,
        DICOM[:140]: Exclusion.TRUNCATED_HEADER,
    }
    for content, problem in problems.items():
        assert read_header(content).problem is problem, problem


def test_deflated_dicom_is_not_inflated() -> None:
    deflated = dicom(PICTURE.tobytes(), width=240, height=200, syntax=pydicom.uid.DeflatedExplicitVRLittleEndian)
    assert read_header(deflated).problem is Exclusion.UNSUPPORTED_FORMAT


def test_nothing_personal_is_in_the_representation_but_the_record_number() -> None:
    text = repr(read_header(DICOM))
    assert "Canary" not in text
    assert "1950" not in text


SEEDS = [
    jpeg(PICTURE),
    save(PICTURE, "JPEG", exif=exif(6), progressive=True),
    save(PICTURE, "PNG"),
    save(PICTURE, "TIFF"),
    save(PICTURE, "BMP"),
    DICOM,
    dicom_with_frame(jpeg(PICTURE), PICTURE),
]


@settings(max_examples=400, deadline=None)
@given(data=st.data())
def test_any_bytes_give_a_header(data: st.DataObject) -> None:
    content = bytearray(data.draw(st.sampled_from(SEEDS)))
    for _ in range(data.draw(st.integers(1, 8))):
        content[data.draw(st.integers(0, min(len(content), 1200) - 1))] = data.draw(st.integers(0, 255))
    damaged = bytes(content[: data.draw(st.integers(0, len(content)))])
    assert isinstance(read_header(damaged), PhotoHeader)


@settings(max_examples=100, deadline=None)
@given(content=st.binary(max_size=300), dressed=st.sampled_from([b"", b"\xff\xd8\xff", b"II*\0", bytes(128) + b"DICM"]))
def test_noise_gives_a_header(content: bytes, dressed: bytes) -> None:
    assert isinstance(read_header(dressed + content), PhotoHeader)
