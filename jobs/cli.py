"""The `fahr` command: it parses, calls one job, and maps errors to the documented exit codes."""

from __future__ import annotations

import logging
import sys
import traceback
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import date
from enum import StrEnum
from pathlib import Path
from typing import Annotated, Any

import typer

from jobs import train_cli, weights_cli
from jobs.access import cli as access_cli
from jobs.command_options import NightOption, say
from jobs.errors import FahrError, place_of
from jobs.evaluation import cli as evaluate_cli
from jobs.export import cli as export_cli
from jobs.log import configure_logging
from jobs.omop import cli as omop_cli
from jobs.registry import cli as registry_cli
from jobs.settings import Settings, load_settings

log = logging.getLogger("fahr")

app = typer.Typer(
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    add_completion=False,
    help="Nightly facial-biomarker scoring for a hospital's data warehouse. Research use only, not for clinical use.",
)
warehouse = typer.Typer(no_args_is_help=True, help="The warehouse: start, stop, url, migrate.")
app.add_typer(warehouse, name="warehouse")
app.add_typer(train_cli.app, name="train")
app.add_typer(weights_cli.app, name="weights")
app.add_typer(evaluate_cli.app, name="evaluate")
app.add_typer(registry_cli.app, name="registry")
app.add_typer(omop_cli.app, name="omop")
app.add_typer(access_cli.app, name="access")
app.command()(export_cli.export)


class TableFormat(StrEnum):
    """What the risk tables can be written as besides the warehouse and the page."""

    csv = "csv"
    latex = "latex"
    docx = "docx"


def _spark_stage(stage: Callable[..., dict[str, int]], name: str, night: date) -> None:
    """Run one stage that may need Spark."""
    from jobs.spark import LazySpark

    with _opened() as (settings, engine), LazySpark(settings, name, scores=name == "score") as spark:
        say(name, stage(settings=settings, engine=engine, spark=spark, night=night))


@app.command()
def pull(night: NightOption) -> None:
    """Land photos that are new or changed up to a night."""
    from jobs.pull import pull as stage

    _spark_stage(stage, "pull", night)


@app.command()
def validate(night: NightOption) -> None:
    """Accept or quarantine landed photos; stop the night when the whole batch cannot be trusted."""
    from jobs.validate import validate as stage

    _spark_stage(stage, "validate", night)


@app.command()
def score(
    night: NightOption,
    archive: Annotated[
        bool, typer.Option("--archive", help="Score what other models scored before, the photos taken last first.")
    ] = False,
    photos: Annotated[
        int | None, typer.Option(min=1, help="Of the archive at most so many. Default: FAHR_ARCHIVE_PHOTOS.")
    ] = None,
    model: Annotated[
        str | None, typer.Option(help="Score the archive with this release, which does not become the current one.")
    ] = None,
) -> None:
    """Score accepted photos with the current model, or a share of the archive with a new one."""
    if archive:
        from functools import partial

        from jobs.archive import archive as share

        _spark_stage(partial(share, photos=photos, model=model), "score", night)
        return
    if photos is not None or model is not None:
        raise typer.BadParameter("--photos and --model go with --archive")
    from jobs.score import score as stage

    _spark_stage(stage, "score", night)


@app.command()
def publish(night: NightOption) -> None:
    """Check staged scores and merge them into the warehouse in one transaction."""
    from jobs.publish import publish as stage

    with _opened() as (settings, engine):
        say("publish", stage(settings=settings, engine=engine, night=night))


@app.command()
def nightly(
    night: NightOption,
    retry: Annotated[
        str | None, typer.Option(metavar="REASON", help="First let every photo be tried again that has this reason.")
    ] = None,
) -> None:
    """Pull, validate, score and publish, in order, without Airflow; then score a share of the archive."""
    from jobs.nightly import nightly as night_job

    with _opened() as (settings, engine):
        for name, counts in night_job(settings=settings, engine=engine, night=night, retry=retry).items():
            say(name, counts)


@app.command()
def risk(
    night: NightOption,
    cohort: Annotated[
        str, typer.Option(help="A cohort under schemas/cohorts, or the path of a folder.")
    ] = "cancer_photo",
    file_format: Annotated[
        list[TableFormat], typer.Option("--format", help="Write the main tables as files, too.")
    ] = [],  # noqa: B006 - typer makes a new list for each call
    validate: Annotated[
        str | None, typer.Option(help="Judge a model of --frozen-from on this cohort, and do nothing else.")
    ] = None,
    frozen_from: Annotated[str | None, typer.Option(help="The cohort whose prediction model is frozen.")] = None,
) -> None:
    """Fit the models of a cohort, write the risk tables and its page; or validate a model on another cohort."""
    if (validate is None) != (frozen_from is None):
        raise typer.BadParameter("--validate and --frozen-from go together")
    if validate is not None and frozen_from is not None:
        from jobs.risk.validation import validate as validation
        from jobs.risk.validation_page import validation_page

        with _opened() as (settings, engine):
            of_both = {"settings": settings, "engine": engine, "cohort": validate, "frozen_from": frozen_from}
            say("risk validation", validation(**of_both, night=night))
            page = validation_page(**of_both)
        if page is not None:
            typer.echo(f"written: {_shown(page)}")
        return
    from jobs.access.key import pseudonym_key
    from jobs.access.pseudonyms import refresh_pseudonyms
    from jobs.risk import risk as job
    from jobs.risk.formats import risk_files
    from jobs.risk.page import risk_page
    from jobs.spark import LazySpark

    with _opened() as (settings, engine):
        with LazySpark(settings, "risk") as spark:
            say("risk", job(settings=settings, engine=engine, night=night, cohort=cohort, spark=spark))
        if pseudonym_key(settings) is not None:
            refresh_pseudonyms(settings=settings, engine=engine)
        written = [risk_page(settings=settings, engine=engine, cohort=cohort)]
        for chosen in file_format:
            written += risk_files(settings=settings, engine=engine, cohort=cohort, file_format=chosen.value)
    for path in filter(None, written):
        typer.echo(f"written: {_shown(path)}")


@app.command()
def report(night: NightOption) -> None:
    """Write the HTML report of a night."""
    from jobs.report import report as job

    with _opened() as (settings, engine):
        typer.echo(f"report: {_shown(job(settings=settings, engine=engine, night=night))}")


@app.command()
def demo(
    patients: Annotated[int, typer.Option(min=20, help="How many synthetic patients.")] = 400,
    seed: Annotated[int, typer.Option(help="Same seed, same hospital.")] = 20260301,
    night: Annotated[
        bool, typer.Option("--night", help="Then run one night through the real DAGs, the risk tables and the report.")
    ] = False,
    pacs: Annotated[
        bool, typer.Option("--pacs", help="Start Orthanc, which then holds the DICOM photos; it ends with the demo.")
    ] = False,
) -> None:
    """Build the synthetic demo hospital: drawn faces, made-up patients, known truth."""
    from jobs.demo.night import run_demo

    run_demo(settings=load_settings(), patients=patients, seed=seed, with_night=night, with_pacs=pacs)


@warehouse.command()
def start() -> None:
    """Start the embedded server, if it is not running, and bring its schema up to date."""
    _warehouse_command("start_command")


@warehouse.command()
def stop() -> None:
    """Stop the embedded server."""
    _warehouse_command("stop_command")


@warehouse.command()
def url() -> None:
    """Print the URL of the warehouse. It holds the password."""
    _warehouse_command("url_command")


@warehouse.command()
def migrate() -> None:
    """Bring the schema, views, roles and reason codes of the warehouse up to date."""
    _warehouse_command("migrate_command")


def _warehouse_command(name: str) -> None:
    from jobs.warehouse import commands

    typer.echo(getattr(commands, name)(load_settings()))


@contextmanager
def _opened() -> Iterator[tuple[Settings, Any]]:
    from jobs.warehouse.connection import open_warehouse

    settings = load_settings()
    engine = open_warehouse(settings)
    try:
        yield settings, engine
    finally:
        engine.dispose()


def _shown(path: Path) -> str:
    """A path of our own making as a person would type it from here."""
    return str(path.relative_to(Path.cwd())) if path.is_relative_to(Path.cwd()) else str(path)


def main() -> None:
    """Entry point of `fahr`. Ends with the exit code of `jobs.errors`; 1 is a defect of this product."""
    configure_logging()
    try:
        app()
    except FahrError as error:
        log.error("%s: %s", type(error).__name__, error)
        log.error("What to do: %s", error.next_step)
        sys.exit(error.exit_code)
    except Exception as error:  # the last resort: messages of libraries may quote data, so only their type is told
        log.error("%s at %s", type(error).__name__, place_of(error))
        log.error("What to do: this is a defect. Report it with type and place (FAHR_SHOW_TRACEBACK=1 shows all).")
        if load_settings().show_traceback:
            traceback.print_exception(error)
        sys.exit(1)


if __name__ == "__main__":
    main()
