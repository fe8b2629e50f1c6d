"""Every reason why a registry's record, or a part of it, is not used."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

Loses = Literal["record", "tumour", "follow_up", "value"]


@dataclass(frozen=True)
class RegistryReason:
    """One reason. It becomes a row of `fahr.registry_reason_v1`."""

    code: str
    """What stands with the record; never renamed once a warehouse may hold it."""

    loses: Loses
    """What is not used: the record, its tumour, its follow-up, or one value."""

    meaning: str
    """One sentence for the person who has to act on it."""


REGISTRY_REASONS: tuple[RegistryReason, ...] = (
    RegistryReason("wrong_number_of_cells", "record", "The line has more or fewer cells than the header."),
    RegistryReason("mrn_missing", "record", "The record has no record number of the hospital's."),
    RegistryReason("unknown_patient", "record", "The record number is not in hospital.patient_id_map."),
    RegistryReason("record_repeated", "record", "The same record stands earlier in the file."),
    RegistryReason("tumour_repeated", "tumour", "The tumour stands earlier in the file, with other values."),
    RegistryReason("tumour_missing", "tumour", "The patient has no tumour in the file."),
    RegistryReason("diagnosis_date_missing", "tumour", "There is no date of diagnosis."),
    RegistryReason("diagnosis_date_invalid", "tumour", "The date of diagnosis is not a date."),
    RegistryReason("diagnosis_in_future", "tumour", "The date of diagnosis is later than the file."),
    RegistryReason("diagnosis_before_birth", "tumour", "The date of diagnosis is earlier than the birth."),
    RegistryReason("site_missing", "tumour", "There is no site of the tumour."),
    RegistryReason("site_invalid", "tumour", "The site is no ICD-O-3 topography, C00.0 to C80.9."),
    RegistryReason("vital_status_missing", "follow_up", "There is no vital status."),
    RegistryReason("vital_status_invalid", "follow_up", "The vital status is none of the declared codes."),
    RegistryReason("last_contact_missing", "follow_up", "There is no date of last contact or death."),
    RegistryReason("last_contact_invalid", "follow_up", "The date of last contact is not a date."),
    RegistryReason("last_contact_in_future", "follow_up", "The date of last contact is later than the file."),
    RegistryReason(
        "last_contact_before_diagnosis", "follow_up", "The date of last contact or death is earlier than the diagnosis."
    ),
    RegistryReason("last_contact_before_birth", "follow_up", "The date of last contact is earlier than the birth."),
    RegistryReason("birth_date_invalid", "value", "The date of birth is not a date; nothing was compared with it."),
    RegistryReason("histology_invalid", "value", "The histology is no ICD-O-3 code of four digits, 8000 to 9999."),
    RegistryReason("behaviour_invalid", "value", "The behaviour is no ICD-O-3 digit: 0, 1, 2, 3, 6 or 9."),
    RegistryReason("stage_invalid", "value", "The stage group is neither a declared code nor one of 0 to IV."),
    RegistryReason("summary_stage_invalid", "value", "The summary stage is none of the declared codes."),
    RegistryReason("cause_of_death_invalid", "value", "The cause of death is no ICD-10 code."),
    RegistryReason("cause_without_death", "value", "There is a cause of death, and the patient is alive."),
)

BY_CODE: dict[str, RegistryReason] = {reason.code: reason for reason in REGISTRY_REASONS}
