"""Planned photographs as DICOM VL Photographic Image objects (PS3.3 A.32.4), in several transfer syntaxes."""

from __future__ import annotations

from datetime import date, datetime, time
from io import BytesIO

import numpy as np
import rle
import simplejpeg
from PIL import Image
from pydicom.dataset import Dataset, FileMetaDataset
from pydicom.encaps import encapsulate
from pydicom.uid import (
    UID,
    ExplicitVRLittleEndian,
    ImplicitVRLittleEndian,
    JPEG2000Lossless,
    JPEGBaseline8Bit,
    JPEGLSLossless,
    RLELossless,
    VLPhotographicImageStorage,
    generate_uid,
)

from jobs.demo.photographs import JPEG_QUALITY, SYNTHETIC_NOTICE, render
from jobs.demo.sessions import Photo
from model.drawing.camera import Pixels

INSTITUTION = "SYNTHETIC DEMO HOSPITAL"

TRANSFER_SYNTAXES: dict[str, UID] = {
    "jpeg_baseline": JPEGBaseline8Bit,
    "jpeg_2000": JPEG2000Lossless,
    "jpeg_ls": JPEGLSLossless,
    "rle": RLELossless,
    "explicit_little_endian": ExplicitVRLittleEndian,
    "implicit_little_endian": ImplicitVRLittleEndian,
}
"""The encodings a planned DICOM photograph can have."""


def clinical_dicom(photo: Photo) -> bytes:
    """The photograph as a DICOM file in its planned encoding."""
    return dicom_file(photographic_object(photo, render(photo), encoding=photo.encoding))


def photographic_object(photo: Photo, pixels: Pixels, *, encoding: str) -> Dataset:
    """A VL Photographic Image object holding RGB pixels (height, width, 3), compressed as `encoding` says."""
    dataset = object_without_pixels(photo)
    dataset.SamplesPerPixel, dataset.PlanarConfiguration = 3, 0
    dataset.PhotometricInterpretation = "RGB"
    describe_pixels(dataset, width=pixels.shape[1], height=pixels.shape[0])
    if encoding == "jpeg_baseline":
        jpeg = simplejpeg.encode_jpeg(pixels, quality=JPEG_QUALITY, colorspace="RGB", colorsubsampling="422")
        hold_lossy_jpeg(dataset, jpeg, pixels.nbytes, JPEGBaseline8Bit)
    elif encoding == "jpeg_2000":
        dataset.PhotometricInterpretation = "YBR_RCT"
        _hold_frame(dataset, _jpeg_2000(pixels), JPEG2000Lossless)
    elif encoding == "rle":
        _hold_frame(dataset, _run_lengths(pixels), RLELossless)
    elif encoding == "jpeg_ls":
        dataset.compress(JPEGLSLossless, pixels, generate_instance_uid=False)
    else:
        hold_native(dataset, pixels, TRANSFER_SYNTAXES[encoding])
    return dataset


def object_without_pixels(photo: Photo) -> Dataset:
    """Patient, study, series and instance of the photograph; not yet any picture."""
    patient, session = photo.patient, photo.session
    captured_at = photo.captured_at or datetime.combine(session.day, time(12))
    dataset = Dataset()
    dataset.file_meta = FileMetaDataset()
    dataset.file_meta.TransferSyntaxUID = ExplicitVRLittleEndian
    dataset.SpecificCharacterSet = "ISO_IR 192"
    dataset.ImageType = ["ORIGINAL", "PRIMARY"]
    dataset.SOPClassUID = VLPhotographicImageStorage
    dataset.SOPInstanceUID = _uid(photo, "instance", photo.number)
    dataset.StudyDate = dataset.SeriesDate = dataset.ContentDate = f"{captured_at:%Y%m%d}"
    dataset.StudyTime = dataset.SeriesTime = dataset.ContentTime = f"{captured_at:%H%M%S}"
    dataset.AcquisitionDateTime = f"{captured_at:%Y%m%d%H%M%S}"
    dataset.AccessionNumber = f"SYN{patient.person_id:05d}{session.number}"
    dataset.Modality, dataset.Manufacturer, dataset.ManufacturerModelName = "XC", "SYNTHETIC", "Drawn face"
    dataset.InstitutionName = INSTITUTION
    dataset.ReferringPhysicianName = ""
    dataset.PatientName, dataset.PatientID = patient.dicom_name, patient.mrn
    dataset.PatientBirthDate, dataset.PatientSex = _dicom_date(patient.born), patient.sex
    dataset.PatientComments = SYNTHETIC_NOTICE
    dataset.BodyPartExamined = "HEAD"
    dataset.StudyInstanceUID = _uid(photo, "study", patient.person_id, session.number)
    dataset.SeriesInstanceUID = _uid(photo, "series", patient.person_id, session.number)
    dataset.StudyID, dataset.SeriesNumber, dataset.InstanceNumber = "1", 1, photo.shot
    dataset.PatientOrientation = ["L", "F"]
    dataset.BurnedInAnnotation, dataset.LossyImageCompression = "NO", "00"
    dataset.AcquisitionContextSequence = []
    return dataset


def describe_pixels(dataset: Dataset, *, width: int, height: int, bits_stored: int = 8) -> None:
    """The image pixel module: size, and unsigned samples of `bits_stored` bits in whole bytes."""
    dataset.Rows, dataset.Columns = height, width
    dataset.BitsAllocated = 8 if bits_stored <= 8 else 16
    dataset.BitsStored, dataset.HighBit, dataset.PixelRepresentation = bits_stored, bits_stored - 1, 0


def hold_native(dataset: Dataset, samples: np.ndarray, transfer_syntax: UID = ExplicitVRLittleEndian) -> None:
    """Uncompressed pixel data of an even length, as the standard asks."""
    dataset.file_meta.TransferSyntaxUID = transfer_syntax
    dataset.PixelData = samples.tobytes() + b"\0" * (samples.nbytes % 2)
    dataset["PixelData"].VR = "OW" if dataset.BitsAllocated == 16 or transfer_syntax.is_implicit_VR else "OB"


def hold_lossy_jpeg(dataset: Dataset, jpeg: bytes, uncompressed_bytes: int, transfer_syntax: UID) -> None:
    """A JPEG stream as the object's only frame."""
    _hold_frame(dataset, jpeg, transfer_syntax)
    dataset.PhotometricInterpretation = "YBR_FULL_422"
    dataset.LossyImageCompression, dataset.LossyImageCompressionMethod = "01", "ISO_10918_1"
    dataset.LossyImageCompressionRatio = f"{uncompressed_bytes / len(jpeg):.2f}"


def dicom_file(dataset: Dataset) -> bytes:
    """The object as the bytes of a DICOM file."""
    dataset.file_meta.MediaStorageSOPClassUID = dataset.SOPClassUID
    dataset.file_meta.MediaStorageSOPInstanceUID = dataset.SOPInstanceUID
    file = BytesIO()
    dataset.save_as(file, enforce_file_format=True)
    return file.getvalue()


def _hold_frame(dataset: Dataset, frame: bytes, transfer_syntax: UID) -> None:
    dataset.file_meta.TransferSyntaxUID = transfer_syntax
    dataset.PixelData = encapsulate([frame])
    dataset["PixelData"].VR = "OB"
    dataset["PixelData"].is_undefined_length = True


def _jpeg_2000(pixels: Pixels) -> bytes:
    """A reversible JPEG 2000 code stream with the reversible colour transform (YBR_RCT)."""
    file = BytesIO()
    Image.fromarray(pixels).save(file, format="JPEG2000", no_jp2=True, irreversible=False, mct=1)
    return file.getvalue()


def _run_lengths(pixels: Pixels) -> bytes:
    """One RLE frame (PS3.5 annex G)."""
    return rle.encode_pixel_data(
        pixels.tobytes(),
        rows=pixels.shape[0],
        columns=pixels.shape[1],
        samples_per_pixel=3,
        bits_allocated=8,
        number_of_frames=1,
        byteorder="<",
    )


def _uid(photo: Photo, what: str, *numbers: int) -> UID:
    """A UID that the seed decides: the same hospital has the same ones."""
    return generate_uid(entropy_srcs=["fahr demo hospital", str(photo.hospital_seed), what, *map(str, numbers)])


def _dicom_date(day: date) -> str:
    return f"{day:%Y%m%d}"
