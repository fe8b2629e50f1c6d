"""Which demo hospital stands in a warehouse and in a folder: so that one is built once, and never over another."""

from __future__ import annotations

import json
from pathlib import Path

from sqlalchemy import Engine, text

from jobs.demo.photographs import SYNTHETIC_NOTICE
from jobs.errors import UsageError
from jobs.settings import Settings

Identity = dict[str, int]
"""seed, patients, version: what decides every byte of a demo hospital."""

NOTICE_FILE = "SYNTHETIC.txt"

_START_AFRESH = "Set FAHR_HOME (and FAHR_WAREHOUSE_URL, where set) to a new place, or remove the old."


def demo_folder(settings: Settings) -> Path:
    """The folder of the demo hospital's photographs.

    Raises:
        UsageError: the settings name another photo share or DICOM folder; the demo writes into none but its own.
    """
    folder = settings.home.resolve() / "hospital"
    for name, root, own in (
        ("FAHR_PHOTO_ROOT", settings.photo_root, folder / "photos"),
        ("FAHR_DICOM_ROOT", settings.dicom_root, folder / "dicom"),
    ):
        if root is not None and root.resolve() != own:
            raise UsageError(
                f"{name} is set: the demo hospital has folders of its own.", next_step=f"Unset {name} for the demo."
            )
    return folder


def standing_counts(engine: Engine, identity: Identity) -> dict[str, int] | None:
    """What was counted when this hospital was built in the warehouse; None where no hospital stands at all.

    Raises:
        UsageError: another demo hospital stands there, or a hospital that is no demo.
    """
    with engine.connect() as connection:
        if connection.execute(text("SELECT to_regclass('demo.hospital')")).scalar() is not None:
            standing = connection.execute(text("SELECT seed, patients, version, counts FROM demo.hospital")).one()
            if standing[:3] != tuple(identity.values()):
                raise UsageError(
                    f"Another demo hospital stands here: {standing.patients} patients, seed {standing.seed}.",
                    next_step=_START_AFRESH,
                )
            return dict(standing.counts)
        has_records = connection.execute(text("SELECT to_regclass('cdm.person')")).scalar() is not None
        if has_records or connection.execute(text("SELECT EXISTS (SELECT FROM hospital.photo_manifest)")).scalar():
            raise UsageError(
                "This warehouse holds a hospital already, and it is no demo: nothing was written.",
                next_step="Point FAHR_WAREHOUSE_URL to another database, or unset it to use the embedded one.",
            )
    return None


def is_claimed(folder: Path, identity: Identity) -> bool:
    """Whether the folder holds, or is being given, the photographs of this hospital."""
    notice = folder / NOTICE_FILE
    return notice.is_file() and notice.read_text() == _notice(identity)


def claim(folder: Path, identity: Identity) -> None:
    """Say in the folder whose photographs it is about to hold.

    Raises:
        UsageError: it holds anything else.
    """
    if is_claimed(folder, identity):
        return
    if folder.exists() and any(folder.iterdir()):
        raise UsageError(
            "The folder hospital under FAHR_HOME holds photographs that are not this demo's.", next_step=_START_AFRESH
        )
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    (folder / NOTICE_FILE).write_text(_notice(identity))


def _notice(identity: Identity) -> str:
    return f"{SYNTHETIC_NOTICE}\n{json.dumps(identity)}\n"
