"""NAACCR XML and CSV files of a test's own making."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

ON_PATIENT = {"patientIdNumber", "vitalStatus", "dateOfLastContact", "causeOfDeath", "dateOfBirth", "nameLast"}

SOUND = {
    "patientIdNumber": "00000001",
    "vitalStatus": "1",
    "dateOfLastContact": "20250630",
    "causeOfDeath": "0000",
    "tumorRecordNumber": "01",
    "medicalRecordNumber": "MRN-1",
    "dateOfDiagnosis": "20240105",
    "primarySite": "C504",
    "histologicTypeIcdO3": "8500",
    "behaviorCodeIcdO3": "3",
    "ajccTnmPathStageGroup": "2B",
}
"""A record in which nothing is wrong."""


def record(**items: str) -> dict[str, str]:
    """The sound record with other items; one whose value is empty is left out."""
    return {name: value for name, value in (SOUND | items).items() if value}


def of_patient(number: int, **items: str) -> dict[str, str]:
    """The sound record of another patient."""
    return record(**{"patientIdNumber": f"{number:08d}", "medicalRecordNumber": f"MRN-{number}"} | items)


def write_naaccr(
    path: Path, records: Sequence[dict[str, str]], *, version: str = "250", made: str = "2026-02-28T20:00:00Z"
) -> Path:
    """A NAACCR XML file with one patient a record."""
    path.write_text(naaccr_text(records, version=version, made=made))
    return path


def naaccr_text(records: Sequence[dict[str, str]], *, version: str, made: str) -> str:
    patients = "\n".join(
        f"<Patient>{_items(record, True)}<Tumor>{_items(record, False)}</Tumor></Patient>" for record in records
    )
    dictionary = f"http://naaccr.org/naaccrxml/naaccr-dictionary-{version}.xml"
    return (
        f'<?xml version="1.0"?>\n<NaaccrData xmlns="http://naaccr.org/naaccrxml" baseDictionaryUri="{dictionary}"'
        f' recordType="A" specificationVersion="1.8" timeGenerated="{made}">\n'
        f'<Item naaccrId="naaccrRecordVersion">{version}</Item>\n{patients}\n</NaaccrData>\n'
    )


def _items(record: dict[str, str], on_patient: bool) -> str:
    return "".join(
        f'<Item naaccrId="{name}">{value}</Item>'
        for name, value in record.items()
        if (name in ON_PATIENT) is on_patient
    )
