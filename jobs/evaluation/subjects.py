"""Which people and photographs robustness and saliency are evaluated on: drawn, the warehouse's, or a folder's."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from datetime import date
from pathlib import Path

import torch
from sqlalchemy import Engine

from jobs.errors import UsageError
from jobs.evaluation.photographs import Photographs, folder_photographs, warehouse_photographs
from jobs.settings import Settings
from model.drawing import FaceLatents
from model.release import SHIPPED_RELEASES, ModelRelease
from model.training.crops import DRAWING_FINGERPRINT
from model.training.people import UNSEEN_SEEDS, simulate_people

SEED = 20261124


@dataclass(frozen=True)
class DrawnPeople:
    """People who exist in drawings only, and whom no training and no manifest's metric ever used."""

    latents: tuple[FaceLatents, ...]
    is_synthetic: bool = True

    @property
    def count(self) -> int:
        """People."""
        return len(self.latents)

    @property
    def data(self) -> str:
        """In words."""
        return f"Drawn faces of {len(self.latents)} people (no real person), ages as in a clinic."

    @property
    def sha256(self) -> str:
        """Fingerprint of the people and of the code that draws them."""
        return hashlib.sha256(f"{DRAWING_FINGERPRINT} {SEED} {self.latents!r}".encode()).hexdigest()


def chosen_people(
    *,
    settings: Settings,
    engine: Engine,
    night: date,
    release: ModelRelease,
    drawn: int | None,
    folder: Path | None,
    warehouse: bool,
    synthetic: bool,
    most_people: int,
) -> DrawnPeople | Photographs:
    """What the options ask for. By default drawn people for a release that ships, else the warehouse's.

    Args:
        drawn: so many drawn people.
        folder: photographs below this folder.
        warehouse: accepted photographs of the landing zone.
        synthetic: the folder's photographs are drawn.
        most_people: at most so many; and as many drawn ones, where no number is given.

    Raises:
        UsageError: more than one source was asked for.
        NothingToEvaluate: there is no photograph to look at.
    """
    if (drawn is not None) + (folder is not None) + warehouse > 1:
        raise UsageError("Only one of --drawn, --folder and --warehouse can be evaluated.", next_step="Leave one.")
    if folder is not None:
        return folder_photographs(
            folder, is_synthetic=synthetic, most_people=most_people, limit_bytes=settings.max_photo_bytes
        )
    ships = release.folder.resolve().parent == SHIPPED_RELEASES.resolve()
    if warehouse or (drawn is None and not ships):
        return warehouse_photographs(
            engine, landing=settings.landing, night=night, release=release, most_people=most_people
        )
    return DrawnPeople(simulate_people(drawn or most_people, UNSEEN_SEEDS, SEED, ages="clinic").latents)


def device_of(settings: Settings) -> str:
    """Where torch works outside Spark: `cuda` where there is a GPU and the settings do not say `cpu`."""
    return "cuda" if settings.score_device != "cpu" and torch.cuda.is_available() else "cpu"
