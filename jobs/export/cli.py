"""`fahr export`: researchers' views as files."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from jobs.command_options import say
from jobs.settings import load_settings


def export(
    to: Annotated[Path, typer.Option("--to", help="A new folder, or that of an earlier export, which is replaced.")],
    cohort: Annotated[str, typer.Option(help="Name of a cohort that was granted to the role.")],
    role: Annotated[
        str, typer.Option("--as", help="Read with the rights of this role, which must be a researcher's.")
    ] = "fahr_researcher",
) -> None:
    """Write what researchers may see of a cohort: Parquet files, a data dictionary, a manifest, checksums."""
    from jobs.export.job import export as job
    from jobs.warehouse.connection import open_warehouse

    settings = load_settings()
    engine = open_warehouse(settings)
    try:
        say("export", job(settings=settings, engine=engine, cohort=cohort, folder=to, role=role))
    finally:
        engine.dispose()
