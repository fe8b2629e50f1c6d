"""`fahr train data-set`: photos with labels into a data set that training reads."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from jobs.command_options import NightOption
from jobs.errors import UsageError

app = typer.Typer()
"""Its command becomes one of the group it is added to: `train.add_typer(app)`, without a name."""


@app.command("data-set")
def data_set(
    night: NightOption,
    folder: Annotated[Path | None, typer.Option(help="A folder of photos, instead of the warehouse.")] = None,
    labels: Annotated[Path | None, typer.Option(help="Its label file: a CSV of path, age, sex, subject.")] = None,
    synthetic: Annotated[bool, typer.Option("--synthetic", help="The folder's photos are drawn or made up.")] = False,
    name: Annotated[str | None, typer.Option(help="What to call it; no part of its id.")] = None,
    seed: Annotated[int | None, typer.Option(help="Seed that deals people to splits and folds.")] = None,
    folds: Annotated[int | None, typer.Option(min=2, max=100, help="Folds for cross-fitting. Default: 5.")] = None,
) -> None:
    """Build a data set of aligned faces with labels, split by person; print its id and counts."""
    from jobs.settings import load_settings
    from jobs.spark import LazySpark
    from jobs.training.data_set import build_data_set, counts
    from jobs.training.splits import SplitRecipe
    from jobs.warehouse.connection import open_warehouse

    if (folder is None) != (labels is None):
        raise UsageError("--folder and --labels go together.", next_step="Give both, or neither for the warehouse.")
    if synthetic and folder is None:
        raise UsageError("--synthetic is said of a folder.", next_step="Leave it out: of a warehouse it is known.")
    chosen = {key: value for key, value in (("seed", seed), ("folds", folds)) if value is not None}
    settings = load_settings()
    engine = open_warehouse(settings)
    with LazySpark(settings, "dataset") as spark:
        built = build_data_set(
            settings=settings,
            engine=engine,
            spark=spark,
            night=night,
            name=name,
            recipe=SplitRecipe(**chosen),
            folder=folder,
            labels=labels,
            synthetic=synthetic,
        )
    told = ", ".join(f"{key} {count}" for key, count in counts(built).items())
    made_up = " (synthetic)" if built.description["is_synthetic"] else ""
    typer.echo(f"data set {built.data_set_id}{made_up}: {told}")
