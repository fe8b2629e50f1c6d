"""`fahr evaluate robustness` and `fahr evaluate saliency`: the evaluations that look at photographs themselves."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable
from dataclasses import dataclass
from datetime import date
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from jobs.command_options import NightOption
from jobs.evaluation.options import DrawnOption, ModelOption, QuickOption, SyntheticOption
from jobs.settings import load_settings

if TYPE_CHECKING:
    from jobs.evaluation.findings import Evaluation

PhotosOption = Annotated[
    Path | None,
    typer.Option(
        "--folder",
        metavar="DIR",
        help="Photos below a folder: a file is a person, a folder a person's photos of one day.",
    ),
]

WarehouseOption = Annotated[
    bool, typer.Option("--warehouse", help="Landed photos of people the model was not trained on.")
]


def register(app: typer.Typer) -> None:
    """Add both commands to the sub-app `evaluate`."""
    app.command("robustness")(robustness)
    app.command("saliency")(saliency)


def robustness(
    night: NightOption,
    model: ModelOption = None,
    drawn: DrawnOption = None,
    folder: PhotosOption = None,
    warehouse: WarehouseOption = False,
    synthetic: SyntheticOption = False,
    quick: QuickOption = False,
) -> None:
    """How far make-up, pose, light, surgery, compression and masks move the scores.

    By default on drawn people for a release that ships, else on the warehouse's photos.
    """
    from jobs.evaluation.robustness import PEOPLE, QUICK_PEOPLE, evaluate_robustness

    asked = Asked(drawn, folder, warehouse, synthetic, most_people=QUICK_PEOPLE if quick else PEOPLE)
    _evaluate(evaluate_robustness, night, model, asked, quick)


def saliency(
    night: NightOption,
    model: ModelOption = None,
    drawn: DrawnOption = None,
    folder: PhotosOption = None,
    warehouse: WarehouseOption = False,
    synthetic: SyntheticOption = False,
    quick: QuickOption = False,
) -> None:
    """Where each network looks: by two methods, by region, against shuffled weights and drawn signs.

    By default on drawn people for a release that ships, else on the warehouse's photos.
    """
    from jobs.evaluation.saliency import PEOPLE, QUICK_PEOPLE, evaluate_saliency

    asked = Asked(drawn, folder, warehouse, synthetic, most_people=QUICK_PEOPLE if quick else PEOPLE)
    _evaluate(evaluate_saliency, night, model, asked, quick)


@dataclass(frozen=True)
class Asked:
    """Whose photographs are to be looked at."""

    drawn: int | None
    folder: Path | None
    warehouse: bool
    synthetic: bool
    most_people: int


def _evaluate(evaluate: Callable[..., Evaluation], night: date, model: str | None, asked: Asked, quick: bool) -> None:
    """Find release and people, evaluate, and publish."""
    from jobs.evaluation.cli import publish
    from jobs.evaluation.subjects import chosen_people, device_of
    from jobs.releases import current_release, locate_release
    from jobs.warehouse.connection import open_warehouse

    settings = load_settings()
    engine = open_warehouse(settings)
    try:
        release = current_release(settings, engine) if model is None else locate_release(settings, model)
        people = chosen_people(
            settings=settings, engine=engine, night=night, release=release, **dataclasses.asdict(asked)
        )
        evaluation = evaluate(release=release, people=people, device=device_of(settings), quick=quick)
        publish(settings, engine, release, evaluation, night)
    finally:
        engine.dispose()
