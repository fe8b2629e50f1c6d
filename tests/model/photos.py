"""Builders of photographs as hospitals have them: every container, every oddity, from known pixels."""

from __future__ import annotations

import functools
import struct
import zlib
from io import BytesIO
from typing import Any

import numpy as np
import simplejpeg
from numpy.typing import NDArray
from PIL import Image, ImageCms
from pydicom.dataset import Dataset, FileMetaDataset
from pydicom.encaps import encapsulate
from pydicom.uid import ExplicitVRLittleEndian, JPEGBaseline8Bit, VLPhotographicImageStorage, generate_uid

from model.drawing import draw_face, random_conditions, random_latents

Pixels = NDArray[np.uint8]


@functools.cache
def face(seed: int = 3, size: int = 320) -> Pixels:
    """A drawn face, RGB (size, size, 3), read-only."""
    rng = np.random.default_rng(seed)
    pixels = draw_face(random_latents(rng), random_conditions(rng), size).pixels
    pixels.flags.writeable = False
    return pixels


def smooth_picture(width: int = 240, height: int = 200) -> Pixels:
    """A picture without symmetry or fine detail, which JPEG keeps almost exactly: RGB (height, width, 3)."""
    y, x = np.mgrid[0:height, 0:width].astype(float)
    red, green = 40 + 180 * x / width, 200 - 160 * y / height
    blue = 120 + 80 * np.sin(x / 30) * np.cos(y / 40)
    return np.stack([red, green, blue], axis=2).astype(np.uint8)


def save(pixels: Pixels | Image.Image, image_format: str, **options: Any) -> bytes:
    """Any array or Pillow image in any format that Pillow writes."""
    image = pixels if isinstance(pixels, Image.Image) else Image.fromarray(pixels)
    buffer = BytesIO()
    image.save(buffer, image_format, **options)
    return buffer.getvalue()


def jpeg(pixels: Pixels, *, quality: int = 95, subsampling: str = "444") -> bytes:
    """A plain JPEG file."""
    return bytes(simplejpeg.encode_jpeg(np.ascontiguousarray(pixels), quality=quality, colorsubsampling=subsampling))


def exif(orientation: int) -> bytes:
    """An EXIF block that holds nothing but an orientation."""
    block = Image.Exif()
    block[0x0112] = orientation
    return block.tobytes()


def stored_for_orientation(pixels: Pixels, orientation: int) -> Pixels:
    """The pixels as a camera stores them, so that turning them by `orientation` gives `pixels`.

    The inverse of EXIF 2.32's table, written out with Pillow's own operations.
    """
    undo = {
        1: None,
        2: Image.Transpose.FLIP_LEFT_RIGHT,
        3: Image.Transpose.ROTATE_180,
        4: Image.Transpose.FLIP_TOP_BOTTOM,
        5: Image.Transpose.TRANSPOSE,
        6: Image.Transpose.ROTATE_90,
        7: Image.Transpose.TRANSVERSE,
        8: Image.Transpose.ROTATE_270,
    }[orientation]
    return pixels if undo is None else np.array(Image.fromarray(pixels).transpose(undo))


def sixteen_bit_png(samples: NDArray[np.uint16]) -> bytes:
    """A 16-bit greyscale PNG."""
    return save(Image.fromarray(samples), "PNG")


def swapped_primaries_profile() -> bytes:
    """An ICC profile whose red is sRGB's blue and the other way round: applying it exchanges the two channels."""
    profile = ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes()
    return profile.replace(b"rXYZ", b"????").replace(b"bXYZ", b"rXYZ").replace(b"????", b"bXYZ")


def png_bomb(width: int = 30_000, height: int = 30_000) -> bytes:
    """A small PNG file that announces more pixels than anyone should decode."""
    row = zlib.compress(b"\0" * 1000)
    return (
        b"\x89PNG\r\n\x1a\n"
        + _png_chunk(b"IHDR", struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0))
        + _png_chunk(b"IDAT", row)
        + _png_chunk(b"IEND", b"")
    )


def jpeg_bomb(width: int = 30_000, height: int = 30_000) -> bytes:
    """A real JPEG file whose frame header was changed to announce far more pixels."""
    content = jpeg(smooth_picture())
    frame = content.index(b"\xff\xc0")
    return content[: frame + 5] + struct.pack(">HH", height, width) + content[frame + 9 :]


def tiff_bomb(width: int = 30_000, height: int = 30_000) -> bytes:
    """A TIFF directory that announces far more pixels than follow."""
    entries = [(256, 4, 1, width), (257, 4, 1, height), (258, 3, 1, 8), (262, 3, 1, 1), (277, 3, 1, 1)]
    directory = struct.pack("<H", len(entries)) + b"".join(struct.pack("<HHII", *entry) for entry in entries)
    return b"II*\x00" + struct.pack("<I", 8) + directory + struct.pack("<I", 0)


def _png_chunk(kind: bytes, content: bytes) -> bytes:
    return struct.pack(">I", len(content)) + kind + content + struct.pack(">I", zlib.crc32(kind + content))


def dicom(
    pixel_data: bytes | None,
    *,
    width: int,
    height: int,
    syntax: str = ExplicitVRLittleEndian,
    photometric: str = "RGB",
    bits: int = 8,
    allocated: int | None = None,
    samples: int | None = None,
    frames: int | None = None,
    **elements: Any,
) -> bytes:
    """A VL Photographic Image whose pixel data, in the transfer syntax, are given; None leaves them out."""
    dataset = Dataset()
    dataset.file_meta = FileMetaDataset()
    dataset.file_meta.TransferSyntaxUID = syntax
    dataset.file_meta.MediaStorageSOPClassUID = dataset.SOPClassUID = VLPhotographicImageStorage
    dataset.file_meta.MediaStorageSOPInstanceUID = dataset.SOPInstanceUID = generate_uid()
    dataset.PatientID, dataset.PatientName, dataset.PatientBirthDate = "MRN-0042", "Canary^Yellow", "19500102"
    dataset.StudyDate = dataset.ContentDate = "20250110"
    dataset.StudyTime = dataset.ContentTime = "101500"
    dataset.Modality = "XC"
    dataset.SamplesPerPixel = samples or (3 if photometric.startswith(("RGB", "YBR")) else 1)
    dataset.PhotometricInterpretation = photometric
    if dataset.SamplesPerPixel > 1:
        dataset.PlanarConfiguration = 0
    dataset.Rows, dataset.Columns = height, width
    dataset.BitsAllocated = allocated or (8 if bits <= 8 else 16)
    dataset.BitsStored, dataset.HighBit, dataset.PixelRepresentation = bits, bits - 1, 0
    if frames is not None:
        dataset.NumberOfFrames = frames
    for name, value in elements.items():
        setattr(dataset, name, value)
    if pixel_data is not None:
        dataset.PixelData = pixel_data
        dataset["PixelData"].VR = "OW" if dataset.BitsAllocated > 8 else "OB"
    buffer = BytesIO()
    dataset.save_as(buffer, enforce_file_format=True)
    return buffer.getvalue()


def dicom_with_frame(frame: bytes, pixels: Pixels, syntax: str = JPEGBaseline8Bit, **options: Any) -> bytes:
    """A DICOM object around one compressed frame of a picture of the given size."""
    options.setdefault("photometric", "YBR_FULL_422")
    return dicom(encapsulate([frame]), width=pixels.shape[1], height=pixels.shape[0], syntax=syntax, **options)
