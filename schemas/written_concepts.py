"""The OMOP concepts of our own that stand in what is written to a CDM: `schemas/written_concepts.yaml`."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Annotated, Literal

from pydantic import Field, model_validator

from schemas.declaration import Words
from schemas.declared_yaml import Declared, read_declared

FILE = Path(__file__).parent / "written_concepts.yaml"

FIRST_LOCAL_ID = 2_000_000_001
"""From here on OMOP leaves ids to sites."""

Role = Literal["face_age", "face_survival", "photography", "year", "derived", "modality", "measurement_field"]
ShortName = Annotated[str, Field(min_length=1, max_length=20)]
Number = Annotated[int, Field(ge=0, lt=1000)]


class StandardConcept(Declared):
    """A concept of a standard vocabulary, by code or by name: ids are looked up, never written down."""

    vocabulary: ShortName
    code: str | None = None
    name: str | None = None


class WrittenConcept(Declared):
    """One concept of ours."""

    number: Number
    name: Words
    domain: ShortName
    standard: StandardConcept | None = None


class Container(Declared):
    """Our vocabulary or concept class."""

    number: Number
    id: ShortName
    name: str = ""


class WrittenConcepts(Declared):
    """All of them, and where their ids begin."""

    first_concept_id: Annotated[int, Field(ge=FIRST_LOCAL_ID, le=2**31 - 1000)]
    vocabulary: Container
    concept_class: Container
    domains: dict[ShortName, Number]
    concepts: dict[Role, WrittenConcept]

    @model_validator(mode="after")
    def _numbers_are_given_once(self) -> WrittenConcepts:
        numbers = [number for number, _, _, _ in self._numbered()]
        if len(numbers) != len(set(numbers)):
            raise ValueError("a number stands twice")
        if not {concept.domain for concept in self.concepts.values()} | {"Metadata"} <= set(self.domains):
            raise ValueError("a domain is not declared")
        return self

    def rows(self) -> list[dict[str, object]]:
        """Rows of `concept`: id, name, domain and code."""
        return [
            {"concept_id": self.first_concept_id + number, "name": name, "domain": domain, "code": code}
            for number, name, domain, code in self._numbered()
        ]

    def id_of(self, role: Role) -> int:
        """Id of our own concept for a role."""
        return self.first_concept_id + self.concepts[role].number

    def _numbered(self) -> Iterator[tuple[int, str, str, str]]:
        yield self.vocabulary.number, self.vocabulary.name, "Metadata", "vocabulary"
        yield self.concept_class.number, self.concept_class.id, "Metadata", "concept_class"
        for domain, number in self.domains.items():
            yield number, f"Domain {domain}", "Metadata", f"domain {domain}"
        for role, concept in self.concepts.items():
            yield concept.number, concept.name, concept.domain, role


def load_written_concepts(first_concept_id: int | None = None) -> WrittenConcepts:
    """The declared concepts, with ids from `first_concept_id` on where it is given."""
    declared = read_declared(FILE, WrittenConcepts)
    if first_concept_id is None:
        return declared
    return declared.model_copy(update={"first_concept_id": first_concept_id})
