"""A registry's CSV with a header line, read by a mapping of columns."""

from __future__ import annotations

import codecs
import csv
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from jobs.registry.registry_file import GivenRecord, OpenedFile, kept, refused
from schemas.registry_declaration import RegistryMapping


@contextmanager
def open_csv(path: Path, mapping: RegistryMapping) -> Iterator[OpenedFile]:
    """Open a CSV file; one record a line.

    Raises:
        DatasetRejected: it lacks a mapped column, or has one twice; or, while records are read, it is not CSV in the
            mapping's encoding.
    """
    try:
        codecs.lookup(mapping.encoding)
    except LookupError:
        raise refused("The mapping names an encoding that there is not.") from None
    with path.open(encoding=mapping.encoding, newline="") as file:
        rows = csv.reader(file, delimiter=mapping.delimiter, strict=True)
        with _as_refusal():
            header = [name.strip() for name in next(rows, [])]
        _check_header(header, mapping)
        yield OpenedFile("csv", None, None, _records(rows, header, mapping))


def _check_header(header: list[str], mapping: RegistryMapping) -> None:
    missing = [column for column in mapping.columns.values() if column not in header]
    if missing:
        raise refused(f"The file lacks columns of the mapping: {', '.join(missing)}.")
    repeated = sorted({column for column in mapping.columns.values() if header.count(column) > 1})
    if repeated:
        raise refused(f"The file has columns of the mapping twice: {', '.join(repeated)}.")


def _records(rows: Iterator[list[str]], header: list[str], mapping: RegistryMapping) -> Iterator[GivenRecord]:
    places: dict[str, int] = {field: header.index(column) for field, column in mapping.columns.items()}
    for cells in _well_formed(rows):
        if not cells:
            continue
        if len(cells) == len(header):
            values = {field: kept(cells[place]) for field, place in places.items()}
            yield GivenRecord({name: value for name, value in values.items() if value})
        else:
            # Which cell is which is not known any more: they are kept by their place.
            values = {f"cell_{number}": kept(cell) for number, cell in enumerate(cells, start=1)}
            yield GivenRecord(values, "wrong_number_of_cells")


def _well_formed(rows: Iterator[list[str]]) -> Iterator[list[str]]:
    with _as_refusal():
        yield from rows


@contextmanager
def _as_refusal() -> Iterator[None]:
    try:
        yield
    except (UnicodeError, csv.Error) as error:
        raise refused(f"The file is not CSV in the encoding of the mapping ({type(error).__name__}).") from None
