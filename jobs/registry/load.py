"""Load a tumour registry's file: every record is kept, judged, and linked by SQL to persons when it is asked for.

A file replaces what the same registry gave before, in one transaction. The same file read by the same mapping changes
nothing. Nothing of a file is loaded that cannot be read to its end.
"""

from __future__ import annotations

import hashlib
import logging
import uuid
from collections.abc import Iterator
from datetime import date
from pathlib import Path

from psycopg.types.json import Jsonb
from sqlalchemy import Connection, Engine, text

from jobs import audit
from jobs.errors import DatasetRejected, LockHeld, SettingsError, UsageError
from jobs.registry.csv_file import open_csv
from jobs.registry.naaccr_xml import open_naaccr
from jobs.registry.record import Record, read_record
from jobs.registry.registry_file import OpenedFile, refused
from jobs.registry.whole_file import count, mark_repeated
from jobs.runs import code_version
from jobs.warehouse.connection import copy_rows
from schemas.declared_yaml import DeclaredYamlError
from schemas.registry_declaration import RegistryMapping, Sites, load_mapping, load_naaccr_mapping, load_sites

log = logging.getLogger("fahr.registry")

FEWEST_OF_BEFORE = 0.5
"""A file with a smaller share of the records that the same registry gave before is taken for a cut-off one."""

LOCK = "fahr:registry"

COLUMNS = (
    "registry",
    "record_number",
    "load_id",
    "mrn",
    "registry_patient",
    "tumour_number",
    "diagnosed_on",
    "diagnosed_precision",
    "site_code",
    "site",
    "histology",
    "behaviour",
    "stage_code",
    "stage",
    "stage_basis",
    "summary_stage",
    "vital_status",
    "last_contact_on",
    "last_contact_precision",
    "cause_of_death",
    "tumour_usable",
    "follow_up_usable",
    "reason_codes",
    "given",
)


def load_registry(
    *,
    engine: Engine,
    file: Path,
    registry: str = "registry",
    mapping_file: Path | None = None,
    today: date,
    allow_fewer: bool = False,
) -> dict[str, int]:
    """Load one file.

    Args:
        engine: warehouse, as fahr_loader.
        file: NAACCR XML, or CSV with a mapping that has columns.
        registry: name of the registry; the file replaces what it gave before.
        mapping_file: how the file is read. None: NAACCR XML by the shipped mapping.
        today: later dates are impossible, where the file does not tell the day it was made.
        allow_fewer: load the file also if it has far fewer records than the registry's last one.

    Returns:
        Counts: records, persons (linked), tumours (usable), followed (usable follow-up), unknown_patient, one count
        for each reason, conflicts by kind. Empty when this very file is what was loaded last.

    Raises:
        UsageError: there is no such file.
        SettingsError: the mapping is wrong.
        DatasetRejected: the file as a whole is not to be trusted; what was loaded before still stands.
        LockHeld: another load is at work.
    """
    if not file.is_file():
        raise UsageError("There is no such file.", next_step="Give the path of a registry's file.")
    mapping, sites = _mapping(mapping_file), load_sites()
    file_sha256 = _sha256(file)
    mapping_sha256 = hashlib.sha256(f"{mapping.model_dump_json()} {sites.model_dump_json()}".encode()).hexdigest()
    opener = open_naaccr if mapping.items else open_csv
    with engine.begin() as connection:
        _lock(connection)
        if _is_current(connection, registry, file_sha256, mapping_sha256):
            log.info("this file is what was loaded last: nothing to do")
            return {}
        load_id = uuid.uuid4()
        with opener(file, mapping) as opened:
            before = _begin(connection, load_id, registry, opened, file_sha256, mapping_sha256, today)
            records = _rows(opened, mapping, sites, registry, load_id, opened.made_on or today)
            written = copy_rows(connection, "registry.record_v1", COLUMNS, records)
        _check_size(written, before, allow_fewer)
        mark_repeated(connection, registry)
        counts = count(connection, registry)
        if (counts.get("mrn_missing", 0) + counts.get("wrong_number_of_cells", 0)) * 2 > written:
            raise refused("More than half of the records have no record number of the hospital's.")
        connection.execute(_KEEP_COUNTS, {"load_id": load_id, "counts": Jsonb(counts)})
        audit.record(connection, action="registry_load", subject=str(load_id), counts=counts)
    log.info("registry load %s: %s", load_id, counts)
    return counts


def _mapping(mapping_file: Path | None) -> RegistryMapping:
    try:
        return load_naaccr_mapping() if mapping_file is None else load_mapping(mapping_file)
    except DeclaredYamlError as error:
        raise SettingsError(f"The mapping is wrong: {error}.", next_step="Correct it; see docs/registry.md.") from None


def _sha256(file: Path) -> str:
    with file.open("rb") as content:
        return hashlib.file_digest(content, "sha256").hexdigest()


def _lock(connection: Connection) -> None:
    if not connection.execute(text("SELECT pg_try_advisory_xact_lock(hashtext(:lock))"), {"lock": LOCK}).scalar_one():
        raise LockHeld(
            "Another registry file is being loaded.", next_step="Wait until it ends, and load this one then."
        )


def _is_current(connection: Connection, registry: str, file_sha256: str, mapping_sha256: str) -> bool:
    current = connection.execute(
        text("SELECT file_sha256, mapping_sha256 FROM registry.load_v1 WHERE registry = :registry AND is_current"),
        {"registry": registry},
    ).one_or_none()
    return current is not None and tuple(current) == (file_sha256, mapping_sha256)


def _begin(
    connection: Connection,
    load_id: uuid.UUID,
    registry: str,
    opened: OpenedFile,
    file_sha256: str,
    mapping_sha256: str,
    today: date,
) -> int:
    """Take away what the registry gave before, record the new load, and return how many records there were."""
    before = connection.execute(
        text("DELETE FROM registry.record_v1 WHERE registry = :registry"), {"registry": registry}
    ).rowcount
    connection.execute(
        text("UPDATE registry.load_v1 SET is_current = false WHERE registry = :registry AND is_current"),
        {"registry": registry},
    )
    connection.execute(
        text(
            "INSERT INTO registry.load_v1 (load_id, registry, file_format, format_version, file_as_of, file_sha256,"
            " mapping_sha256, code_version, is_current) VALUES (:load_id, :registry, :file_format, :version, :as_of,"
            " :file_sha256, :mapping_sha256, :code_version, true)"
        ),
        {
            "load_id": load_id,
            "registry": registry,
            "file_format": opened.file_format,
            "version": opened.version,
            "as_of": opened.made_on or today,
            "file_sha256": file_sha256,
            "mapping_sha256": mapping_sha256,
            "code_version": code_version(),
        },
    )
    return int(before)


def _rows(
    opened: OpenedFile, mapping: RegistryMapping, sites: Sites, registry: str, load_id: uuid.UUID, as_of: date
) -> Iterator[tuple[object, ...]]:
    for number, given in enumerate(opened.records, start=1):
        record = read_record(given.values, mapping, sites, as_of, problem=given.problem)
        yield (registry, number, load_id, *_cells(record))


def _cells(record: Record) -> tuple[object, ...]:
    """The columns after load_id."""
    diagnosed, contact = record.diagnosed, record.last_contact
    return (
        record.mrn,
        record.registry_patient,
        record.tumour_number,
        diagnosed and diagnosed.day,
        diagnosed and diagnosed.precision,
        record.site_code,
        record.site,
        record.histology,
        record.behaviour,
        record.stage_code,
        record.stage,
        record.stage_basis,
        record.summary_stage,
        record.vital_status,
        record.last_contact_on,
        contact and contact.precision,
        record.cause_of_death,
        record.tumour_usable,
        record.follow_up_usable,
        record.reasons,
        Jsonb(record.given),
    )


def _check_size(written: int, before: int, allow_fewer: bool) -> None:
    if written == 0:
        raise refused("The file has no records.")
    if written < FEWEST_OF_BEFORE * before and not allow_fewer:
        raise DatasetRejected(
            f"The file has {written} records, the registry's last one had {before}; a file replaces the last one.",
            next_step="Check that the file is complete. If it is, load it with --allow-fewer.",
        )


_KEEP_COUNTS = text("UPDATE registry.load_v1 SET counts = :counts WHERE load_id = :load_id")
