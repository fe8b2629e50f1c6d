"""`fahr evaluate age | survival | robustness | saliency`: options to calls, and nothing else."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import date
from pathlib import Path
from typing import TYPE_CHECKING

import typer

from jobs.command_options import NightOption
from jobs.errors import UsageError
from jobs.evaluation import photo_commands
from jobs.evaluation.options import (
    CohortOption,
    DataSetOption,
    DrawnOption,
    FolderOption,
    LabelsOption,
    ModelOption,
    PhotosEachOption,
    QuickOption,
    ResamplesOption,
    SyntheticOption,
)
from jobs.settings import load_settings

if TYPE_CHECKING:
    from sqlalchemy import Engine

    from jobs.evaluation.findings import EvaluatedModel, Evaluation
    from jobs.evaluation.scored import ScoredFaces
    from jobs.settings import Settings

app = typer.Typer(
    no_args_is_help=True,
    help="Evaluate a model on photos it was not trained on; writes fahr.evaluation, a CSV file and a page."
    " Research use only, not for clinical use.",
)

QUICK_RESAMPLES = 50
QUICK_DRAWN = 60


@app.command()
def age(
    night: NightOption,
    model: ModelOption = None,
    cohort: CohortOption = "cancer_photo",
    folder: FolderOption = None,
    labels: LabelsOption = None,
    synthetic: SyntheticOption = False,
    data_set: DataSetOption = None,
    drawn: DrawnOption = None,
    photos_each: PhotosEachOption = 3,
    resamples: ResamplesOption = 1000,
    quick: QuickOption = False,
) -> None:
    """FaceAge against age: error, calibration, agreement of photos of one session, and prognosis beside them."""
    from jobs.evaluation.age import evaluate_age

    asked = Asked(model, cohort, folder, labels, synthetic, data_set, drawn, photos_each, quick)
    _evaluate(evaluate_age, night, asked, resamples)


@app.command()
def survival(
    night: NightOption,
    model: ModelOption = None,
    cohort: CohortOption = "cancer_photo",
    folder: FolderOption = None,
    labels: LabelsOption = None,
    synthetic: SyntheticOption = False,
    data_set: DataSetOption = None,
    drawn: DrawnOption = None,
    photos_each: PhotosEachOption = 3,
    resamples: ResamplesOption = 1000,
    quick: QuickOption = False,
) -> None:
    """FaceSurvival and FaceAge against survival: discrimination, quarters, subgroups, nested Cox models."""
    from jobs.evaluation.survival import evaluate_survival

    asked = Asked(model, cohort, folder, labels, synthetic, data_set, drawn, photos_each, quick)
    _evaluate(evaluate_survival, night, asked, resamples)


photo_commands.register(app)


@dataclass(frozen=True)
class Asked:
    """Which model, on which faces: the warehouse's, unless a folder or drawn people are named."""

    model: str | None
    cohort: str
    folder: Path | None
    labels: Path | None
    synthetic: bool
    data_set: str | None
    drawn: int | None
    photos_each: int
    quick: bool

    def __post_init__(self) -> None:
        """Raises UsageError where the options contradict each other."""
        if sum(named is not None for named in (self.folder, self.data_set, self.drawn)) > 1:
            raise UsageError(
                "--folder, --dataset and --drawn are evaluations of their own.", next_step="Give one of them."
            )
        if (self.folder is None) != (self.labels is None):
            raise UsageError("--folder and --labels belong together.", next_step="Give both, or neither.")


def _evaluate(evaluate: Callable[..., Evaluation], night: date, asked: Asked, resamples: int) -> None:
    """Get scores and labels from where the options say, evaluate, and publish."""
    from jobs.warehouse.connection import open_warehouse
    from model.survival.bootstrap import Resampling

    settings = load_settings()
    resampling = Resampling(min(resamples, QUICK_RESAMPLES) if asked.quick else resamples)
    engine = open_warehouse(settings)
    try:
        faces = _faces(settings, engine, night, asked)
        publish(settings, engine, faces.model, evaluate(faces, resampling=resampling), night)
    finally:
        engine.dispose()


def _faces(settings: Settings, engine: Engine, night: date, asked: Asked) -> ScoredFaces:
    from jobs.evaluation.scored import QUICK_PEOPLE

    most_people = QUICK_PEOPLE if asked.quick else None
    if asked.folder is None and asked.drawn is None and asked.data_set is None:
        from jobs.evaluation.warehouse_scores import read_warehouse_scores

        return read_warehouse_scores(
            engine, night=night, model_id=asked.model, cohort=asked.cohort, most_people=most_people
        )
    from jobs.releases import current_release, locate_release

    release = current_release(settings, engine) if asked.model is None else locate_release(settings, asked.model)
    if asked.drawn is not None:
        from jobs.evaluation.drawn_scores import score_drawn

        count = min(asked.drawn, QUICK_DRAWN) if asked.quick else asked.drawn
        return score_drawn(count, asked.photos_each, settings=settings, release=release)
    if asked.data_set is not None:
        from jobs.evaluation.data_set_scores import score_test_split
        from jobs.training.find import find_data_set

        chosen = find_data_set(settings, engine, asked.data_set)
        return score_test_split(chosen, release=release, most_people=most_people)
    from jobs.evaluation.folder_scores import score_folder
    from jobs.spark import LazySpark

    assert asked.folder is not None and asked.labels is not None  # checked when the options were
    with LazySpark(settings, "evaluate", scores=True) as spark:
        return score_folder(
            asked.folder,
            asked.labels,
            settings=settings,
            engine=engine,
            spark=spark,
            release=release,
            is_synthetic=asked.synthetic,
            most_people=most_people,
        )


def publish(settings: Settings, engine: Engine, model: EvaluatedModel, evaluation: Evaluation, night: date) -> None:
    """Publish an evaluation and say where it went."""
    from jobs.evaluation.publish import publish_evaluation

    published = publish_evaluation(settings=settings, engine=engine, release=model, evaluation=evaluation, night=night)
    numbers = sum(finding.estimate is not None for finding in evaluation.findings)
    typer.echo(
        f"evaluate {evaluation.kind}: {evaluation.photos} photos, {evaluation.people} people, {numbers} numbers"
        f"{'' if published.changed else ' (as before)'}"
    )
    typer.echo(f"page: {_shown(published.page)}")
    typer.echo(f"csv: {_shown(published.csv)}")


def _shown(path: Path) -> str:
    """A path of our own making as a person would type it from here."""
    return str(path.relative_to(Path.cwd())) if path.is_relative_to(Path.cwd()) else str(path)
