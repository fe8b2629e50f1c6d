"""Makers of the DICOM folder's odd files: from the photo that would have stood there, the bytes that do."""

from __future__ import annotations

from io import BytesIO

import cv2
import numpy as np
from PIL import Image
from pydicom.uid import CTImageStorage, JPEGExtended12Bit

from jobs.demo.dicom_photographs import (
    describe_pixels,
    dicom_file,
    hold_lossy_jpeg,
    hold_native,
    object_without_pixels,
    photographic_object,
)
from jobs.demo.photographs import JPEG_QUALITY, SYNTHETIC_NOTICE, jpeg_file, render
from jobs.demo.sessions import Photo

CT_SIDE_PX = 512


def encoded_as(photo: Photo, *, encoding: str) -> bytes:
    """The photograph in another transfer syntax."""
    return dicom_file(photographic_object(photo, render(photo), encoding=encoding))


def without_pixel_data(photo: Photo) -> bytes:
    """Everything about the photograph except the photograph."""
    return dicom_file(object_without_pixels(photo))


def monochrome1(photo: Photo) -> bytes:
    """A grey photograph in which 0 is white."""
    return _grey_object(photo, 255 - _grey(photo), "MONOCHROME1", bits_stored=8)


def monochrome2_12_bit(photo: Photo) -> bytes:
    """A grey photograph of 12 bits in 16."""
    return _grey_object(photo, _grey(photo).astype(np.uint16) * 16, "MONOCHROME2", bits_stored=12)


def palette_colour(photo: Photo) -> bytes:
    """256 colours in a palette of 16-bit entries."""
    picture = Image.fromarray(render(photo)).quantize(256)
    palette = np.asarray(picture.getpalette("RGB"), dtype=np.uint16).reshape(-1, 3) * 257
    dataset = object_without_pixels(photo)
    dataset.SamplesPerPixel, dataset.PhotometricInterpretation = 1, "PALETTE COLOR"
    describe_pixels(dataset, width=picture.width, height=picture.height)
    for channel, colour in enumerate(("Red", "Green", "Blue")):
        setattr(dataset, f"{colour}PaletteColorLookupTableDescriptor", [len(palette), 0, 16])
        setattr(dataset, f"{colour}PaletteColorLookupTableData", palette[:, channel].astype("<u2").tobytes())
    hold_native(dataset, np.asarray(picture))
    return dicom_file(dataset)


def progressive_jpeg_frame(photo: Photo) -> bytes:
    """A progressive JPEG under the transfer syntax of another kind, as a common converter writes it."""
    pixels = render(photo)
    file = BytesIO()
    Image.fromarray(pixels).save(file, format="JPEG", progressive=True, quality=JPEG_QUALITY)
    dataset = photographic_object(photo, pixels, encoding="jpeg_baseline")
    hold_lossy_jpeg(dataset, file.getvalue(), pixels.nbytes, JPEGExtended12Bit)
    return dicom_file(dataset)


def several_frames(photo: Photo) -> bytes:
    """Three photographs in one object."""
    frame = render(photo)
    dataset = photographic_object(photo, frame, encoding="explicit_little_endian")
    dataset.NumberOfFrames = 3
    hold_native(dataset, np.stack([frame, frame, frame]))
    return dicom_file(dataset)


def ct_slice(photo: Photo) -> bytes:
    """A CT slice that was sent to the wrong folder."""
    dataset = object_without_pixels(photo)
    dataset.SOPClassUID, dataset.Modality = CTImageStorage, "CT"
    dataset.SamplesPerPixel, dataset.PhotometricInterpretation = 1, "MONOCHROME2"
    dataset.RescaleIntercept, dataset.RescaleSlope = -1024, 1
    describe_pixels(dataset, width=CT_SIDE_PX, height=CT_SIDE_PX, bits_stored=12)
    hold_native(dataset, photo.noise().integers(900, 1100, (CT_SIDE_PX, CT_SIDE_PX)).astype(np.uint16))
    return dicom_file(dataset)


def unknown_patient_id(photo: Photo, *, mrn: str) -> bytes:
    """A photograph of somebody the hospital's id map does not know."""
    dataset = photographic_object(photo, render(photo), encoding="jpeg_baseline")
    dataset.PatientID, dataset.PatientName = mrn, "Synthetic^Unknown"
    return dicom_file(dataset)


def cut_off_object(photo: Photo) -> bytes:
    """An object of which the last third of the pixel data did not arrive."""
    whole = dicom_file(photographic_object(photo, render(photo), encoding="jpeg_baseline"))
    return whole[: len(whole) * 2 // 3]


def plain_jpeg(photo: Photo) -> bytes:
    """A photograph of the patient that is no DICOM object, though the folder holds only those."""
    return jpeg_file(render(photo), taken_at=photo.captured_at)


def text_file(photo: Photo) -> bytes:
    """A file a person left in the folder."""
    return f"{SYNTHETIC_NOTICE}\nDo not delete: export of last week.\n".encode()


def _grey(photo: Photo) -> np.ndarray:
    return cv2.cvtColor(render(photo), cv2.COLOR_RGB2GRAY)


def _grey_object(photo: Photo, samples: np.ndarray, photometric: str, *, bits_stored: int) -> bytes:
    dataset = object_without_pixels(photo)
    dataset.SamplesPerPixel, dataset.PhotometricInterpretation = 1, photometric
    describe_pixels(dataset, width=samples.shape[1], height=samples.shape[0], bits_stored=bits_stored)
    hold_native(dataset, samples)
    return dicom_file(dataset)
