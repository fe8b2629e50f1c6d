"""The truth, written beside the records: schema `demo`, which no job reads."""

from __future__ import annotations

from collections.abc import Sequence
from importlib.resources import files

from sqlalchemy import Connection

from jobs.demo.filing import FiledPhoto
from jobs.demo.population import Patient
from jobs.demo.truth import TRUE_COEFFICIENTS, TrueCoefficient
from jobs.warehouse.connection import copy_rows
from schemas.migrations import execute_script

RISK_TABLES_NAMES = {
    "age": "age_years",
    "biological_age_gap": "biological_age_gap_years",
    "F": "female",
    "M": "male",
}
"""What the cohort declarations call covariates and levels that the truth calls otherwise."""

_PATIENT_COLUMNS = (
    "person_id",
    "index_date",
    "age_at_index_years",
    "biological_age_at_index",
    "biological_age_gap_years",
    "frailty",
    "sex",
    "site",
    "stage",
    "ecog",
    "followup_days",
    "died",
    "log_hazard",
)


def write_truth(connection: Connection, patients: Sequence[Patient], photos: Sequence[FiledPhoto]) -> None:
    """Create the schema `demo` and record what is true of patients, photos and hazards, and which photos are odd."""
    execute_script(connection, files("jobs.demo").joinpath("demo_tables.sql").read_text())
    copy_rows(connection, "demo.truth_patient", _PATIENT_COLUMNS, map(_patient_row, patients))
    copy_rows(
        connection,
        "demo.truth_coefficient",
        ("term", "covariate", "level", "reference_level", "unit", "log_hazard_ratio"),
        map(_coefficient_row, TRUE_COEFFICIENTS),
    )
    copy_rows(
        connection,
        "demo.truth_photo",
        ("source", "source_key", "person_id", "captured_on", "biological_age_years", "frailty"),
        [_photo_row(filed) for filed in photos if filed.oddity is None],
    )
    copy_rows(
        connection,
        "demo.odd_photo",
        ("source", "source_key", "oddity", "expected_reason"),
        [(filed.source, filed.source_key, filed.oddity, filed.expected_reason) for filed in photos if filed.oddity],
    )


def _coefficient_row(coefficient: TrueCoefficient) -> tuple[object, ...]:
    """Covariates and levels are called as in `fahr.risk_coefficient`, so that the two can be joined."""
    covariate = RISK_TABLES_NAMES.get(coefficient.covariate, coefficient.covariate)
    level = RISK_TABLES_NAMES.get(str(coefficient.level), coefficient.level)
    return (
        covariate if level is None else f"{covariate}={level}",
        covariate,
        level,
        RISK_TABLES_NAMES.get(str(coefficient.reference_level), coefficient.reference_level),
        coefficient.unit,
        coefficient.log_hazard_ratio,
    )


def _patient_row(patient: Patient) -> tuple[object, ...]:
    age = patient.age_on(patient.index_date)
    return (
        patient.person_id,
        patient.index_date,
        age,
        patient.biological_age_at_index,
        patient.biological_age_at_index - age,
        patient.frailty,
        patient.sex,
        patient.site,
        patient.stage,
        patient.ecog,
        (patient.last_day - patient.index_date).days,
        patient.died,
        patient.log_hazard,
    )


def _photo_row(filed: FiledPhoto) -> tuple[object, ...]:
    shown = filed.photo.latents
    return (
        filed.source,
        filed.source_key,
        filed.photo.patient.person_id,
        filed.photo.session.day,
        shown.biological_age,
        shown.frailty,
    )
