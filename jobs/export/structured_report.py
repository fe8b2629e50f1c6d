"""A photo's scores as a DICOM structured report (TID 1500, Measurement Report) that refers to the photo."""

from __future__ import annotations

import uuid
from dataclasses import dataclass
from datetime import date

import highdicom as hd
from highdicom.sr import (
    AlgorithmIdentification,
    CodedConcept,
    DeviceObserverIdentifyingAttributes,
    EnhancedSR,
    FindingSite,
    Measurement,
    MeasurementReport,
    MeasurementsAndQualitativeEvaluations,
    ObservationContext,
    ObserverContext,
    SourceImageForMeasurementGroup,
    TrackingIdentifier,
)
from pydicom.dataset import Dataset
from pydicom.sr.codedict import codes
from pydicom.valuerep import DT

SCHEME = "99FAHR"
FACE_AGE = CodedConcept("face_age", SCHEME, "FaceAge")
FACE_SURVIVAL = CodedConcept("face_survival", SCHEME, "FaceSurvival log relative mortality risk")
IMAGING = CodedConcept("363679005", "SCT", "Imaging")
FACE = CodedConcept("89545001", "SCT", "Face")
YEAR = CodedConcept("a", "UCUM", "year")
NO_UNIT = CodedConcept("1", "UCUM", "no units")
NOTICE = "FAHR-Face scores: research use only, not for care"
_NAMESPACE = uuid.uuid5(uuid.NAMESPACE_DNS, "structured-report.fahr")

HEADER_TAGS = (
    "SpecificCharacterSet", "PatientID", "PatientName", "PatientBirthDate", "PatientSex", "StudyInstanceUID", "StudyID",
    "StudyDate", "StudyTime", "AccessionNumber", "ReferringPhysicianName", "SeriesInstanceUID", "SOPClassUID",
    "SOPInstanceUID", "Rows", "Columns", "NumberOfFrames",
)  # fmt: skip
"""What a report takes over from its photo's header, and all that is read of it."""

_MAY_BE_EMPTY = (
    "PatientID", "PatientName", "PatientBirthDate", "PatientSex", "StudyID", "StudyDate", "StudyTime",
    "AccessionNumber", "ReferringPhysicianName",
)  # fmt: skip


@dataclass(frozen=True, slots=True)
class PhotoScores:
    """What a release says of one photo."""

    face_age_years: float | None
    face_survival_log_risk: float | None
    model_id: str
    preprocessing_id: str
    weights_sha256: str
    scored_on: date


def structured_report(photo: Dataset, scores: PhotoScores, *, code_version: str) -> EnhancedSR:
    """The report. The same photo and scores give the same object, identifiers included.

    Args:
        photo: at least the HEADER_TAGS of the photo, as far as it has them.
        scores: at least one of the two is known.
        code_version: version of this product.

    Raises:
        ValueError, TypeError: the header lacks an identifier, or holds what a report may not.
    """
    evidence = _completed(photo)
    key = f"{photo.SOPInstanceUID} {scores.model_id} {scores.preprocessing_id}"
    report = EnhancedSR(
        evidence=[evidence],
        content=_content(evidence, scores, key)[0],
        series_instance_uid=_uid(f"series {photo.StudyInstanceUID} {scores.model_id} {scores.preprocessing_id}"),
        series_number=9000,
        sop_instance_uid=_uid(f"report {key}"),
        instance_number=1,
        manufacturer="fahr",
        series_description=NOTICE,
        software_versions=code_version,
        manufacturer_model_name=scores.model_id[:64],
        device_serial_number=scores.weights_sha256,
        is_complete=True,
    )
    # The library stamps the present; a repetition must be the same object, which a PACS then keeps once.
    for name in ("ContentDate", "InstanceCreationDate", "SeriesDate"):
        if name in report:
            setattr(report, name, scores.scored_on.strftime("%Y%m%d"))
    for name in ("ContentTime", "InstanceCreationTime", "SeriesTime"):
        if name in report:
            setattr(report, name, "000000")
    for equipment in report.ContributingEquipmentSequence:
        equipment.ContributionDateTime = DT(scores.scored_on.strftime("%Y%m%d"))
    return report


def _completed(photo: Dataset) -> Dataset:
    """The photo's header, with empty values for what it may lack."""
    evidence = Dataset()
    evidence.update({element.tag: element for element in photo})
    for name in _MAY_BE_EMPTY:
        if name not in evidence:
            setattr(evidence, name, None)
    return evidence


def _content(photo: Dataset, scores: PhotoScores, key: str) -> MeasurementReport:
    measured = [
        Measurement(name=name, value=round(value, 4), unit=unit)
        for name, value, unit in (
            (FACE_AGE, scores.face_age_years, YEAR),
            (FACE_SURVIVAL, scores.face_survival_log_risk, NO_UNIT),
        )
        if value is not None
    ]
    group = MeasurementsAndQualitativeEvaluations(
        tracking_identifier=TrackingIdentifier(uid=_uid(f"face {key}"), identifier="Face"),
        algorithm_id=AlgorithmIdentification(
            name="FAHR-Face",
            version=scores.model_id,
            parameters=[NOTICE, f"preprocessing {scores.preprocessing_id}", f"weights SHA-256 {scores.weights_sha256}"],
        ),
        finding_sites=[FindingSite(anatomic_location=FACE)],
        measurements=measured,
        source_images=[SourceImageForMeasurementGroup(photo.SOPClassUID, photo.SOPInstanceUID)],
    )
    device = DeviceObserverIdentifyingAttributes(uid=_uid("device"), name="fahr", model_name=scores.model_id)
    observer = ObserverContext(observer_type=codes.DCM.Device, observer_identifying_attributes=device)
    return MeasurementReport(
        observation_context=ObservationContext(observer_device_context=observer),
        procedure_reported=IMAGING,
        imaging_measurements=[group],
        title=codes.DCM.ImagingMeasurementReport,
    )


def _uid(name: str) -> hd.UID:
    """A UID that a name decides: 2.25 and a name-based UUID (PS3.5 B.2)."""
    return hd.UID(f"2.25.{uuid.uuid5(_NAMESPACE, name).int}")
