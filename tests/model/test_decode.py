"""Decoding: every kind of file ends as the same upright sRGB pixels, and no damaged file as anything but a reason."""

from __future__ import annotations

from io import BytesIO

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray
from photos import (
    exif,
    jpeg,
    jpeg_bomb,
    png_bomb,
    save,
    sixteen_bit_png,
    smooth_picture,
    stored_for_orientation,
    swapped_primaries_profile,
    tiff_bomb,
)
from PIL import Image, ImageCms, ImageOps

from model.decode import decode_photo
from model.exclusions import Exclusion, PhotoExcluded

PICTURE = smooth_picture(240, 200)
LUMA = np.array([0.299, 0.587, 0.114])


def reason_for(content: bytes) -> Exclusion:
    with pytest.raises(PhotoExcluded) as excluded:
        decode_photo(content)
    return excluded.value.reason


def assert_same_picture(decoded: NDArray[np.uint8], expected: NDArray[np.uint8], *, within: float) -> None:
    assert decoded.dtype == np.uint8
    assert decoded.flags.c_contiguous
    assert decoded.shape == expected.shape
    assert np.abs(decoded.astype(int) - expected.astype(int)).mean() <= within


@pytest.mark.parametrize(("image_format", "within"), [("PNG", 0), ("TIFF", 0), ("BMP", 0), ("JPEG", 1.5)])
def test_formats_agree_with_what_was_stored(image_format: str, within: float) -> None:
    assert_same_picture(decode_photo(save(PICTURE, image_format)), PICTURE, within=within)


@pytest.mark.parametrize("subsampling", ["444", "422", "420"])
def test_jpeg_agrees_with_pillow(subsampling: str) -> None:
    content = jpeg(PICTURE, subsampling=subsampling)
    with Image.open(BytesIO(content)) as image:
        assert_same_picture(decode_photo(content), np.array(image.convert("RGB")), within=0.5)


@pytest.mark.parametrize("image_format", ["JPEG", "TIFF", "PNG"])
@pytest.mark.parametrize("orientation", range(1, 9))
def test_orientation_is_applied_once(image_format: str, orientation: int) -> None:
    stored = stored_for_orientation(PICTURE, orientation)
    content = save(stored, image_format, exif=exif(orientation), **({"quality": 95} if image_format == "JPEG" else {}))
    with Image.open(BytesIO(content)) as image:
        by_pillow = np.array(ImageOps.exif_transpose(image))
    decoded = decode_photo(content)
    assert_same_picture(decoded, PICTURE, within=1.5)
    assert_same_picture(decoded, by_pillow, within=0.5)


@pytest.mark.parametrize("shortest_side", [50, 100, 150, 199, 200, 500])
def test_a_reduced_jpeg_keeps_the_side_that_was_asked_for(shortest_side: int) -> None:
    decoded = decode_photo(jpeg(PICTURE), shortest_side=shortest_side)
    height, width = decoded.shape[:2]
    assert min(shortest_side, 200) <= height <= 200
    reduced = np.array(Image.fromarray(PICTURE).resize((width, height), Image.Resampling.BOX))
    assert_same_picture(decoded, reduced, within=2.0)


def test_reduced_decoding_is_reduced() -> None:
    large = jpeg(smooth_picture(1600, 1200))
    assert decode_photo(large, shortest_side=400).shape == (450, 600, 3)


def test_grey_palette_one_bit_and_sixteen_bits() -> None:
    grey = PICTURE[..., 0]
    expected = np.repeat(grey[..., None], 3, axis=2)
    assert_same_picture(decode_photo(save(grey, "PNG")), expected, within=0)
    assert_same_picture(decode_photo(save(grey, "JPEG", quality=95)), expected, within=1.5)
    deep = grey.astype(np.uint16) * 257
    assert_same_picture(decode_photo(sixteen_bit_png(deep)), expected, within=0)
    assert_same_picture(decode_photo(save(Image.fromarray(deep), "TIFF")), expected, within=0)
    palette = Image.fromarray(PICTURE).quantize(256)
    assert_same_picture(decode_photo(save(palette, "PNG")), np.array(palette.convert("RGB")), within=0)
    black_and_white = Image.fromarray(grey).convert("1")
    assert_same_picture(decode_photo(save(black_and_white, "PNG")), np.array(black_and_white.convert("RGB")), within=0)


def test_cmyk_looks_like_the_picture_it_was_made_from() -> None:
    cmyk = Image.fromarray(PICTURE).convert("CMYK")
    assert_same_picture(decode_photo(save(cmyk, "JPEG", quality=95)), PICTURE, within=4)
    assert_same_picture(decode_photo(save(cmyk, "TIFF")), PICTURE, within=2)


def test_transparency_lies_over_white() -> None:
    alpha = np.full((*PICTURE.shape[:2], 1), 255, np.uint8)
    alpha[:100] = 0
    decoded = decode_photo(save(np.concatenate([PICTURE, alpha], axis=2), "PNG"))
    assert (decoded[:100] == 255).all()
    assert (decoded[100:] == PICTURE[100:]).all()


@pytest.mark.parametrize(("image_format", "within"), [("PNG", 1.0), ("TIFF", 1.0), ("JPEG", 3.0)])
def test_icc_profile_is_applied(image_format: str, within: float) -> None:
    profile = swapped_primaries_profile()
    content = save(PICTURE, image_format, icc_profile=profile)
    by_pillow = ImageCms.profileToProfile(
        Image.fromarray(PICTURE),
        ImageCms.ImageCmsProfile(BytesIO(profile)),
        ImageCms.createProfile("sRGB"),
        renderingIntent=ImageCms.Intent.RELATIVE_COLORIMETRIC,
    )
    assert by_pillow is not None
    decoded = decode_photo(content)
    assert_same_picture(decoded, np.array(by_pillow), within=within)
    assert_same_picture(decoded, PICTURE[..., ::-1], within=within + 2)


def test_a_damaged_profile_is_ignored() -> None:
    content = save(PICTURE, "PNG", icc_profile=b"RGB " * 100)
    assert_same_picture(decode_photo(content), PICTURE, within=0)


@pytest.mark.parametrize("bomb", [png_bomb(), jpeg_bomb(), tiff_bomb()], ids=["png", "jpeg", "tiff"])
def test_a_bomb_is_refused(bomb: bytes) -> None:
    assert reason_for(bomb) is Exclusion.TOO_MANY_PIXELS


def test_a_header_that_lies_within_the_limit_is_refused() -> None:
    assert reason_for(jpeg_bomb(9000, 9000)) in (Exclusion.TRUNCATED_IMAGE, Exclusion.DECODE_FAILED)


@pytest.mark.parametrize("image_format", ["JPEG", "PNG", "TIFF", "BMP"])
@pytest.mark.parametrize("kept", [0.5, 0.9])
def test_truncated_files_are_refused(image_format: str, kept: float) -> None:
    # A TIFF may keep its directory at its end, and then loses its header.
    content = save(PICTURE, image_format)
    reason = reason_for(content[: int(kept * len(content))])
    assert reason in (Exclusion.TRUNCATED_IMAGE, Exclusion.TRUNCATED_HEADER, Exclusion.DECODE_FAILED)
    if image_format in ("JPEG", "PNG", "BMP"):
        assert reason is Exclusion.TRUNCATED_IMAGE


@pytest.mark.parametrize("shortest_side", [None, 50])
def test_a_damaged_scan_is_refused_also_when_decoded_small(shortest_side: int | None) -> None:
    content = bytearray(jpeg(PICTURE))
    middle = len(content) // 2
    content[middle : middle + 200] = bytes(200)
    with pytest.raises(PhotoExcluded):
        decode_photo(bytes(content), shortest_side=shortest_side)


def test_a_stream_of_thousands_of_scans_is_refused() -> None:
    content = save(PICTURE, "JPEG", progressive=True)
    last_scan = content[content.rindex(b"\xff\xda") : -2]
    assert reason_for(content[:-2] + last_scan * 1000 + content[-2:]) is Exclusion.DECODE_FAILED


def test_several_pages_are_refused() -> None:
    page = Image.fromarray(PICTURE)
    assert reason_for(save(page, "TIFF", save_all=True, append_images=[page])) is Exclusion.MULTI_FRAME


def test_floating_point_samples_are_refused() -> None:
    assert reason_for(save(Image.fromarray(PICTURE[..., 0].astype(np.float32)), "TIFF")) is Exclusion.DECODE_FAILED


def test_an_exclusion_says_nothing_but_its_code() -> None:
    with pytest.raises(PhotoExcluded) as excluded:
        decode_photo(jpeg(PICTURE)[:2000])
    assert str(excluded.value) == "truncated_image"
    assert excluded.value.__suppress_context__


SEEDS = [
    save(PICTURE, "JPEG", exif=exif(6), icc_profile=swapped_primaries_profile()),
    save(PICTURE, "JPEG", progressive=True),
    save(Image.fromarray(PICTURE).convert("CMYK"), "JPEG"),
    save(PICTURE, "PNG", exif=exif(3)),
    save(Image.fromarray(PICTURE).quantize(64), "PNG", transparency=3),
    save(PICTURE, "TIFF", compression="tiff_lzw"),
    save(PICTURE, "TIFF"),
    save(PICTURE, "BMP"),
]


@settings(max_examples=300, deadline=None)
@given(data=st.data())
@pytest.mark.filterwarnings("ignore::UserWarning:PIL")
def test_damaged_bytes_decode_or_are_excluded(data: st.DataObject) -> None:
    content = bytearray(data.draw(st.sampled_from(SEEDS)))
    for _ in range(data.draw(st.integers(1, 6))):
        content[data.draw(st.integers(0, len(content) - 1))] = data.draw(st.integers(0, 255))
    damaged = bytes(content[: data.draw(st.integers(len(content) // 2, len(content)))])
    try:
        pixels = decode_photo(damaged, shortest_side=data.draw(st.sampled_from([None, 100])))
    except PhotoExcluded:
        return
    assert pixels.dtype == np.uint8
    assert pixels.ndim == 3
    assert pixels.shape[2] == 3
