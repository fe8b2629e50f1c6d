"""What tumour registries would send the demo hospital: a NAACCR XML file, and a CSV with its mapping. SYNTHETIC.

They agree with the hospital's records but for a few patients, each odd on purpose: other days of death, deaths that
only one side knows, codes and dates that cannot be, a record number nobody has.
"""

from __future__ import annotations

import csv
from collections.abc import Iterator, Sequence
from datetime import date, timedelta
from pathlib import Path
from xml.etree.ElementTree import Element, ElementTree, SubElement, indent

import numpy as np

from jobs.demo.population import CANARY, DATA_CUT, Patient

NAACCR_FILE, CSV_FILE, MAPPING_FILE = "naaccr-250.xml", "regional.csv", "regional.yaml"
VERSION = "250"
NAMESPACE = "http://naaccr.org/naaccrxml"

_REGISTRY_STREAM = 11
_TOPOGRAPHY = {
    "breast": "C504",
    "lung": "C341",
    "prostate": "C619",
    "colorectal": "C187",
    "head_neck": "C109",
    "brain": "C711",
}
_HISTOLOGY = {
    "breast": "8500",
    "lung": "8140",
    "prostate": "8140",
    "colorectal": "8140",
    "head_neck": "8070",
    "brain": "9440",
}
_STAGE = {"I": "1A", "II": "2B", "III": "3", "IV": "4"}
_SUMMARY_STAGE = {"I": "1", "II": "2", "III": "3", "IV": "7"}
_UNKNOWN_MRN = "SYN-9999998"
_LONGEST_LAG_DAYS = 200

MAPPING = """\
# How regional.csv of the demo hospital is read. SYNTHETIC.
columns:
  mrn: Patient
  tumour_number: Tumour
  diagnosis_date: Diagnosed
  site: ICD-O topography
  histology: ICD-O morphology
  stage: UICC
  vital_status: Status
  last_contact_date: Last seen
  cause_of_death: Cause
delimiter: ";"
date_formats: ["%d.%m.%Y", "%m.%Y", "%Y"]
codes:
  vital_status: {alive: [L], dead: [T]}
not_known:
  stage: [X]
"""


def write_registry_files(patients: Sequence[Patient], folder: Path, seed: int) -> None:
    """Write the files; the same patients and seed give the same bytes."""
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    accounts = [_account(patient, seed) for patient in patients]
    _write_naaccr(accounts, folder / NAACCR_FILE)
    _write_csv(accounts[:: max(1, len(accounts) // 40)], folder / CSV_FILE)
    (folder / MAPPING_FILE).write_text(MAPPING)


def _account(patient: Patient, seed: int) -> dict[str, str]:
    """What the registry knows of a patient, by NAACCR id; every twentieth patient's account is odd."""
    rng = np.random.default_rng([seed, _REGISTRY_STREAM, patient.person_id])
    last = patient.last_day if patient.died else DATA_CUT - timedelta(days=int(rng.integers(_LONGEST_LAG_DAYS)))
    last = max(last, patient.index_date)
    account = {
        "patientIdNumber": f"{patient.person_id:08d}",
        "nameLast": CANARY,
        "dateOfBirth": _written(patient.born),
        "sex": "2" if patient.sex == "F" else "1",
        "vitalStatus": "0" if patient.died else "1",
        "dateOfLastContact": _written(last),
        "causeOfDeath": _TOPOGRAPHY[patient.site] if patient.died else "0000",
        "tumorRecordNumber": "01",
        "medicalRecordNumber": patient.mrn,
        "dateOfDiagnosis": _written(patient.diagnosed),
        "primarySite": _TOPOGRAPHY[patient.site],
        "histologicTypeIcdO3": _HISTOLOGY[patient.site],
        "behaviorCodeIcdO3": "3",
        "ajccTnmPathStageGroup": "99" if rng.random() < 0.4 else _STAGE[patient.stage],
        "ajccTnmClinStageGroup": _STAGE[patient.stage],
        "summaryStage2018": _SUMMARY_STAGE[patient.stage],
    }
    return account | _oddity(patient, last)


def _oddity(patient: Patient, last: date) -> dict[str, str]:
    """What is told otherwise of some patients, in turn."""
    earlier = max(last - timedelta(days=40), patient.index_date)
    match patient.person_id % 20:
        case 3:
            return {"dateOfLastContact": _written(earlier)}  # of the dead: another day of death
        case 6 if patient.died:
            return {"vitalStatus": "1", "dateOfLastContact": _written(DATA_CUT), "causeOfDeath": "0000"}
        case 6:
            return {"vitalStatus": "0", "dateOfLastContact": _written(earlier), "causeOfDeath": "7797"}
        case 9:
            return {"dateOfLastContact": _written(last)[:6], "dateOfDiagnosis": _written(patient.diagnosed)[:6]}
        case 12 if patient.person_id % 40 == 12:
            return {"medicalRecordNumber": _UNKNOWN_MRN}
        case 12:
            return {"dateOfDiagnosis": "20231341", "ajccTnmPathStageGroup": "7Q"}
        case 15 if patient.person_id % 40 == 15:
            return {"primarySite": "D509", "histologicTypeIcdO3": "12"}
        case 15:
            return {"vitalStatus": "", "dateOfDiagnosis": "20310504"}
    return {}


_PATIENT_ITEMS = (
    "patientIdNumber",
    "nameLast",
    "dateOfBirth",
    "sex",
    "vitalStatus",
    "dateOfLastContact",
    "causeOfDeath",
)


def _write_naaccr(accounts: Sequence[dict[str, str]], path: Path) -> None:
    root = Element(
        "NaaccrData",
        {
            "xmlns": NAMESPACE,
            "baseDictionaryUri": f"{NAMESPACE}/naaccr-dictionary-{VERSION}.xml",
            "recordType": "A",
            "specificationVersion": "1.8",
            "timeGenerated": f"{DATA_CUT}T20:00:00Z",
        },
    )
    _item(root, "registryId", "SYNTHETIC")
    for account in accounts:
        patient = SubElement(root, "Patient")
        for name in _PATIENT_ITEMS:
            _item(patient, name, account[name])
        tumour = SubElement(patient, "Tumor")
        for name, value in account.items():
            if name not in _PATIENT_ITEMS:
                _item(tumour, name, value)
    indent(root)
    ElementTree(root).write(path, encoding="UTF-8", xml_declaration=True)


def _item(parent: Element, name: str, value: str) -> None:
    if value:
        SubElement(parent, "Item", {"naaccrId": name}).text = value


_CSV_COLUMNS = (
    "Patient",
    "Tumour",
    "Diagnosed",
    "ICD-O topography",
    "ICD-O morphology",
    "UICC",
    "Status",
    "Last seen",
    "Cause",
)


def _write_csv(accounts: Sequence[dict[str, str]], path: Path) -> None:
    with path.open("w", encoding="utf-8", newline="") as file:
        writer = csv.writer(file, delimiter=";", lineterminator="\n")
        writer.writerow(_CSV_COLUMNS)
        writer.writerows(_csv_rows(accounts))


def _csv_rows(accounts: Sequence[dict[str, str]]) -> Iterator[tuple[str, ...]]:
    for account in accounts:
        site = account["primarySite"]
        yield (
            account["medicalRecordNumber"],
            account["tumorRecordNumber"],
            _dotted(account["dateOfDiagnosis"]),
            f"{site[:3]}.{site[3:]}",
            f"{account['histologicTypeIcdO3']}/{account['behaviorCodeIcdO3']}",
            account["ajccTnmClinStageGroup"],
            {"0": "T", "1": "L"}.get(account["vitalStatus"], ""),
            _dotted(account["dateOfLastContact"]),
            account["causeOfDeath"] if account["vitalStatus"] == "0" else "",
        )


def _written(day: date) -> str:
    return f"{day:%Y%m%d}"


def _dotted(written: str) -> str:
    """A date of NAACCR's as 28.02.2026, or 02.2026."""
    return ".".join(filter(None, (written[6:8], written[4:6], written[:4])))
