"""Concept sets: which OMOP concepts mean what a cohort speaks of. Declared in `schemas/concepts`, one set a file.

A migration writes them to `fahr.concept_set_v1`; SQL joins the view `fahr.concept_set`, which adds descendants.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Annotated, Any

from pydantic import Field, model_validator

from schemas.declaration import Name, Words
from schemas.declared_yaml import Declared, DeclaredYamlError, read_declared

CONCEPTS = Path(__file__).parent / "concepts"

ConceptId = Annotated[int, Field(ge=1, le=2**31 - 1)]
Member = Annotated[str, Field(pattern=r"^[A-Za-z][A-Za-z0-9_]*$")]


class DeclaredConcept(Declared):
    """One concept of a member, and whether those below it in `cdm.concept_ancestor` mean the same."""

    concept_id: ConceptId
    name: Words
    descendants: bool = True


class ConceptSet(Declared):
    """A set: its members by name, in order, each with the concepts that mean it."""

    concept_set: Name
    title: Words
    column: Annotated[str, Field(pattern=r"^[a-z_]+\.[a-z_]+_concept_id$")]
    """Table and column of the CDM in which the concepts stand."""
    members: dict[Member, tuple[DeclaredConcept, ...]] = Field(min_length=1)

    @model_validator(mode="after")
    def _each_concept_means_one_thing(self) -> ConceptSet:
        ids = [concept.concept_id for concepts in self.members.values() for concept in concepts]
        if len(ids) != len(set(ids)):
            raise ValueError("a concept stands twice")
        return self

    def rows(self) -> Iterator[dict[str, Any]]:
        """Rows of `fahr.concept_set_v1`."""
        for number, (member, concepts) in enumerate(self.members.items(), start=1):
            for concept in concepts:
                yield {
                    "concept_set": self.concept_set,
                    "member": member,
                    "member_number": number,
                    "concept_id": concept.concept_id,
                    "concept_name": concept.name,
                    "with_descendants": concept.descendants,
                    "cdm_column": self.column,
                }


def load_concept_sets(own: Path | None = None) -> tuple[ConceptSet, ...]:
    """The shipped concept sets; a hospital's file of the same name in the folder `own` stands instead of a shipped one.

    Raises:
        DeclaredYamlError: a file is wrong, or is not called as its set.
    """
    if own is not None and not own.is_dir():
        raise DeclaredYamlError("the folder of the hospital's concept sets is not there")
    files = {path.stem: path for folder in filter(None, (CONCEPTS, own)) for path in sorted(folder.glob("*.yaml"))}
    sets = []
    for name, path in sorted(files.items()):
        declared = read_declared(path, ConceptSet)
        if declared.concept_set != name:
            raise DeclaredYamlError(f"{path.parent.name}/{path.name}: concept_set: must be called as the file, {name}")
        sets.append(declared)
    return tuple(sets)
