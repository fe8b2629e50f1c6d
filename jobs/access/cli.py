"""`fahr access …`: cohorts granted and taken back, pseudonyms made."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Annotated

import typer
from sqlalchemy import Connection

from jobs.command_options import say
from jobs.settings import load_settings

app = typer.Typer(no_args_is_help=True, help="Who may see the persons of which cohort, and under which names.")

GranteeArgument = Annotated[str, typer.Argument(help="A login, or a role whose members shall all see them.")]
CohortArgument = Annotated[str, typer.Argument(help="Name of a cohort.")]


@app.command()
def grant(grantee: GranteeArgument, cohort: CohortArgument) -> None:
    """As the owner of the warehouse: let a role or login see the persons of a cohort."""
    from jobs.access.grants import grant_cohort

    with _owner() as connection:
        new = grant_cohort(connection, grantee=grantee, cohort=cohort)
    typer.echo("granted" if new else "was granted before")


@app.command()
def revoke(grantee: GranteeArgument, cohort: CohortArgument) -> None:
    """As the owner of the warehouse: take a cohort back."""
    from jobs.access.grants import revoke_cohort

    with _owner() as connection:
        had = revoke_cohort(connection, grantee=grantee, cohort=cohort)
    typer.echo("revoked" if had else "was not granted")


@app.command("list")
def list_grants() -> None:
    """Tell who may see which cohort."""
    from jobs.access.grants import granted_cohorts

    with _owner() as connection:
        for cohort, grantee in granted_cohorts(connection):
            typer.echo(f"{cohort}\t{grantee}")


@app.command()
def pseudonyms() -> None:
    """Give everybody in a cohort a pseudonym, with the key of FAHR_PSEUDONYM_KEY or FAHR_PSEUDONYM_KEY_FILE."""
    from jobs.access.pseudonyms import refresh_pseudonyms
    from jobs.warehouse.connection import open_warehouse

    settings = load_settings()
    engine = open_warehouse(settings)
    try:
        say("access pseudonyms", refresh_pseudonyms(settings=settings, engine=engine))
    finally:
        engine.dispose()


@contextmanager
def _owner() -> Iterator[Connection]:
    from jobs.warehouse.connection import open_warehouse

    engine = open_warehouse(load_settings(), role=None)
    try:
        with engine.begin() as connection:
            yield connection
    finally:
        engine.dispose()
