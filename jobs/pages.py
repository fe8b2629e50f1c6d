"""What our pages share: templates with one style sheet, numbers as people read them, files replaced whole."""

from __future__ import annotations

import platform
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

import pandas as pd
from jinja2 import Environment, PackageLoader, StrictUndefined
from markupsafe import Markup

from jobs.runs import code_version

MISSING = "–"


def render(template: str, content: dict[str, Any]) -> str:
    """A page as HTML that needs nothing but itself."""
    environment = Environment(
        loader=PackageLoader("jobs", "templates"),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.filters |= {"thousands": thousands, "decimals": decimals, "p_value": p_value, "short": short}
    style = Markup(environment.loader.get_source(environment, "report.css")[0]) if environment.loader else ""
    return environment.get_template(template).render(style=style, **content)


def replace_file(path: Path, content: str | bytes) -> Path:
    """Write a file so that nobody ever reads half of it; text as UTF-8. Returns its path."""
    path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    unfinished = path.with_name(path.name + ".unfinished")
    unfinished.write_bytes(content.encode() if isinstance(content, str) else content)
    unfinished.replace(path)
    return path


def versions_of(libraries: tuple[str, ...], server: str) -> dict[str, str]:
    """What the numbers were made with."""
    found = {"fahr": code_version(), "Python": platform.python_version(), "PostgreSQL": server}
    for library in libraries:
        try:
            found[library] = version(library)
        except PackageNotFoundError:
            found[library] = "not installed"
    return found


def thousands(count: int) -> str:
    """12 345, with a space that does not break."""
    return f"{count:,}".replace(",", "\N{NARROW NO-BREAK SPACE}")


def decimals(number: float | None, places: int = 2) -> str:
    """A number with so many decimals, or a dash where there is none."""
    return MISSING if number is None or pd.isna(number) else f"{number:.{places}f}".replace("-", "−")


def p_value(p: float | None) -> str:
    """A p value as journals print it."""
    if p is None or pd.isna(p):
        return MISSING
    return "< 0.001" if p < 0.001 else f"{p:.3f}"


def short(fingerprint: object) -> str:
    """The first eight characters."""
    return str(fingerprint)[:8]
