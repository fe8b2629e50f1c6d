"""Options and lines that several commands share."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, date, datetime
from typing import Annotated

import typer


def as_date(value: str | date) -> date:
    """A date written YYYY-MM-DD. Raises typer.BadParameter for anything else."""
    if isinstance(value, date):  # typer sends the default through the parser too
        return value
    try:
        return date.fromisoformat(value)
    except ValueError:
        raise typer.BadParameter("a date is written YYYY-MM-DD") from None


NightOption = Annotated[
    date,
    typer.Option(
        "--date",
        parser=as_date,
        metavar="YYYY-MM-DD",
        help="The night: everything known up to the end of this day. Default: yesterday, UTC.",
        default_factory=lambda: date.fromordinal(datetime.now(UTC).date().toordinal() - 1),
        show_default=False,
    ),
]


def say(name: str, counts: Mapping[str, object]) -> None:
    """One line of counts on standard output."""
    typer.echo(f"{name}: " + (", ".join(f"{key} {count}" for key, count in counts.items()) or "nothing to do"))
