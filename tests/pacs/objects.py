"""DICOM photographs as tests put them into a PACS: small, of noise, of whom and when the test says."""

from __future__ import annotations

import io

import numpy as np
from PIL import Image
from pydicom.dataset import Dataset, FileMetaDataset
from pydicom.encaps import encapsulate
from pydicom.uid import JPEGBaseline8Bit, VLPhotographicImageStorage

ROOT = "1.2.826.0.1.3680043.8.498.1"


def photo_object(
    number: int,
    *,
    study: int | None = None,
    mrn: str = "M1",
    day: str = "20260115",
    clock: str = "101500",
    modality: str = "XC",
    sop_class: str = VLPhotographicImageStorage,
    side_px: int = 200,
    shade: int = 0,
) -> Dataset:
    """Photograph `number`, by default the only one of its study."""
    study = number if study is None else study
    dataset = Dataset()
    dataset.file_meta = FileMetaDataset()
    dataset.file_meta.TransferSyntaxUID = JPEGBaseline8Bit
    dataset.SOPClassUID = sop_class
    dataset.SOPInstanceUID = sop_uid(number)
    dataset.StudyInstanceUID = study_uid(study)
    dataset.SeriesInstanceUID = f"{study_uid(study)}.{1 if modality == 'XC' else 2}"
    dataset.PatientID, dataset.PatientName = mrn, "CANARY^Name"
    dataset.StudyDate = dataset.ContentDate = day
    dataset.StudyTime = dataset.ContentTime = clock
    if day:
        dataset.AcquisitionDateTime = day + clock
    dataset.Modality = modality
    dataset.InstanceNumber = number
    dataset.SamplesPerPixel, dataset.PhotometricInterpretation, dataset.PlanarConfiguration = 3, "YBR_FULL_422", 0
    dataset.Rows = dataset.Columns = side_px
    dataset.BitsAllocated, dataset.BitsStored, dataset.HighBit, dataset.PixelRepresentation = 8, 8, 7, 0
    pixels = np.random.default_rng(number + 1000 * shade).integers(0, 255, (side_px, side_px, 3), dtype=np.uint8)
    buffer = io.BytesIO()
    Image.fromarray(pixels).save(buffer, "JPEG")
    dataset.PixelData = encapsulate([buffer.getvalue()])
    return dataset


def photo_file(number: int, **facts: object) -> bytes:
    """The same as a DICOM file."""
    return as_file(photo_object(number, **facts))  # type: ignore[arg-type]


def as_file(dataset: Dataset) -> bytes:
    """An object as a DICOM file."""
    dataset.file_meta.MediaStorageSOPClassUID = dataset.SOPClassUID
    dataset.file_meta.MediaStorageSOPInstanceUID = dataset.SOPInstanceUID
    buffer = io.BytesIO()
    dataset.save_as(buffer, enforce_file_format=True)
    return buffer.getvalue()


def study_uid(study: int) -> str:
    return f"{ROOT}.1.{study}"


def sop_uid(number: int) -> str:
    return f"{ROOT}.2.{number}"
