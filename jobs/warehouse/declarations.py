"""What is declared in YAML and joined in SQL: concept sets, and whom to believe about a death."""

from __future__ import annotations

import functools
import hashlib
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any

from sqlalchemy import Connection, text

from jobs.errors import SettingsError
from jobs.settings import Settings
from schemas.concept_sets import ConceptSet, load_concept_sets
from schemas.declared_yaml import DeclaredYamlError
from schemas.registry_declaration import DeathRule, load_death_rules
from schemas.registry_reasons import REGISTRY_REASONS


@dataclass(frozen=True)
class Declarations:
    """The concept sets and rules of one hospital."""

    concept_sets: tuple[ConceptSet, ...]
    death_rules: Mapping[str, DeathRule]

    @property
    def sha256(self) -> str:
        """SHA-256 over what they say, comments and order of files left aside."""
        told = (self._concept_rows(), self._rule_rows(), [asdict(reason) for reason in REGISTRY_REASONS])
        return hashlib.sha256(repr(told).encode()).hexdigest()

    def write(self, connection: Connection) -> None:
        """Make the tables say what the declarations say; a reason no longer given stays, for the rows that hold it."""
        connection.execute(text("DELETE FROM fahr.concept_set_v1"))
        connection.execute(_CONCEPT, self._concept_rows())
        connection.execute(text("DELETE FROM fahr.death_rule_v1"))
        connection.execute(_RULE, self._rule_rows())
        connection.execute(_REASON, [asdict(reason) for reason in REGISTRY_REASONS])

    def _concept_rows(self) -> list[dict[str, Any]]:
        return [row for declared in self.concept_sets for row in declared.rows()]

    def _rule_rows(self) -> list[dict[str, Any]]:
        return [{"conflict": conflict, **rule.model_dump()} for conflict, rule in self.death_rules.items()]


@functools.cache
def shipped_declarations() -> Declarations:
    """Those that come with the product."""
    return Declarations(load_concept_sets(), load_death_rules())


def load_declarations(settings: Settings) -> Declarations:
    """Those of this hospital: its own files where the settings name some, the shipped ones elsewhere.

    Raises:
        SettingsError: a declaration is wrong; the message names file and key.
    """
    if settings.concepts is None and settings.death_rules is None:
        return shipped_declarations()
    try:
        return Declarations(load_concept_sets(settings.concepts), load_death_rules(settings.death_rules))
    except DeclaredYamlError as error:
        raise SettingsError(
            f"A declaration is wrong: {error}.", next_step="Correct the file; see docs/omop.md and docs/registry.md."
        ) from None


_CONCEPT = text(
    "INSERT INTO fahr.concept_set_v1"
    " (concept_set, member, member_number, concept_id, concept_name, with_descendants, cdm_column)"
    " VALUES (:concept_set, :member, :member_number, :concept_id, :concept_name, :with_descendants, :cdm_column)"
)
_RULE = text(
    "INSERT INTO fahr.death_rule_v1 (conflict, believed, tolerance_days, meaning)"
    " VALUES (:conflict, :believed, :tolerance_days, :meaning)"
)
_REASON = text(
    "INSERT INTO fahr.registry_reason_v1 (reason_code, loses, meaning) VALUES (:code, :loses, :meaning)"
    " ON CONFLICT (reason_code) DO UPDATE SET loses = excluded.loses, meaning = excluded.meaning"
)
