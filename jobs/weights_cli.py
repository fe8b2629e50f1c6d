"""`fahr weights …`: list, show, import, promote."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from contextlib import contextmanager
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from jobs.settings import Settings, load_settings

if TYPE_CHECKING:
    from rich.console import Console
    from sqlalchemy import Engine

    from jobs.weights import ListedRelease

app = typer.Typer(
    no_args_is_help=True, help="Model releases: list, show, import weights from elsewhere, promote one to score."
)

HEADINGS = ("Model", "Networks", "Trained on", "SHA-256", "From", "State")


class NetworkKind(StrEnum):
    """What a network is."""

    age = "age"
    survival = "survival"
    face = "face"


def _channels(value: str) -> tuple[float, float, float]:
    try:
        red, green, blue = (float(number) for number in value.split(","))
    except ValueError:
        raise typer.BadParameter("three numbers, for red, green and blue: 0.485,0.456,0.406") from None
    return red, green, blue


@app.command("list")
def list_() -> None:
    """List the releases that ship and those of this hospital, and say which one scores."""
    from jobs.weights import list_releases

    with _warehouse() as (settings, engine):
        show_list(list_releases(settings, engine), _terminal())


@app.command()
def show(model: Annotated[str, typer.Argument(help="Name of a release, or the path of its folder.")]) -> None:
    """Show what a release says of itself and what happened to it here; compares its files with their SHA-256."""
    from jobs.weights import show_release

    with _warehouse() as (settings, engine):
        facts = show_release(settings, engine, model)
    width = max(len(heading) for heading, _ in facts)
    for heading, fact in facts:
        typer.echo(f"{heading:{width}}  {fact}")


@app.command("import")
def import_(
    file: Annotated[Path, typer.Argument(help="A checkpoint (.pth, .pt, .bin) or .safetensors file.")],
    name: Annotated[str, typer.Option(help="Name of the new release.")],
    kind: Annotated[NetworkKind, typer.Option(help="What the network is; face is an encoder without a head.")],
    training_data: Annotated[str, typer.Option(help="What it was trained on, in words.")],
    licence: Annotated[str, typer.Option(help="Licence of the weights.")],
    intended_use: Annotated[str, typer.Option(help="What it may be used for.")],
    synthetic: Annotated[bool, typer.Option("--synthetic/--real", help="Whether it was trained on synthetic faces.")],
    add_to: Annotated[str | None, typer.Option(help="A release whose networks the new one holds too.")] = None,
    sha256: Annotated[str | None, typer.Option(help="SHA-256 of the file, where its publisher tells it.")] = None,
    heads: Annotated[int | None, typer.Option(min=1, help="Attention heads. Default: width / 64.")] = None,
    output_mean: Annotated[float, typer.Option(help="Mean of the training ages, if they were standardised.")] = 0.0,
    output_sd: Annotated[float, typer.Option(help="Their standard deviation.")] = 1.0,
    layer_norm_eps: Annotated[
        float | None, typer.Option(help="Default: 1e-12 for Hugging Face's names, 1e-6 for MAE's and timm's.")
    ] = None,
    pixel_mean: Annotated[
        str, typer.Option(help="Red, green, blue subtracted from pixels of 0 to 1 in its training.")
    ] = "0.5,0.5,0.5",
    pixel_sd: Annotated[str, typer.Option(help="Red, green, blue they were divided by.")] = "0.5,0.5,0.5",
    resize_positions: Annotated[
        bool, typer.Option("--resize-positions", help="Interpolate position embeddings of another image size.")
    ] = False,
) -> None:
    """Make a release of a checkpoint file: published FAHR-Face, Hugging Face, MAE or timm. It scores nothing yet."""
    from jobs.weights_import import Description, import_weights
    from model.weights_import.wish import Wish

    wish = Wish(
        kind=kind.value,
        heads=heads,
        layer_norm_eps=layer_norm_eps,
        output_mean=output_mean,
        output_sd=output_sd,
        pixel_mean=_channels(pixel_mean),
        pixel_sd=_channels(pixel_sd),
        resize_positions=resize_positions,
    )
    release = import_weights(
        load_settings(),
        file=file,
        name=name,
        wish=wish,
        description=Description(training_data, licence, intended_use, synthetic),
        add_to=add_to,
        expected_sha256=sha256,
    )
    typer.echo(f"{release.model_id}: {', '.join(sorted(release.networks))}; weights {release.weights_sha256}")
    for note in release.networks[wish.kind].source.notes:
        typer.echo(f"note: {note}")
    typer.echo("It scores nothing yet: see `fahr weights show`, then `fahr weights promote`.")


@app.command()
def promote(
    model: Annotated[str, typer.Argument(help="Name of a release.")],
    reason: Annotated[str | None, typer.Option(help="Why, for the record.")] = None,
) -> None:
    """Let a release score from the next night on. To withdraw it, promote the earlier one again."""
    from jobs.weights import promote as job

    with _warehouse() as (settings, engine):
        release = job(settings, engine, model=model, reason=reason)
    if release is None:
        typer.echo(f"{model} is the promoted release already.")
        return
    typer.echo(f"{release.model_id} is promoted: the next night scores with it. Scores of other releases stay.")
    if release.trained_on_synthetic:
        typer.echo("It was trained on synthetic faces: its scores of real people mean nothing.")
    if settings.model is not None:
        typer.echo("FAHR_MODEL is set here: where a night has it, it decides and not the promotion.")


def show_list(releases: list[ListedRelease], console: Console) -> None:
    """A table at a terminal; lines with tabs elsewhere."""
    rows = [
        (
            one.name,
            ", ".join(one.networks),
            {True: "synthetic faces", False: "real faces", None: ""}[one.trained_on_synthetic],
            (one.weights_sha256 or "")[:12],
            one.place,
            one.state,
        )
        for one in releases
    ]
    if not console.is_terminal:
        for row in (HEADINGS, *rows):
            typer.echo("\t".join(row))
        return
    from rich.markup import escape
    from rich.table import Table

    table = Table(title="Model releases")
    for heading in HEADINGS:
        table.add_column(heading, overflow="fold")
    for row in rows:
        scores = row[-1].startswith("scores")
        table.add_row(*map(escape, row), style="bold" if scores else "")
    console.print(table)


def _terminal() -> Console:
    from rich.console import Console

    return Console(file=sys.stdout)


@contextmanager
def _warehouse() -> Iterator[tuple[Settings, Engine]]:
    from jobs.warehouse.connection import open_warehouse

    settings = load_settings()
    engine = open_warehouse(settings)
    try:
        yield settings, engine
    finally:
        engine.dispose()
