"""DICOM pixel data: every photometric interpretation and encoding ends as the picture that was stored."""

from __future__ import annotations

from io import BytesIO

import jpeg_ls
import numpy as np
import pydicom
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray
from photos import dicom, dicom_with_frame, exif, jpeg, jpeg_bomb, save, smooth_picture, swapped_primaries_profile
from PIL import Image
from pydicom.encaps import encapsulate
from pydicom.pixels import convert_color_space
from pydicom.uid import (
    ExplicitVRBigEndian,
    ImplicitVRLittleEndian,
    JPEG2000Lossless,
    JPEGBaseline8Bit,
    JPEGExtended12Bit,
    JPEGLSLossless,
    RLELossless,
)

from model.decode import decode_photo
from model.exclusions import Exclusion, PhotoExcluded

PICTURE = smooth_picture(240, 200)
GREY = np.ascontiguousarray(PICTURE[..., 0])
GREY_AS_RGB = np.repeat(GREY[..., None], 3, axis=2)
SIZE = {"width": 240, "height": 200}


def assert_same_picture(decoded: NDArray[np.uint8], expected: NDArray[np.uint8], *, within: float) -> None:
    assert decoded.dtype == np.uint8
    assert decoded.shape == expected.shape
    assert np.abs(decoded.astype(int) - expected.astype(int)).mean() <= within


def reason_for(content: bytes) -> Exclusion:
    with pytest.raises(PhotoExcluded) as excluded:
        decode_photo(content)
    return excluded.value.reason


@pytest.mark.parametrize("syntax", [None, ImplicitVRLittleEndian])
def test_native_rgb(syntax: str | None) -> None:
    options = {"syntax": syntax} if syntax else {}
    assert_same_picture(decode_photo(dicom(PICTURE.tobytes(), **SIZE, **options)), PICTURE, within=0)


def test_planes_and_ybr() -> None:
    planes = dicom(PICTURE.transpose(2, 0, 1).tobytes(), **SIZE, PlanarConfiguration=1)
    assert_same_picture(decode_photo(planes), PICTURE, within=0)
    ybr = convert_color_space(PICTURE, "RGB", "YBR_FULL")
    assert_same_picture(decode_photo(dicom(ybr.tobytes(), **SIZE, photometric="YBR_FULL")), PICTURE, within=1)


def test_monochrome_and_its_inverse() -> None:
    assert_same_picture(decode_photo(dicom(GREY.tobytes(), **SIZE, photometric="MONOCHROME2")), GREY_AS_RGB, within=0)
    inverse = dicom((255 - GREY).tobytes(), **SIZE, photometric="MONOCHROME1")
    assert_same_picture(decode_photo(inverse), GREY_AS_RGB, within=0)
    as_jpeg = dicom_with_frame(save(255 - GREY, "JPEG", quality=95), PICTURE, photometric="MONOCHROME1")
    assert_same_picture(decode_photo(as_jpeg), GREY_AS_RGB, within=1.5)


@pytest.mark.parametrize("bits", [10, 12, 16])
def test_deep_grey_is_scaled_and_not_clipped(bits: int) -> None:
    deep = (GREY.astype(np.uint32) * ((1 << bits) - 1) // 255).astype("<u2")
    content = dicom(deep.tobytes(), **SIZE, photometric="MONOCHROME2", bits=bits)
    assert_same_picture(decode_photo(content), GREY_AS_RGB, within=1)


def test_signed_samples() -> None:
    signed = (GREY.astype(np.int32) * 16 - 2048).astype("<i2")
    content = dicom(signed.tobytes(), **SIZE, photometric="MONOCHROME2", bits=12, PixelRepresentation=1)
    assert_same_picture(decode_photo(content), GREY_AS_RGB, within=1)


def test_big_endian_words() -> None:
    deep = (GREY.astype(np.uint16) * 257).astype(">u2")
    content = dicom(deep.tobytes(), **SIZE, photometric="MONOCHROME2", bits=16, syntax=ExplicitVRBigEndian)
    assert_same_picture(decode_photo(content), GREY_AS_RGB, within=0)


@pytest.mark.parametrize("entry_bits", [8, 16])
def test_palette(entry_bits: int) -> None:
    palette = Image.fromarray(PICTURE).quantize(256)
    colours = np.array(palette.getpalette(), dtype=np.uint16).reshape(-1, 3)
    colours = np.vstack([colours, np.zeros((256 - len(colours), 3), np.uint16)])
    tables = (colours * (257 if entry_bits == 16 else 1)).astype("<u2" if entry_bits == 16 else "u1")
    lookup = {
        f"{name}PaletteColorLookupTable{part}": value
        for channel, name in enumerate(("Red", "Green", "Blue"))
        for part, value in (("Descriptor", [256, 0, entry_bits]), ("Data", tables[:, channel].tobytes()))
    }
    content = dicom(np.array(palette).tobytes(), **SIZE, photometric="PALETTE COLOR", **lookup)
    assert_same_picture(decode_photo(content), np.array(palette.convert("RGB")), within=0)


@pytest.mark.parametrize("syntax", [JPEGBaseline8Bit, JPEGExtended12Bit])
def test_jpeg_frame(syntax: str) -> None:
    frame = jpeg(PICTURE)
    assert_same_picture(decode_photo(dicom_with_frame(frame, PICTURE, syntax)), PICTURE, within=1.5)


def test_progressive_jpeg_under_its_retired_syntax() -> None:
    frame = save(PICTURE, "JPEG", progressive=True, quality=95)
    content = dicom_with_frame(frame, PICTURE, "1.2.840.10008.1.2.4.55")
    assert_same_picture(decode_photo(content), PICTURE, within=1.5)


def test_jpeg_frame_in_fragments_and_reduced() -> None:
    large = smooth_picture(1600, 1200)
    frame = jpeg(large)
    content = dicom(
        encapsulate([frame], fragments_per_frame=4),
        width=1600,
        height=1200,
        syntax=JPEGBaseline8Bit,
        photometric="YBR_FULL_422",
    )
    decoded = decode_photo(content, shortest_side=400)
    reduced = np.array(Image.fromarray(large).resize((600, 450), Image.Resampling.BOX))
    assert_same_picture(decoded, reduced, within=2)


def test_rgb_stored_in_jpeg_is_not_taken_for_ybr() -> None:
    frame = save(PICTURE, "JPEG", keep_rgb=True, quality=95)
    without_markers = _without_application_segments(frame)
    for stored in (frame, without_markers):
        content = dicom_with_frame(stored, PICTURE, photometric="RGB")
        assert_same_picture(decode_photo(content), PICTURE, within=1.5)


def test_orientation_inside_a_jpeg_frame_is_not_obeyed() -> None:
    frame = save(PICTURE, "JPEG", exif=exif(6), quality=95)
    assert_same_picture(decode_photo(dicom_with_frame(frame, PICTURE)), PICTURE, within=1.5)


def test_jpeg2000_jpegls_and_rle() -> None:
    jpeg2000 = save(PICTURE, "JPEG2000", irreversible=False, no_jp2=True)
    content = dicom_with_frame(jpeg2000, PICTURE, JPEG2000Lossless, photometric="RGB")
    assert_same_picture(decode_photo(content), PICTURE, within=0)
    jpegls = bytes(jpeg_ls.encode_array(PICTURE))
    content = dicom_with_frame(jpegls, PICTURE, JPEGLSLossless, photometric="RGB")
    assert_same_picture(decode_photo(content), PICTURE, within=0)
    dataset = pydicom.dcmread(BytesIO(dicom(PICTURE.tobytes(), **SIZE)))
    dataset.compress(RLELossless, encoding_plugin="pydicom", generate_instance_uid=False)
    buffer = BytesIO()
    dataset.save_as(buffer, enforce_file_format=True)
    assert_same_picture(decode_photo(buffer.getvalue()), PICTURE, within=0)


def test_icc_profile_of_the_object_is_applied() -> None:
    content = dicom(PICTURE.tobytes(), **SIZE, ICCProfile=swapped_primaries_profile())
    assert_same_picture(decode_photo(content), PICTURE[..., ::-1], within=3)


def test_several_frames_no_pixels_and_too_many_pixels() -> None:
    assert reason_for(dicom(PICTURE.tobytes() * 2, **SIZE, frames=2)) is Exclusion.MULTI_FRAME
    assert reason_for(dicom(None, **SIZE)) is Exclusion.DICOM_WITHOUT_PIXEL_DATA
    assert reason_for(dicom(b"\0\0", width=30_000, height=30_000)) is Exclusion.TOO_MANY_PIXELS


def test_a_frame_larger_than_its_header_is_refused() -> None:
    for frame, syntax in (
        (jpeg_bomb(20_000, 20_000), JPEGBaseline8Bit),
        (save(smooth_picture(400, 400), "JPEG2000", no_jp2=True), JPEG2000Lossless),
        (bytes(jpeg_ls.encode_array(smooth_picture(400, 400))), JPEGLSLossless),
    ):
        assert reason_for(dicom_with_frame(frame, PICTURE, syntax, photometric="RGB")) is Exclusion.DECODE_FAILED


def test_truncated_objects_are_refused() -> None:
    native = dicom(PICTURE.tobytes(), **SIZE)
    encapsulated = dicom_with_frame(jpeg(PICTURE), PICTURE)
    for content in (native, encapsulated):
        reason = reason_for(content[: len(content) * 2 // 3])
        assert reason in (Exclusion.TRUNCATED_IMAGE, Exclusion.DECODE_FAILED)


def test_an_encoding_without_a_decoder_is_refused() -> None:
    content = dicom_with_frame(jpeg(PICTURE), PICTURE, "1.2.840.10008.1.2.4.70", photometric="RGB")
    assert reason_for(content) is Exclusion.DECODE_FAILED


def _without_application_segments(frame: bytes) -> bytes:
    kept, position = bytearray(frame[:2]), 2
    while frame[position + 1] != 0xDA:
        length = 2 + int.from_bytes(frame[position + 2 : position + 4], "big")
        if not 0xE0 <= frame[position + 1] <= 0xEF:
            kept += frame[position : position + length]
        position += length
    return bytes(kept) + frame[position:]


SEEDS = [
    dicom(PICTURE.tobytes(), **SIZE),
    dicom(GREY.tobytes(), **SIZE, photometric="MONOCHROME1"),
    dicom_with_frame(jpeg(PICTURE), PICTURE),
    dicom_with_frame(save(PICTURE, "JPEG2000", no_jp2=True), PICTURE, JPEG2000Lossless, photometric="RGB"),
    dicom_with_frame(bytes(jpeg_ls.encode_array(PICTURE)), PICTURE, JPEGLSLossless, photometric="RGB"),
]


@settings(max_examples=250, deadline=None)
@given(data=st.data())
@pytest.mark.filterwarnings("ignore::UserWarning")
def test_damaged_objects_decode_or_are_excluded(data: st.DataObject) -> None:
    content = bytearray(data.draw(st.sampled_from(SEEDS)))
    for _ in range(data.draw(st.integers(1, 6))):
        content[data.draw(st.integers(0, len(content) - 1) | st.integers(128, 1100))] = data.draw(st.integers(0, 255))
    damaged = bytes(content[: data.draw(st.integers(len(content) // 2, len(content)))])
    try:
        pixels = decode_photo(damaged)
    except PhotoExcluded:
        return
    assert pixels.dtype == np.uint8
    assert pixels.shape[2:] == (3,)
