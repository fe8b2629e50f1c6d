"""Declarations about tumour registries: how a file is read, site groups, and whom to believe about a death."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Literal, get_args

from pydantic import Field, RootModel, model_validator

from schemas.declaration import Words
from schemas.declared_yaml import Declared, DeclaredYamlError, read_declared

REGISTRY = Path(__file__).parent / "registry"

RegistryField = Literal[
    "mrn",
    "registry_patient",
    "tumour_number",
    "birth_date",
    "diagnosis_date",
    "site",
    "histology",
    "behaviour",
    "stage",
    "stage_pathological",
    "stage_clinical",
    "summary_stage",
    "vital_status",
    "last_contact_date",
    "cause_of_death",
]
FIELDS: tuple[RegistryField, ...] = get_args(RegistryField)
"""Our fields of a record, in the order in which they are kept."""

Code = Annotated[str, Field(min_length=1)]
SiteRange = Annotated[str, Field(pattern=r"^C[0-8][0-9](-C[0-8][0-9])?$")]
Believed = Literal["cdm", "registry", "earliest", "latest"]


class NaaccrItem(Declared):
    """An item of the NAACCR dictionary: files name it by id, older ones by number alone."""

    id: Words
    number: Annotated[int, Field(gt=0)]


class Codes(Declared):
    """What the registry's codes mean, whatever their case. A stage without a code is read as it is written."""

    vital_status: dict[Literal["alive", "dead"], tuple[Code, ...]]
    stage: dict[Literal["0", "I", "II", "III", "IV"], tuple[Code, ...]] = Field(default={})
    summary_stage: dict[Literal["in_situ", "localized", "regional", "distant"], tuple[Code, ...]] = Field(default={})


class NotKnown(Declared):
    """Codes that say that a value is not known or does not apply."""

    stage: tuple[Code, ...] = ()
    summary_stage: tuple[Code, ...] = ()
    cause_of_death: tuple[Code, ...] = ()


class RegistryMapping(Declared):
    """How a file is read: NAACCR XML by `items`, CSV by `columns`."""

    versions: tuple[Annotated[str, Field(pattern=r"^\d{3}$")], ...] = ()
    items: dict[RegistryField, NaaccrItem] = Field(default={})
    columns: dict[RegistryField, Words] = Field(default={})
    delimiter: Annotated[str, Field(min_length=1, max_length=1)] = ","
    encoding: Words = "utf-8-sig"
    date_formats: tuple[Annotated[str, Field(pattern=r"^[^%]*(%[Ymd][^%]*){1,3}$")], ...] = Field(min_length=1)
    codes: Codes
    not_known: NotKnown = NotKnown()

    @model_validator(mode="after")
    def _has_what_a_record_needs(self) -> RegistryMapping:
        given = set(self.items) | set(self.columns)
        if bool(self.items) == bool(self.columns):
            raise ValueError("a mapping has either items (NAACCR XML) or columns (CSV)")
        if "mrn" not in given:
            raise ValueError("no mrn: nothing would link a record to a person")
        if not {"diagnosis_date", "site"} <= given and not {"vital_status", "last_contact_date"} <= given:
            raise ValueError("neither diagnosis_date with site, nor vital_status with last_contact_date")
        return self


class Sites(Declared):
    """Groups of ICD-O-3 topography."""

    sites: dict[Annotated[str, Field(pattern=r"^[a-z][a-z0-9_]*$")], tuple[SiteRange, ...]]

    def group_of(self, code: str) -> str | None:
        """Group of a code such as C50.9; None for a site in no group."""
        category = code[:3]
        for group, ranges in self.sites.items():
            if any(first <= category <= (last or first) for first, _, last in (r.partition("-") for r in ranges)):
                return group
        return None


class DeathRule(Declared):
    """Whom to believe in one conflict, and which differences are none."""

    meaning: Words
    believed: Believed
    tolerance_days: Annotated[int, Field(ge=0)]


ALLOWED: dict[str, tuple[Believed, ...]] = {
    "death_dates_differ": ("cdm", "registry", "earliest", "latest"),
    "alive_after_cdm_death": ("cdm", "registry"),
    "observed_after_registry_death": ("cdm", "registry"),
    "registry_contradicts_itself": ("earliest", "latest"),
}
"""Every conflict, and what may be believed in it. Where the registry contradicts itself, `earliest` is the death."""


class DeathRules(RootModel[dict[str, DeathRule]]):
    """A rule for each conflict."""

    @model_validator(mode="after")
    def _every_conflict_has_a_rule_it_can_follow(self) -> DeathRules:
        if set(self.root) != set(ALLOWED):
            raise ValueError(f"there is a rule for each of {', '.join(ALLOWED)}, and for nothing else")
        for conflict, rule in self.root.items():
            if rule.believed not in ALLOWED[conflict]:
                raise ValueError(f"{conflict} can believe {' or '.join(ALLOWED[conflict])}")
        return self


def load_mapping(path: Path) -> RegistryMapping:
    """Read a mapping file. Raises DeclaredYamlError."""
    return read_declared(path, RegistryMapping)


def load_naaccr_mapping() -> RegistryMapping:
    """The shipped mapping of NAACCR XML."""
    return load_mapping(REGISTRY / "naaccr.yaml")


def load_sites() -> Sites:
    """The shipped groups of sites."""
    return read_declared(REGISTRY / "sites.yaml", Sites)


def load_death_rules(own: Path | None = None) -> dict[str, DeathRule]:
    """The rules for deaths: the hospital's file, where it names one, else the shipped one. Raises DeclaredYamlError."""
    if own is not None and not own.is_file():
        raise DeclaredYamlError("the file of the hospital's rules for deaths is not there")
    return read_declared(own or REGISTRY / "deaths.yaml", DeathRules).root
