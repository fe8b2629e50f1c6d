"""Objects that others made go through: dcmtk's img2dcm, and pydicom's own test files (many by dcmtk and gdcm)."""

from __future__ import annotations

import io
import subprocess
from pathlib import Path

import numpy as np
import pydicom.data
from PIL import Image

from jobs.sources.dicomweb import DicomwebReader
from model.decode import decode_photo
from model.drawing import draw_face, random_conditions, random_latents
from model.exclusions import PhotoExcluded
from model.header import read_header
from schemas.landing_rules import PHOTO_SOP_CLASSES
from tests.nights.photograph import jpeg_bytes
from tests.pacs.archives import listing_of, peer_of
from tests.pacs.objects import ROOT

LIMIT = 2**24
TEST_FILES = Path(pydicom.data.__file__).with_name("test_files")
UNDECODABLE = {
    # JPEG of 12 bits and lossless JPEG, for which there is no decoder but under the GPL or one that aborts.
    "JPEG-lossy.dcm",
    "JPGExtended.dcm",
    "SC_rgb_jpeg_gdcm.dcm",
    # 32 bits a sample, and a frame that ends in its own delimiter: damaged for the decoder.
    "SC_rgb_rle_32bit.dcm",
    "JPEG2000-embedded-sequence-delimiter.dcm",
}
"""Files of pydicom's that are no photographs as cameras make them: they end with a reason."""


def _pulled(orthanc, modalities) -> dict[str, bytes]:
    """Every photograph the PACS lists, read, by SOP instance UID."""
    peer = peer_of(orthanc)
    listing = listing_of(peer, modalities=modalities)
    assert listing.complete
    reader = DicomwebReader(peer)
    return {uid: reader.read(photo.locator.to_text(), LIMIT) for uid, photo in listing.photos.items()}


def test_a_photo_that_img2dcm_converted_comes_through(orthanc, tmp_path):
    rng = np.random.default_rng(3)
    pixels = draw_face(random_latents(rng), random_conditions(rng), 256).pixels
    (tmp_path / "face.jpg").write_bytes(jpeg_bytes(pixels))
    keys = {
        "PatientID": "M1",
        "StudyDate": "20260115",
        "ContentDate": "20260115",
        "ContentTime": "101500",
        "StudyInstanceUID": f"{ROOT}.77",
    }
    options = [option for name, value in keys.items() for option in ("-k", f"{name}={value}")]
    command = ["img2dcm", "-vlp", *options, str(tmp_path / "face.jpg"), str(tmp_path / "face.dcm")]
    subprocess.run(command, check=True, capture_output=True)
    assert orthanc.store((tmp_path / "face.dcm").read_bytes())
    (content,) = _pulled(orthanc, ["XC"]).values()
    header = read_header(content)
    assert (header.problem, header.dicom_patient_id, str(header.captured_at)) == (None, "M1", "2026-01-15 10:15:00")
    original = np.asarray(Image.open(io.BytesIO((tmp_path / "face.jpg").read_bytes())), dtype=int)
    assert np.abs(decode_photo(content).astype(int) - original).mean() < 2


def test_pydicoms_test_files_come_through_as_they_are(orthanc):
    stored = {}
    for path in sorted([*TEST_FILES.glob("SC_*.dcm"), *TEST_FILES.glob("JP*.dcm")]):
        content = path.read_bytes()
        header = read_header(content)
        if header.sop_class_uid in PHOTO_SOP_CLASSES and header.dicom_patient_id and orthanc.store(content):
            stored[content] = path.name
    pulled = _pulled(orthanc, ["OT", "NM"])
    assert len(pulled) >= 8
    # Some files are the same instance in another transfer syntax: the PACS keeps the one it got last.
    assert [uid for uid, content in pulled.items() if content not in stored] == []
    of_one_frame = [content for content in pulled.values() if read_header(content).frame_count == 1]
    decoded = {stored[content]: _shape_or_reason(content) for content in of_one_frame}
    refused = {name for name, outcome in decoded.items() if outcome == "decode_failed"}
    assert refused <= UNDECODABLE
    assert len(decoded) - len(refused) >= 6
    assert {outcome[2] for name, outcome in decoded.items() if name not in refused} == {3}


def _shape_or_reason(content: bytes) -> tuple[int, ...] | str:
    try:
        return decode_photo(content).shape
    except PhotoExcluded as exclusion:
        return exclusion.reason.value


def test_what_is_no_photograph_is_not_listed(orthanc):
    assert orthanc.store((TEST_FILES / "CT_small.dcm").read_bytes())
    assert _pulled(orthanc, ["XC", "OT"]) == {}
