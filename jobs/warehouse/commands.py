"""What `fahr warehouse …` does: each command returns the text to print."""

from __future__ import annotations

import shlex

from sqlalchemy import URL, make_url

from jobs.errors import UsageError
from jobs.settings import Settings
from jobs.warehouse import embedded
from jobs.warehouse.connection import open_warehouse
from jobs.warehouse.declarations import load_declarations
from jobs.warehouse.migrate import migrate
from jobs.warehouse.server_process import binary


def start_command(settings: Settings) -> str:
    """Start the embedded warehouse and bring it up to date."""
    _refuse_for_external_server(settings)
    open_warehouse(settings).dispose()
    return f"The warehouse runs. Query it with\n  {psql_line(settings)}"


def stop_command(settings: Settings) -> str:
    """Stop the embedded warehouse."""
    _refuse_for_external_server(settings)
    return "The warehouse is stopped." if embedded.stop(settings.home) else "The warehouse was not running."


def url_command(settings: Settings) -> str:
    """The URL of the warehouse, which holds the password: for another program, not for a log."""
    if settings.warehouse_url is not None:
        return settings.warehouse_url.get_secret_value()
    return embedded.url(settings.home)


def migrate_command(settings: Settings) -> str:
    """Bring tables, views, roles, grants and reason codes up to date."""
    engine = open_warehouse(settings, role=None)
    changed = migrate(engine, small_cell=settings.small_cell, declarations=load_declarations(settings))
    engine.dispose()
    return "The warehouse is migrated." if changed else "The warehouse is up to date."


def psql_line(settings: Settings, *, service: str = "fahr_analyst") -> str:
    """A line for the shell that opens psql on the warehouse and shows no password, there or among the processes.

    Args:
        service: on the embedded warehouse, `fahr_analyst` (reads the views) or `fahr` (owns everything).
    """
    if settings.warehouse_url is not None:
        url = make_url(settings.warehouse_url.get_secret_value()).difference_update_query(["password"])
        without_password = URL.create(
            "postgresql", url.username, host=url.host, port=url.port, database=url.database, query=url.query
        )
        return shlex.join(["psql", without_password.render_as_string(hide_password=False)])
    services = shlex.quote(str(embedded.services_file(settings.home)))
    return f"PGSERVICEFILE={services} {shlex.quote(str(binary('psql')))} service={service}"


def _refuse_for_external_server(settings: Settings) -> None:
    if settings.warehouse_url is not None:
        raise UsageError(
            "FAHR_WAREHOUSE_URL names a server of your own: it is not ours to start or stop.",
            next_step="Unset FAHR_WAREHOUSE_URL to use the embedded warehouse.",
        )
