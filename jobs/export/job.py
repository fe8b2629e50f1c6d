"""`fahr export`: the researchers' views of one cohort as files: the same bytes for the same data."""

from __future__ import annotations

import hashlib
import json
import logging
import shutil
from pathlib import Path

from sqlalchemy import Connection, Engine, text

from jobs import audit
from jobs.access.key import pseudonym_key
from jobs.access.pseudonyms import refresh_pseudonyms, require_key
from jobs.errors import SettingsError, UsageError
from jobs.export.dictionary import export_dictionary
from jobs.export.parquet import write_view
from jobs.export.views import exported_views
from jobs.runs import code_version
from jobs.settings import Settings
from jobs.warehouse.connection import open_warehouse
from jobs.warehouse.synthetic import is_synthetic

log = logging.getLogger("fahr.export")

MANIFEST = "manifest.json"
CHECKSUMS = "SHA256SUMS"
DICTIONARY = "data-dictionary.md"


def export(
    *, settings: Settings, engine: Engine, cohort: str, folder: Path, role: str = "fahr_researcher"
) -> dict[str, int]:
    """Write the researchers' views of a cohort's latest analysis to `folder`, with dictionary, manifest and checksums.

    All files are of one state of the warehouse, and stand whole or not at all. They are read with the rights of `role`,
    so that nothing leaves that a researcher may not see. An earlier export in the folder is replaced.

    Args:
        settings: hold the pseudonym key.
        engine: warehouse, as fahr_loader: makes missing pseudonyms, and writes the audit.
        cohort: a cohort that was granted to `role` and analysed.
        folder: does not exist, is empty, or holds an export.
        role: fahr_researcher, or a role or login that has its rights.

    Returns:
        Counts: persons, files, rows.

    Raises:
        UsageError: the folder holds something else, or nothing was analysed under this name.
        SettingsError: no key is set, the role is no researcher's, or the cohort was not granted to it.
    """
    require_key(settings)
    folder = folder.resolve()
    _refuse_foreign(folder)
    refresh_pseudonyms(settings=settings, engine=engine)
    unfinished = folder.with_name(f"{folder.name}.unfinished")
    shutil.rmtree(unfinished, ignore_errors=True)
    unfinished.mkdir(mode=0o700, parents=True)
    try:
        counts = _written(settings, cohort, role, unfinished)
        with engine.begin() as connection:
            # Told before anything stands where others may fetch it.
            audit.record(connection, action="role_use", subject=f"export as {role}")
            audit.record(
                connection, action="export", subject=f"{cohort} {_sha256(unfinished / MANIFEST)}", counts=counts
            )
        shutil.rmtree(folder, ignore_errors=True)
        unfinished.rename(folder)
    finally:
        shutil.rmtree(unfinished, ignore_errors=True)
    log.info("export of %s: %s", cohort, counts)
    return counts


def _refuse_foreign(folder: Path) -> None:
    """An export may be replaced, and nothing else."""
    if not folder.exists() or (folder.is_dir() and not any(folder.iterdir())):
        return
    ours = folder.is_dir() and (folder / MANIFEST).is_file() and (folder / CHECKSUMS).is_file()
    listed = (folder / CHECKSUMS).read_text(encoding="utf-8").splitlines() if ours else []
    known = {CHECKSUMS, *(line.partition("  ")[2] for line in listed)}
    if not ours or {path.name for path in folder.iterdir()} - known:
        raise UsageError(
            "The folder of --to holds something that is no export.",
            next_step="Name a new folder, or an earlier export.",
        )


def _written(settings: Settings, cohort: str, role: str, folder: Path) -> dict[str, int]:
    """Write all files into the empty `folder`."""
    reader = open_warehouse(settings, role=role)
    try:
        with reader.connect().execution_options(isolation_level="REPEATABLE READ") as connection:
            connection.execute(text("SET TRANSACTION READ ONLY"))
            analysis_id = _refuse_unreadable(connection, cohort, role)
            views = exported_views(connection)
            rows = {view.file: write_view(connection, view, cohort, folder) for view in views}
            models = _models(connection, cohort)
            persons = connection.execute(_PERSONS, {"cohort": cohort}).scalar_one()
            synthetic = _why_synthetic(connection, models)
            small_cell = connection.execute(text("SELECT small_cell FROM fahr.schema_state_v1")).scalar_one()
    finally:
        reader.dispose()
    (folder / DICTIONARY).write_text(export_dictionary(cohort, views, rows, synthetic), encoding="utf-8")
    key = pseudonym_key(settings)
    assert key is not None
    manifest = {
        "cohort": cohort,
        "analysis_id": analysis_id,
        "code_version": code_version(),
        "is_synthetic": bool(synthetic),
        "why_synthetic": synthetic,
        "models": models,
        "pseudonyms": {"made_by": "HMAC-SHA-256, 128 bits", "key_id": key.key_id},
        "dates_shifted_by_at_most_days": key.span_days,
        "small_cell": small_cell,
        "files": [_described(path, rows.get(path.name)) for path in sorted(folder.iterdir())],
    }
    (folder / MANIFEST).write_text(json.dumps(manifest, indent=2) + "\n", encoding="utf-8")
    sums = [f"{_sha256(path)}  {path.name}\n" for path in sorted(folder.iterdir())]
    (folder / CHECKSUMS).write_text("".join(sums), encoding="utf-8")
    return {"persons": persons, "files": len(sums) + 1, "rows": sum(rows.values())}


_PERSONS = text("SELECT count(DISTINCT pseudonym) FROM fahr.researcher_member WHERE cohort = :cohort")


def _refuse_unreadable(connection: Connection, cohort: str, role: str) -> str:
    """The latest analysis of the cohort."""
    if not connection.execute(text("SELECT pg_has_role(current_user, 'fahr_researcher', 'USAGE')")).scalar_one():
        raise SettingsError(
            f"{role} has not the rights of fahr_researcher.", next_step=f"GRANT fahr_researcher TO {role}."
        )
    analysis_id = connection.execute(
        text("SELECT analysis_id FROM fahr.latest_analysis WHERE cohort = :cohort"), {"cohort": cohort}
    ).scalar()
    if analysis_id is None:
        raise UsageError("No analysis of this cohort is in the warehouse.", next_step="Run `fahr risk --cohort` first.")
    granted = text("SELECT 1 FROM fahr.granted_cohort WHERE cohort = :cohort")
    if connection.execute(granted, {"cohort": cohort}).first() is None:
        raise SettingsError(
            f"The persons of this cohort were not granted to {role}.",
            next_step=f"As the owner of the warehouse: fahr access grant {role} {cohort}.",
        )
    return str(analysis_id)


def _models(connection: Connection, cohort: str) -> list[dict[str, object]]:
    """The releases whose scores the cohort's analysis read."""
    found = connection.execute(
        text("""
            SELECT DISTINCT
                version.model_id, version.preprocessing_id, version.weights_sha256, version.trained_on_synthetic
            FROM fahr.model_version AS version
            JOIN fahr.researcher_risk_model AS risk USING (model_id)
            WHERE risk.cohort = :cohort AND risk.is_latest
            ORDER BY model_id, preprocessing_id
        """),
        {"cohort": cohort},
    )
    return [dict(row._mapping) for row in found]


def _why_synthetic(connection: Connection, models: list[dict[str, object]]) -> list[str]:
    """Sentences that say why the numbers are about nobody; none where they are about people."""
    reasons = []
    if is_synthetic(connection):
        reasons.append("The patients are those of the demo hospital: made up.")
    if any(model["trained_on_synthetic"] for model in models):
        reasons.append("The scores are of a network that was trained on drawn faces.")
    return reasons


def _described(path: Path, rows: int | None) -> dict[str, object]:
    described: dict[str, object] = {"name": path.name, "bytes": path.stat().st_size, "sha256": _sha256(path)}
    return described if rows is None else {**described, "rows": rows}


def _sha256(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()
