"""`fahr export`: researchers' views as files, or scores as DICOM objects for the PACS."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from jobs.command_options import say
from jobs.settings import load_settings


def export(
    to: Annotated[
        Path | None, typer.Option("--to", help="A new folder, or that of an earlier export, which is replaced.")
    ] = None,
    cohort: Annotated[str | None, typer.Option(help="Name of a cohort that was granted to the role.")] = None,
    role: Annotated[
        str, typer.Option("--as", help="Read with the rights of this role, which must be a researcher's.")
    ] = "fahr_researcher",
    dicom_sr: Annotated[
        bool, typer.Option("--dicom-sr", help="Instead: scores of DICOM photos as structured reports, for the PACS.")
    ] = False,
    send: Annotated[
        bool, typer.Option("--send", help="With --dicom-sr, instead of --to: store them in the PACS of FAHR_PACS_URL.")
    ] = False,
) -> None:
    """Write what researchers may see of a cohort: Parquet files, a data dictionary, a manifest, checksums."""
    from jobs.export.job import export as files
    from jobs.export.reports import export_reports
    from jobs.export.send import send_reports
    from jobs.warehouse.connection import open_warehouse

    if dicom_sr == (cohort is not None):
        raise typer.BadParameter("give --cohort, or --dicom-sr, and not both")
    if send and not dicom_sr:
        raise typer.BadParameter("--send goes with --dicom-sr: what researchers see is for no PACS")
    if send == (to is not None):
        raise typer.BadParameter("give --to; or, with --dicom-sr, --send")
    settings = load_settings()
    engine = open_warehouse(settings)
    try:
        if to is None:
            say("export", send_reports(settings=settings, engine=engine))
        elif cohort is None:
            say("export", export_reports(settings=settings, engine=engine, folder=to))
        else:
            say("export", files(settings=settings, engine=engine, cohort=cohort, folder=to, role=role))
    finally:
        engine.dispose()
