"""Build the demo hospital: photographs in its folders, records in its warehouse, and the truth beside them."""

from __future__ import annotations

import json
import logging
import multiprocessing
import os
import sys
from collections.abc import Iterable, Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass
from datetime import date
from itertools import repeat
from pathlib import Path

import cv2
from sqlalchemy import Connection, Engine
from tqdm import tqdm

from jobs.access.grants import grant_cohort
from jobs.demo.cdm_tables import write_cdm
from jobs.demo.filing import FiledPhoto, file_ordinary, write_file
from jobs.demo.oddities import file_oddities, mark_opted_out, patients_who_opt_out
from jobs.demo.population import DEMO_NIGHT, Patient, admit_patients
from jobs.demo.registry_file import write_registry_files
from jobs.demo.sessions import DICOM_FOLDER, SHARE, Session, plan_photos, plan_sessions
from jobs.demo.standing import Identity, claim, demo_folder, is_claimed, standing_counts
from jobs.demo.truth_tables import write_truth
from jobs.errors import UsageError
from jobs.settings import Settings
from jobs.warehouse.connection import copy_rows
from jobs.warehouse.declarations import load_declarations
from jobs.warehouse.migrate import migrate

__all__ = ["DEMO_NIGHT", "FEWEST_PATIENTS", "VERSION", "build_demo_hospital"]

log = logging.getLogger("fahr.demo")

VERSION = 1
"""Raised when the same seed and size give another hospital than before."""

FEWEST_PATIENTS = 10
OPTED_OUT_ON = date(2026, 1, 15)
FILES_IN_A_TASK = 8


@dataclass(frozen=True, slots=True)
class Hospital:
    """Everything about the hospital, decided before a file or a row is written."""

    patients: Sequence[Patient]
    sessions: Sequence[Session]
    photos: Sequence[FiledPhoto]
    opted_out: Sequence[Patient]

    def counts(self) -> dict[str, int]:
        """What it holds, by name."""
        return {
            "patients": len(self.patients),
            "died": sum(patient.died for patient in self.patients),
            "opted_out": len(self.opted_out),
            "sessions": len(self.sessions),
            "photos_on_share": sum(filed.source == SHARE for filed in self.photos),
            "photos_in_dicom_folder": sum(filed.source == DICOM_FOLDER for filed in self.photos),
            "odd_photos": sum(filed.oddity is not None for filed in self.photos),
        }


def build_demo_hospital(
    *,
    settings: Settings,
    engine_owner: Engine,
    patients: int = 400,
    seed: int = 20260301,
    processes: int | None = None,
) -> dict[str, int]:
    """Build a synthetic hospital, unless the very same one stands already.

    The seed and the number of patients decide every byte of it. Photographs go to `settings.home`/hospital, files of a
    tumour registry to `settings.home`/registry; records to the schemas `cdm`, `hospital` and `demo` of the warehouse,
    in one transaction after the last file: a build that was killed is begun again and comes to the same.

    Args:
        settings: where the photo share and the DICOM folder are.
        engine_owner: the warehouse, as a login that may create schemas in it.
        patients: 10 or more.
        seed: 0 or more.
        processes: how many draw photographs at once; by default one for each processor.

    Returns:
        Counts: patients, died, opted_out, sessions, photos_on_share, photos_in_dicom_folder, odd_photos.

    Raises:
        UsageError: too few patients; another hospital stands in the warehouse or in the folder; or the settings point
            to a photo share that is not the demo's.
    """
    if patients < FEWEST_PATIENTS or seed < 0:
        raise UsageError(
            f"A demo hospital has at least {FEWEST_PATIENTS} patients, and a seed of 0 or more.",
            next_step="Ask for more patients.",
        )
    folder = demo_folder(settings)
    identity = {"seed": seed, "patients": patients, "version": VERSION}
    built_before = standing_counts(engine_owner, identity)
    if built_before is not None and is_claimed(folder, identity):
        return built_before

    hospital = plan_hospital(patients, seed)
    claim(folder, identity)
    write_photographs(hospital.photos, folder, processes=processes)
    write_registry_files(hospital.patients, settings.home / "registry", seed)
    if built_before is None:
        with engine_owner.begin() as connection:
            _write_records(connection, hospital, identity)
        migrate(engine_owner, small_cell=settings.small_cell, declarations=load_declarations(settings))
        with engine_owner.begin() as connection:
            for role in ("fahr_analyst", "fahr_researcher"):
                for cohort in ("cancer_photo", "face_aging_rate"):
                    grant_cohort(connection, grantee=role, cohort=cohort)
    log.info("The demo hospital stands: %s", hospital.counts())
    return hospital.counts()


def plan_hospital(patients: int, seed: int) -> Hospital:
    """Decide everything about the hospital; nothing is drawn or written yet."""
    admitted = admit_patients(patients, seed)
    sessions = plan_sessions(admitted, seed)
    photos = plan_photos(sessions, seed)
    opted_out = patients_who_opt_out(photos)
    ordinary = mark_opted_out(file_ordinary(photos), opted_out)
    return Hospital(admitted, sessions, [*ordinary, *file_oddities(ordinary)], opted_out)


def write_photographs(photos: Sequence[FiledPhoto], folder: Path, *, processes: int | None = None) -> int:
    """Draw every photograph and write its file below `folder`/photos or `folder`/dicom; returns the bytes written.

    What a file holds does not depend on the number of processes or the order of work.
    """
    roots = {SHARE: folder / "photos", DICOM_FOLDER: folder / "dicom"}
    for root in roots.values():
        root.mkdir(parents=True, exist_ok=True)
    where = [roots[filed.source] for filed in photos]
    processes = processes or len(os.sched_getaffinity(0))
    with tqdm(total=len(photos), desc="Drawing photographs", unit="photo", disable=not sys.stderr.isatty()) as bar:
        written = 0
        for size in _in_processes(photos, where, processes):
            written += size
            bar.update()
    return written


def _in_processes(photos: Sequence[FiledPhoto], where: Sequence[Path], processes: int) -> Iterator[int]:
    if processes == 1:
        yield from map(write_file, photos, where)
        return
    # A fork server: the caller may have threads, and forking it itself would then be unsafe.
    context = multiprocessing.get_context("forkserver")
    context.set_forkserver_preload(["jobs.demo.filing"])
    with ProcessPoolExecutor(processes, mp_context=context, initializer=cv2.setNumThreads, initargs=(1,)) as pool:
        yield from pool.map(write_file, photos, where, chunksize=FILES_IN_A_TASK)


def _write_records(connection: Connection, hospital: Hospital, identity: Identity) -> None:
    write_cdm(connection, hospital.patients, hospital.sessions)
    copy_rows(
        connection,
        "hospital.patient_id_map",
        ("mrn", "person_id"),
        ((patient.mrn, patient.person_id) for patient in hospital.patients),
    )
    copy_rows(
        connection,
        "hospital.opt_out",
        ("person_id", "opted_out_on"),
        zip((patient.person_id for patient in hospital.opted_out), repeat(OPTED_OUT_ON)),
    )
    copy_rows(
        connection,
        "hospital.photo_manifest",
        ("photo_key", "mrn", "relative_path", "captured_at", "registered_at"),
        _manifest_rows(hospital.photos),
    )
    write_truth(connection, hospital.patients, hospital.photos)
    copy_rows(connection, "demo.hospital", (*identity, "counts"), [(*identity.values(), json.dumps(hospital.counts()))])


def _manifest_rows(photos: Iterable[FiledPhoto]) -> Iterator[tuple[object, ...]]:
    for filed in photos:
        if filed.source == SHARE:
            photo = filed.photo
            yield photo.photo_key, filed.mrn, filed.relative_path, photo.captured_at, photo.registered_at
