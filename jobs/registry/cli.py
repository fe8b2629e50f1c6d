"""`fahr registry …`: load a tumour registry's file, and tell what was loaded."""

from __future__ import annotations

from datetime import UTC, date, datetime
from pathlib import Path
from typing import Annotated

import typer

from jobs.command_options import as_date, say
from jobs.settings import load_settings

app = typer.Typer(no_args_is_help=True, help="The tumour registry: load its files, tell what they say about deaths.")

RegistryName = Annotated[
    str, typer.Option("--registry", help="Name of the registry; a file replaces what the same registry gave before.")
]

AsOf = Annotated[
    date,
    typer.Option(
        "--as-of",
        parser=as_date,
        metavar="YYYY-MM-DD",
        help="Day the file was made, where it does not say so. Default: today, UTC.",
        default_factory=lambda: datetime.now(UTC).date(),
        show_default=False,
    ),
]


@app.command()
def load(
    file: Annotated[Path, typer.Argument(help="NAACCR XML (versions 21 to 26), or CSV with a mapping.")],
    as_of: AsOf,
    mapping: Annotated[
        Path | None, typer.Option(help="YAML file that says how the file is read; needed for CSV (docs/registry.md).")
    ] = None,
    registry: RegistryName = "registry",
    allow_fewer: Annotated[
        bool, typer.Option("--allow-fewer", help="Load a file with far fewer records than the last one.")
    ] = False,
) -> None:
    """Load a registry's file; every record is kept, and what is wrong with it is a reason code."""
    from jobs.registry.load import load_registry
    from jobs.warehouse.connection import open_warehouse

    engine = open_warehouse(load_settings())
    try:
        counts = load_registry(
            engine=engine,
            file=file,
            registry=registry,
            mapping_file=mapping,
            today=as_of,
            allow_fewer=allow_fewer,
        )
    finally:
        engine.dispose()
    say("registry load", counts)
