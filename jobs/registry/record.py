"""One record of a registry's file: from its words to dates and codes, and a reason for what cannot be."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import date
from typing import Any

from jobs.registry.partial_date import PartialDate, parse_date
from schemas.registry_declaration import RegistryMapping, Sites
from schemas.registry_reasons import BY_CODE

Given = Mapping[str, str]
"""The words of a record by our field; what the file does not have is not in it."""

TOPOGRAPHY = re.compile(r"^C(\d\d)\.?(\d)$")
LAST_TOPOGRAPHY = 80
MORPHOLOGY = re.compile(r"^(\d{4})(?:/(\d))?$")
BEHAVIOURS = frozenset("012369")
STAGE_GROUP = re.compile(r"^(?:STAGE )?(0|IV|I{1,3}|[1-4])(?:(?:[A-E][0-9]?)|IS)?$")
STAGES = {"0": "0", "1": "I", "2": "II", "3": "III", "4": "IV"}
ICD_10 = re.compile(r"^([A-Z]\d\d)\.?(\d{0,2})$")

STAGE_FIELDS = {"stage_pathological": "pathological", "stage_clinical": "clinical", "stage": "given"}
"""Fields a stage is taken from, the first that has one, and what it is based on."""


@dataclass
class Record:
    """A record as it goes to `registry.record_v1`."""

    mrn: str | None
    registry_patient: str | None
    tumour_number: str | None
    given: dict[str, str]
    diagnosed: PartialDate | None = None
    site_code: str | None = None
    site: str | None = None
    histology: str | None = None
    behaviour: str | None = None
    stage_code: str | None = None
    stage: str | None = None
    stage_basis: str | None = None
    summary_stage: str | None = None
    vital_status: str | None = None
    last_contact: PartialDate | None = None
    last_contact_on: date | None = None
    cause_of_death: str | None = None
    reasons: list[str] = field(default_factory=list)

    @property
    def tumour_usable(self) -> bool:
        """Whether its tumour is shown."""
        return not self._lost("record", "tumour")

    @property
    def follow_up_usable(self) -> bool:
        """Whether its vital status and last contact are used."""
        return not self._lost("record", "follow_up")

    def _lost(self, *parts: str) -> bool:
        return any(BY_CODE[reason].loses in parts for reason in self.reasons)


def read_record(given: Given, mapping: RegistryMapping, sites: Sites, as_of: date, *, problem: str | None) -> Record:
    """Judge one record.

    Args:
        given: its words, stripped.
        mapping: what its codes mean and how its dates are written.
        sites: groups of sites.
        as_of: day the file was made: a later date in it is impossible.
        problem: a reason the reader of the file found already.

    Returns:
        The record; what is wrong with it stands in its `reasons`, and what is wrong is not in its values.
    """
    record = Record(
        mrn=given.get("mrn") or None,
        registry_patient=given.get("registry_patient") or None,
        tumour_number=given.get("tumour_number") or None,
        given=dict(given),
    )
    if problem is not None:
        record.reasons.append(problem)
    if problem == "wrong_number_of_cells":
        return record
    if record.mrn is None:
        record.reasons.append("mrn_missing")
    today = PartialDate(as_of, as_of, "day")
    born = _birth(record, given, mapping)
    if problem != "tumour_missing":
        _read_diagnosis(record, given, mapping, born, today)
        _read_morphology(record, given, sites)
        _read_stage(record, given, mapping)
    _read_follow_up(record, given, mapping, born, today)
    return record


def _birth(record: Record, given: Given, mapping: RegistryMapping) -> PartialDate | None:
    text = given.get("birth_date", "")
    born = parse_date(text, mapping.date_formats) if text else None
    if text and born is None:
        record.reasons.append("birth_date_invalid")
    return born


def _read_diagnosis(
    record: Record, given: Given, mapping: RegistryMapping, born: PartialDate | None, today: PartialDate
) -> None:
    text = given.get("diagnosis_date", "")
    diagnosed = parse_date(text, mapping.date_formats) if text else None
    if diagnosed is None:
        record.reasons.append("diagnosis_date_invalid" if text else "diagnosis_date_missing")
    elif today.certainly_before(diagnosed):
        record.reasons.append("diagnosis_in_future")
    elif born is not None and diagnosed.certainly_before(born):
        record.reasons.append("diagnosis_before_birth")
    else:
        record.diagnosed = diagnosed


def _read_morphology(record: Record, given: Given, sites: Sites) -> None:
    topography = given.get("site", "").upper()
    found = TOPOGRAPHY.match(topography)
    if found is None or int(found[1]) > LAST_TOPOGRAPHY:
        record.reasons.append("site_invalid" if topography else "site_missing")
    else:
        record.site_code = f"C{found[1]}.{found[2]}"
        record.site = sites.group_of(record.site_code)
    histology = given.get("histology", "")
    morphology = MORPHOLOGY.match(histology)
    if morphology is not None and int(morphology[1]) >= 8000:
        record.histology = morphology[1]
    elif histology:
        record.reasons.append("histology_invalid")
    behaviour = given.get("behaviour") or (morphology[2] if morphology else "") or ""
    if behaviour in BEHAVIOURS:
        record.behaviour = behaviour
    elif behaviour:
        record.reasons.append("behaviour_invalid")


def _read_stage(record: Record, given: Given, mapping: RegistryMapping) -> None:
    for name, basis in STAGE_FIELDS.items():
        code = given.get(name, "").upper()
        if not code or code in mapping.not_known.stage:
            continue
        stage = _meaning(code, mapping.codes.stage) or _stage_as_written(code)
        if stage is None:
            record.reasons.append("stage_invalid")
            continue
        record.stage, record.stage_code, record.stage_basis = stage, code, basis
        break
    code = given.get("summary_stage", "")
    if code and code not in mapping.not_known.summary_stage:
        record.summary_stage = _meaning(code, mapping.codes.summary_stage)
        if record.summary_stage is None:
            record.reasons.append("summary_stage_invalid")
    # Two stages may be wrong at once; the record says so once.
    record.reasons = list(dict.fromkeys(record.reasons))


def _stage_as_written(code: str) -> str | None:
    found = STAGE_GROUP.match(code)
    return STAGES.get(found[1], found[1]) if found else None


def _read_follow_up(
    record: Record, given: Given, mapping: RegistryMapping, born: PartialDate | None, today: PartialDate
) -> None:
    status = given.get("vital_status", "")
    record.vital_status = _meaning(status, mapping.codes.vital_status) if status else None
    if record.vital_status is None:
        record.reasons.append("vital_status_invalid" if status else "vital_status_missing")
    text = given.get("last_contact_date", "")
    contact = parse_date(text, mapping.date_formats) if text else None
    if contact is None:
        record.reasons.append("last_contact_invalid" if text else "last_contact_missing")
    elif today.certainly_before(contact):
        record.reasons.append("last_contact_in_future")
    elif born is not None and contact.certainly_before(born):
        record.reasons.append("last_contact_before_birth")
    elif record.diagnosed is not None and contact.certainly_before(record.diagnosed):
        record.reasons.append("last_contact_before_diagnosis")
    else:
        record.last_contact = contact
        record.last_contact_on = contact.day_within(record.diagnosed, today)
    _read_cause(record, given, mapping)


def _read_cause(record: Record, given: Given, mapping: RegistryMapping) -> None:
    code = given.get("cause_of_death", "").upper()
    if not code or code in mapping.not_known.cause_of_death:
        return
    found = ICD_10.match(code)
    if found is None:
        record.reasons.append("cause_of_death_invalid")
    elif record.vital_status == "alive":
        record.reasons.append("cause_without_death")
    else:
        record.cause_of_death = f"{found[1]}.{found[2]}" if found[2] else found[1]


def _meaning(code: str, codes: Mapping[Any, tuple[str, ...]]) -> str | None:
    """What a code means, whatever its case; None for one that is not declared."""
    return next((meaning for meaning, known in codes.items() if code.upper() in map(str.upper, known)), None)
