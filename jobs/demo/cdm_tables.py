"""The demo hospital's records as OMOP CDM 5.4 tables in the schema `cdm`."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from datetime import date, datetime, time

from sqlalchemy import Connection, MetaData, text
from sqlalchemy.schema import CreateSchema
from sqlalchemy_omopcdm import OMOPCDMModelBase

from jobs.demo import vocabulary
from jobs.demo.population import DATA_CUT, DEMO_NIGHT, Patient
from jobs.demo.sessions import Session
from jobs.warehouse.connection import copy_rows

CARE_SITE = 1
VOCABULARY_VERSION = "demo-1"

_CIRCULAR = ("concept", "vocabulary", "domain", "concept_class")
"""Tables whose foreign keys point to each other in a circle."""


def cdm_metadata() -> MetaData:
    """The 39 tables of CDM 5.4 (sqlalchemy-omopcdm) in the schema `cdm`, with every key of the official DDL.

    The circular keys of the vocabulary tables are checked at commit: no order of loading could satisfy them row by row.
    """
    metadata = MetaData(schema="cdm")
    for table in OMOPCDMModelBase.metadata.tables.values():
        table.to_metadata(metadata, schema="cdm")
    for name in _CIRCULAR:
        for key in metadata.tables[f"cdm.{name}"].foreign_key_constraints:
            key.deferrable, key.initially = True, "DEFERRED"
    return metadata


def write_cdm(connection: Connection, patients: Sequence[Patient], sessions: Sequence[Session]) -> dict[str, int]:
    """Create the tables and fill them, inside the connection's transaction.

    Args:
        connection: as the owner of the database.
        patients: everybody in `person`.
        sessions: every day on which somebody was photographed; each is a visit.

    Returns:
        Rows written, by table.
    """
    connection.execute(CreateSchema("cdm", if_not_exists=True))
    connection.execute(text("COMMENT ON SCHEMA cdm IS 'SYNTHETIC: OMOP CDM 5.4 records of patients who never lived.'"))
    cdm_metadata().create_all(connection)
    tables = {**_vocabulary_rows(), **_hospital_rows(), **_record_rows(patients, sessions)}
    return {table: _copy(connection, table, rows) for table, rows in tables.items()}


def _copy(connection: Connection, table: str, rows: Iterable[Mapping[str, object]]) -> int:
    rows = list(rows)
    columns = list(rows[0]) if rows else []
    return copy_rows(connection, f"cdm.{table}", columns, (tuple(row.values()) for row in rows)) if rows else 0


def _vocabulary_rows() -> dict[str, list[dict[str, object]]]:
    concepts = (*vocabulary.STANDARD_CONCEPTS, *vocabulary.LOCAL_CONCEPTS)
    return {
        "concept": [dict(zip(vocabulary.CONCEPT_COLUMNS, concept.as_row(), strict=True)) for concept in concepts],
        "domain": [
            {"domain_id": name, "domain_name": name, "domain_concept_id": concept_id}
            for name, concept_id in vocabulary.DOMAINS.items()
        ],
        "vocabulary": [
            {
                "vocabulary_id": key,
                "vocabulary_name": name,
                "vocabulary_reference": "SYNTHETIC extract for the demo",
                "vocabulary_version": VOCABULARY_VERSION,
                "vocabulary_concept_id": concept_id,
            }
            for key, (name, concept_id) in vocabulary.VOCABULARIES.items()
        ],
        "concept_class": [
            {"concept_class_id": name, "concept_class_name": name, "concept_class_concept_id": concept_id}
            for name, concept_id in vocabulary.CONCEPT_CLASSES.items()
        ],
    }


def _hospital_rows() -> dict[str, list[dict[str, object]]]:
    return {
        "cdm_source": [
            {
                "cdm_source_name": "SYNTHETIC demo hospital",
                "cdm_source_abbreviation": "SYNTHETIC",
                "cdm_holder": "SYNTHETIC demo hospital: nobody in it ever lived",
                "source_description": "Synthetic patients drawn from a known survival model. No real person.",
                "source_release_date": DATA_CUT,
                "cdm_release_date": DEMO_NIGHT,
                "cdm_version": "5.4",
                "cdm_version_concept_id": vocabulary.CDM_5_4,
                "vocabulary_version": VOCABULARY_VERSION,
            }
        ],
        "care_site": [{"care_site_id": CARE_SITE, "care_site_name": "SYNTHETIC radiation oncology clinic"}],
    }


def _record_rows(patients: Sequence[Patient], sessions: Sequence[Session]) -> dict[str, Iterable[Mapping[str, object]]]:
    """The clinical tables, in an order in which every row's foreign keys are there already."""
    visits = {(session.patient.person_id, session.day): number for number, session in enumerate(sessions, start=1)}
    return {
        "person": map(_person, patients),
        "observation_period": map(_observation_period, patients),
        "visit_occurrence": [_visit(number, session) for number, session in enumerate(sessions, start=1)],
        "condition_occurrence": map(_diagnosis, patients),
        "measurement": map(_stage, patients),
        "observation": list(_ecog(patients, sessions, visits)),
        "procedure_occurrence": [_radiotherapy(patient, patient.treated) for patient in patients if patient.treated],
        "death": [_death(patient) for patient in patients if patient.died],
    }


def _person(patient: Patient) -> dict[str, object]:
    return {
        "person_id": patient.person_id,
        "gender_concept_id": vocabulary.GENDER[patient.sex],
        "year_of_birth": patient.born.year,
        "month_of_birth": patient.born.month,
        "day_of_birth": patient.born.day,
        "birth_datetime": datetime.combine(patient.born, time()),
        "race_concept_id": vocabulary.RACE_UNKNOWN,
        "ethnicity_concept_id": vocabulary.NOT_HISPANIC,
        "care_site_id": CARE_SITE,
        "person_source_value": f"SYNTHETIC-{patient.person_id}",
        "gender_source_value": patient.sex,
    }


def _observation_period(patient: Patient) -> dict[str, object]:
    return {
        "observation_period_id": patient.person_id,
        "person_id": patient.person_id,
        "observation_period_start_date": patient.diagnosed,
        "observation_period_end_date": patient.last_day,
        "period_type_concept_id": vocabulary.FROM_THE_RECORD,
    }


def _visit(number: int, session: Session) -> dict[str, object]:
    return {
        "visit_occurrence_id": number,
        "person_id": session.patient.person_id,
        "visit_concept_id": vocabulary.OUTPATIENT_VISIT,
        "visit_start_date": session.day,
        "visit_end_date": session.day,
        "visit_type_concept_id": vocabulary.FROM_THE_RECORD,
        "care_site_id": CARE_SITE,
        "visit_source_value": "SYNTHETIC",
    }


def _diagnosis(patient: Patient) -> dict[str, object]:
    return {
        "condition_occurrence_id": patient.person_id,
        "person_id": patient.person_id,
        "condition_concept_id": vocabulary.SITE[patient.site],
        "condition_start_date": patient.diagnosed,
        "condition_type_concept_id": vocabulary.FROM_THE_RECORD,
        "condition_source_value": patient.site,
    }


def _stage(patient: Patient) -> dict[str, object]:
    return {
        "measurement_id": patient.person_id,
        "person_id": patient.person_id,
        "measurement_concept_id": vocabulary.STAGE_GROUP,
        "measurement_date": patient.diagnosed,
        "measurement_type_concept_id": vocabulary.FROM_THE_RECORD,
        "value_as_concept_id": vocabulary.STAGE[patient.stage],
        "value_source_value": patient.stage,
    }


def _ecog(
    patients: Sequence[Patient], sessions: Sequence[Session], visits: Mapping[tuple[int, date], int]
) -> Iterator[dict[str, object]]:
    """Performance status at index for everybody, and at each later session: there it is at best what it was."""
    at_index = [(patient, patient.index_date, patient.ecog) for patient in patients]
    later = [
        (session.patient, session.day, min(session.patient.ecog + session.number - 1, 4))
        for session in sessions
        if session.day > session.patient.index_date
    ]
    for number, (patient, day, status) in enumerate(at_index + later, start=1):
        yield {
            "observation_id": number,
            "person_id": patient.person_id,
            "observation_concept_id": vocabulary.ECOG_STATUS,
            "observation_date": day,
            "observation_type_concept_id": vocabulary.FROM_THE_RECORD,
            "value_as_number": status,
            "visit_occurrence_id": visits.get((patient.person_id, day)),
        }


def _radiotherapy(patient: Patient, day: date) -> dict[str, object]:
    return {
        "procedure_occurrence_id": patient.person_id,
        "person_id": patient.person_id,
        "procedure_concept_id": vocabulary.RADIOTHERAPY,
        "procedure_date": day,
        "procedure_type_concept_id": vocabulary.FROM_THE_RECORD,
        "procedure_source_value": "SYNTHETIC",
    }


def _death(patient: Patient) -> dict[str, object]:
    return {
        "person_id": patient.person_id,
        "death_date": patient.last_day,
        "death_type_concept_id": vocabulary.FROM_THE_RECORD,
    }
