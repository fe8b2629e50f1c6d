"""NAACCR XML, versions 21 to 26: root `NaaccrData`, in it `Patient`, in it `Tumor`, each with `Item`s.

Read as a stream, one patient in memory at a time. Document type declarations and entities are refused (defusedxml).
Specification: NAACCR XML Data Exchange Standard 1.8. Items of other namespaces (extensions) are passed over.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import date, datetime
from pathlib import Path
from typing import Any
from xml.etree.ElementTree import Element, ParseError

from defusedxml.common import DefusedXmlException
from defusedxml.ElementTree import iterparse

from jobs.registry.registry_file import GivenRecord, OpenedFile, kept, refused
from schemas.registry_declaration import RegistryMapping

NAMESPACE = "{http://naaccr.org/naaccrxml}"
ROOT, PATIENT, TUMOUR, ITEM = (NAMESPACE + name for name in ("NaaccrData", "Patient", "Tumor", "Item"))
DICTIONARY = re.compile(r"naaccr-dictionary-(\d{3})\.xml$")


@contextmanager
def open_naaccr(path: Path, mapping: RegistryMapping) -> Iterator[OpenedFile]:
    """Open a NAACCR XML file; one record a tumour, and one for a patient without tumours.

    Raises:
        DatasetRejected: it is no NAACCR XML of a version the mapping knows; or, while records are read, it is not
            well-formed to its end, or declares a document type or entities.
    """
    with path.open("rb") as file:
        events = iterparse(file, events=("start", "end"), forbid_dtd=True)
        with _as_refusal():
            _, root = next(events)
        if root.tag != ROOT:
            raise refused("The file is XML, but its root is not NaaccrData of NAACCR.")
        version = _version(root)
        if version not in mapping.versions:
            known = ", ".join(str(int(known) // 10) for known in mapping.versions)
            told = f"of NAACCR version {int(version) // 10}" if version else "of no NAACCR version"
            raise refused(f"The file is {told}; versions {known} are read.")
        yield OpenedFile("naaccr_xml", version, _made_on(root), _records(events, root, mapping))


def _version(root: Element) -> str | None:
    found = DICTIONARY.search(root.get("baseDictionaryUri", ""))
    return found[1] if found else None


def _made_on(root: Element) -> date | None:
    try:
        return datetime.fromisoformat(root.get("timeGenerated", "")).date()
    except ValueError:
        return None


def _records(events: Any, root: Element, mapping: RegistryMapping) -> Iterator[GivenRecord]:
    field_of: dict[str, str] = {}
    for field, item in mapping.items.items():
        field_of[item.id] = field_of[str(item.number)] = field
    outside = 0
    for event, element in _well_formed(events):
        if event == "end" and element.tag == TUMOUR:
            outside += 1
        elif event == "end" and element.tag == PATIENT:
            if element not in root:
                raise refused("The file has a Patient that is not right under NaaccrData.")
            outside -= len(element.findall(TUMOUR))
            yield from _of_patient(element, _items(root, field_of), field_of)
            root.remove(element)
    if outside:
        raise refused(f"The file has {outside} tumours that are not right under a Patient.")


def _of_patient(patient: Element, common: dict[str, str], field_of: dict[str, str]) -> Iterator[GivenRecord]:
    of_patient = common | _items(patient, field_of)
    tumours = patient.findall(TUMOUR)
    for tumour in tumours:
        yield GivenRecord(of_patient | _items(tumour, field_of))
    if not tumours:
        yield GivenRecord(of_patient, "tumour_missing")


def _items(parent: Element, field_of: dict[str, str]) -> dict[str, str]:
    """Values of the mapped items right under an element, known by id or, where there is none, by number."""
    found: dict[str, str] = {}
    for item in parent.iterfind(ITEM):
        field = field_of.get(item.get("naaccrId") or item.get("naaccrNum") or "")
        if field is not None and (value := kept(item.text or "")):
            found[field] = value
    return found


def _well_formed(events: Any) -> Iterator[tuple[str, Element]]:
    with _as_refusal():
        yield from events


@contextmanager
def _as_refusal() -> Iterator[None]:
    try:
        yield
    except ParseError:
        raise refused("The file is not well-formed XML to its end.") from None
    except DefusedXmlException as error:
        raise refused(f"The file declares what is not read ({type(error).__name__}).") from None
