"""`fahr omop …`: the scores in OMOP's own form, in a schema the hospital names."""

from __future__ import annotations

from typing import Annotated

import typer

from jobs.command_options import say
from jobs.settings import load_settings

app = typer.Typer(no_args_is_help=True, help="Scores in an OMOP CDM 5.4: prepare a schema, write, remove.")

SchemaOption = Annotated[
    str, typer.Option("--schema", help="The hospital's CDM, or a results schema of its own, such as omop_results.")
]


@app.command()
def prepare(schema: SchemaOption) -> None:
    """As the owner of the warehouse: create a results schema, or add the imaging tables to a CDM that lacks them."""
    from jobs.omop.cdm_schema import prepare as job
    from jobs.warehouse.connection import open_warehouse

    engine = open_warehouse(load_settings(), role=None)
    try:
        say("omop prepare", job(engine, schema))
    finally:
        engine.dispose()


@app.command()
def write(schema: SchemaOption) -> None:
    """Make a CDM hold the scores of the current model, and nothing older of ours."""
    from jobs.omop.write import write as job
    from jobs.warehouse.connection import open_warehouse

    settings = load_settings()
    engine = open_warehouse(settings)
    try:
        say("omop write", job(settings=settings, engine=engine, schema=schema))
    finally:
        engine.dispose()


@app.command()
def remove(schema: SchemaOption) -> None:
    """Take everything of ours out of a CDM again."""
    from jobs.omop.write import remove as job
    from jobs.warehouse.connection import open_warehouse

    settings = load_settings()
    engine = open_warehouse(settings)
    try:
        say("omop remove", job(settings=settings, engine=engine, schema=schema))
    finally:
        engine.dispose()
