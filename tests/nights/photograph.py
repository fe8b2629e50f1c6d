"""Storing pixels as a hospital would: a JPEG on the share, a DICOM VL Photographic Image in the folder."""

from __future__ import annotations

import io
import os
from datetime import UTC, datetime
from pathlib import Path

import numpy as np
from PIL import Image
from pydicom.dataset import Dataset, FileMetaDataset
from pydicom.encaps import encapsulate
from pydicom.uid import JPEGBaseline8Bit, VLPhotographicImageStorage, generate_uid


def jpeg_bytes(pixels: np.ndarray) -> bytes:
    """RGB uint8 pixels as a JPEG file."""
    buffer = io.BytesIO()
    Image.fromarray(pixels).save(buffer, "JPEG", quality=92)
    return buffer.getvalue()


def store_as_jpeg(pixels: np.ndarray, path: Path) -> None:
    """Write RGB uint8 pixels as a JPEG file."""
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(jpeg_bytes(pixels))


def store_as_dicom(pixels: np.ndarray, path: Path, *, mrn: str) -> None:
    """Write RGB uint8 pixels as a VL Photographic Image that arrived at noon of 2026-03-02."""
    dataset = Dataset()
    dataset.file_meta = FileMetaDataset()
    dataset.file_meta.TransferSyntaxUID = JPEGBaseline8Bit
    dataset.file_meta.MediaStorageSOPClassUID = dataset.SOPClassUID = VLPhotographicImageStorage
    dataset.file_meta.MediaStorageSOPInstanceUID = dataset.SOPInstanceUID = generate_uid()
    dataset.StudyInstanceUID, dataset.SeriesInstanceUID = generate_uid(), generate_uid()
    dataset.PatientID, dataset.PatientName = mrn, "Synthetic^Astronaut"
    dataset.StudyDate = dataset.ContentDate = dataset.AcquisitionDate = "20260302"
    dataset.StudyTime = dataset.ContentTime = dataset.AcquisitionTime = "100000"
    dataset.AcquisitionDateTime = "20260302100000"
    dataset.Modality = "XC"
    dataset.SamplesPerPixel, dataset.PhotometricInterpretation, dataset.PlanarConfiguration = 3, "YBR_FULL_422", 0
    dataset.Rows, dataset.Columns = pixels.shape[:2]
    dataset.BitsAllocated, dataset.BitsStored, dataset.HighBit, dataset.PixelRepresentation = 8, 8, 7, 0
    dataset.PixelData = encapsulate([jpeg_bytes(pixels)])
    path.parent.mkdir(parents=True, exist_ok=True)
    dataset.save_as(path, enforce_file_format=True)
    arrived = datetime(2026, 3, 2, 12, tzinfo=UTC).timestamp()
    os.utime(path, (arrived, arrived))
