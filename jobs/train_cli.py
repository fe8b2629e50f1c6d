"""`fahr train mae | age | survival`: options to choices, and nothing else."""

from __future__ import annotations

from collections.abc import Callable
from datetime import date
from typing import Annotated, Any

import typer

from jobs.command_options import NightOption, say
from jobs.training import cli as data_set_cli

app = typer.Typer(
    no_args_is_help=True,
    help="Train a network on a data set. What is trained scores nothing until `fahr weights promote`.",
)
app.add_typer(data_set_cli.app)

CURRENT = "current"
"""Instead of a release's name: the one that scores now."""

NameOption = Annotated[str, typer.Option("--name", help="Name of the release to make; new, one word.")]
DataSetOption = Annotated[
    str | None,
    typer.Option(
        "--dataset", help="Id or name of a data set (`fahr train data-set`). Default: the warehouse's, up to --date."
    ),
]
StartOption = Annotated[
    str | None,
    typer.Option(
        "--start-from",
        help="Release whose encoder to start from, or `current`; its other networks are taken over.",
    ),
]
SizeOption = Annotated[str, typer.Option("--size", help="nano, tiny, base or large. --start-from decides where given.")]
QuickOption = Annotated[bool, typer.Option("--quick", help="As small as it gets: to see the command work.")]
EpochsOption = Annotated[int | None, typer.Option("--epochs", min=1)]
BatchOption = Annotated[int, typer.Option("--batch", min=2, help="Faces in a batch.")]
AccumulateOption = Annotated[int, typer.Option("--accumulate", min=1, help="Batches whose gradients make one step.")]
RateOption = Annotated[float | None, typer.Option("--rate", help="Peak learning rate. Default: as published, by size.")]
PrecisionOption = Annotated[str, typer.Option("--precision", help="float32 or bfloat16.")]
SeedOption = Annotated[int, typer.Option("--seed")]


@app.command()
def mae(
    night: NightOption,
    name: NameOption,
    data_set: DataSetOption = None,
    size: SizeOption = "base",
    quick: QuickOption = False,
    epochs: EpochsOption = None,
    batch: BatchOption = 128,
    accumulate: AccumulateOption = 1,
    rate: RateOption = None,
    precision: PrecisionOption = "float32",
    seed: SeedOption = 0,
    processes: Annotated[int, typer.Option("--processes", min=1, help="Processes that train together.")] = 1,
) -> None:
    """Pre-train a FAHR-Face encoder: a masked autoencoder on faces without labels."""
    from jobs.train import train_mae

    _train(
        train_mae, night, data_set, None, name, with_spark=True, size=size, quick=quick, epochs=epochs, batch=batch,
        accumulate=accumulate, peak_rate=rate, precision=precision, seed=seed, processes=processes,
    )  # fmt: skip


@app.command()
def age(
    night: NightOption,
    name: NameOption,
    data_set: DataSetOption = None,
    start_from: StartOption = None,
    size: SizeOption = "base",
    quick: QuickOption = False,
    epochs: EpochsOption = None,
    balanced_epochs: Annotated[int | None, typer.Option("--balanced-epochs", min=0, help="Of stage 2.")] = None,
    batch: BatchOption = 128,
    accumulate: AccumulateOption = 1,
    rate: RateOption = None,
    precision: PrecisionOption = "float32",
    seed: SeedOption = 0,
    loss: Annotated[str, typer.Option("--loss", help="l1, smooth_l1 or mse.")] = "smooth_l1",
    balance: Annotated[str, typer.Option("--balance", help="Stage 2: weight, sample or none.")] = "weight",
    keep: Annotated[str, typer.Option("--keep", help="Which epoch: mae, prognosis or last.")] = "mae",
) -> None:
    """Fine-tune FaceAge in two stages, the second balanced over age."""
    from jobs.train import train_age

    _train(
        train_age, night, data_set, start_from, name, size=size, quick=quick, epochs=epochs,
        balanced_epochs=balanced_epochs, batch=batch, accumulate=accumulate, peak_rate=rate, precision=precision,
        seed=seed, loss=loss, balance=balance, keep=keep,
    )  # fmt: skip


@app.command()
def survival(
    night: NightOption,
    name: NameOption,
    data_set: DataSetOption = None,
    start_from: StartOption = None,
    size: SizeOption = "base",
    quick: QuickOption = False,
    epochs: EpochsOption = None,
    batch: BatchOption = 128,
    accumulate: AccumulateOption = 1,
    rate: RateOption = None,
    precision: PrecisionOption = "float32",
    seed: SeedOption = 0,
    ranking_share: Annotated[
        float, typer.Option("--ranking-share", min=0, max=1, help="Share of the ranking loss; the rest is Cox's.")
    ] = 0.5,
) -> None:
    """Fine-tune FaceSurvival on follow-up, and cross-fit it over the folds of the data set."""
    from jobs.train import train_survival

    _train(
        train_survival, night, data_set, start_from, name, size=size, quick=quick, epochs=epochs, batch=batch,
        accumulate=accumulate, peak_rate=rate, precision=precision, seed=seed, ranking_share=ranking_share,
    )  # fmt: skip


def _train(
    job: Callable[..., Any],
    night: date,
    data_set: str | None,
    start_from: str | None,
    name: str,
    *,
    with_spark: bool = False,
    **choices: Any,
) -> None:
    from jobs.releases import current_release, locate_release
    from jobs.settings import load_settings
    from jobs.spark import LazySpark
    from jobs.train_recipes import TrainingChoices
    from jobs.training.data_set import build_data_set
    from jobs.training.find import find_data_set
    from jobs.warehouse.connection import open_warehouse

    settings = load_settings()
    engine = open_warehouse(settings)
    chosen = TrainingChoices.checked(**choices)
    with LazySpark(settings, "train") as spark:
        if data_set is None:
            faces = build_data_set(settings=settings, engine=engine, spark=spark, night=night)
        else:
            faces = find_data_set(settings, engine, data_set)
        further: dict[str, Any] = {"spark": spark} if with_spark else {}
        if not with_spark and start_from is not None:
            current = start_from == CURRENT
            further["start_from"] = (
                current_release(settings, engine) if current else locate_release(settings, start_from)
            )
        trained = job(
            settings=settings, engine=engine, night=night, data_set=faces, name=name, choices=chosen, **further
        )
    say(f"train {name}", trained.counts)
    say("on people it never saw", trained.release.metrics)
    typer.echo(f"It scores nothing until you promote it: fahr weights promote {name}")
