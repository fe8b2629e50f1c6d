"""Cohort declarations: `schemas/cohorts/<name>/cohort.sql` (one row a person) and `cohort.yaml` (what is modelled).

`load_cohort` reads and checks both, so that what it returns can be trusted; a mistake is told with file, line and key.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import yaml
from pydantic import ValidationError

from schemas.contradictions import contradictions
from schemas.declaration import CohortFile

COHORTS = Path(__file__).parent / "cohorts"

PERSON_COLUMNS = ("person_id", "index_date", "followup_years", "event")
"""Columns every cohort's SQL gives besides its covariates'."""

MEMBER_COLUMNS = ("age_years", "face_age_years", "face_survival_log_risk")
"""Columns it gives where it can: `fahr.cohort_member` has a column for each, null where there is none."""

LEFT_OUT = "left_out"
"""Column the SQL may give besides: why a person is left out whatever else is known, as a name; null for the others."""

SEEN_SCORES = re.compile(r"\bfahr\.(face_score|session_score|face_aging_rate)(_v\d+)?\b", re.IGNORECASE)
"""Relations a cohort may not read: they hold scores of people who taught the model."""

SCORES = re.compile(r"\bfahr\.(?!concept_set\b|follow_up\b|registry_)", re.IGNORECASE)
"""What a cohort reads that needs scores."""

COMMENT = re.compile(r"--.*")

KEY = re.compile(r"[a-z][a-z0-9_]*")
"""A key of the file, and no type or validator that pydantic puts among them."""


class DeclarationError(ValueError):
    """A cohort's declaration is wrong; the message names the file, the line and the key."""


@dataclass(frozen=True)
class Cohort:
    """A checked declaration, with the SQL of its persons and a hash of both files."""

    declared: CohortFile
    sql: str
    sha256: str
    sql_file: str
    yaml_file: str
    fixed: Mapping[str, tuple[float | None, tuple[float, ...]]] = field(default_factory=dict)
    """By covariate what is not to be learnt of the rows of each fit: a standard deviation, and cut points or knots."""

    def column_of(self, covariate: str) -> str:
        """Column of the SQL that a covariate is read from."""
        return self.declared.covariates[covariate].column or covariate

    @property
    def covariate_columns(self) -> tuple[str, ...]:
        """Columns the covariates are read from, each once, in the order of the declaration."""
        return tuple(dict.fromkeys(self.column_of(name) for name in self.declared.covariates))

    @property
    def columns(self) -> tuple[str, ...]:
        """Every column the SQL has to give."""
        declared = self.declared
        others = [declared.entry, declared.cluster, declared.weights]
        if declared.competing is not None:
            others.append(declared.competing.column)
        if declared.landmark is not None:
            others += [declared.landmark.column, declared.landmark.measured_until]
        return tuple(dict.fromkeys((*PERSON_COLUMNS, *filter(None, others), *self.covariate_columns)))

    @property
    def imputed_columns(self) -> tuple[str, ...]:
        """Columns whose gaps are filled where there are any, in the order of the declaration."""
        missing = self.declared.missing
        if not missing.impute:
            return ()
        return tuple(dict.fromkeys(self.column_of(name) for name in missing.only or self.declared.covariates))

    @property
    def reads_scores(self) -> bool:
        """Whether its persons have scores of a model; a cohort of other tables alone needs none."""
        return SCORES.search(COMMENT.sub("", self.sql)) is not None


def load_cohort(name_or_folder: str | Path) -> Cohort:
    """Read and check a cohort's declaration.

    Args:
        name_or_folder: name of a folder under schemas/cohorts, or the path of a folder elsewhere.

    Raises:
        DeclarationError: a file is missing, is not YAML, or says something that cannot be, or the SQL reads scores of
            people who taught the model.
    """
    folder = COHORTS / name_or_folder if (COHORTS / name_or_folder).is_dir() else Path(name_or_folder)
    if not folder.is_dir():
        known = ", ".join(sorted(path.name for path in COHORTS.iterdir() if path.is_dir()))
        raise DeclarationError(f"There is no cohort '{name_or_folder}'. Known: {known}.")
    yaml_path, sql_path = folder / "cohort.yaml", folder / "cohort.sql"
    for path in (yaml_path, sql_path):
        if not path.is_file():
            raise DeclarationError(f"{_shown(path)} is missing.")
    yaml_bytes, sql_bytes = yaml_path.read_bytes(), sql_path.read_bytes()
    if seen := SEEN_SCORES.search(COMMENT.sub("", sql_bytes.decode())):
        raise DeclarationError(
            f"{_shown(sql_path)} reads {seen[0]}, which holds scores of people who taught the model:"
            " read fahr.session_score_unseen or fahr.face_score_unseen"
        )
    return Cohort(
        declared=_parse(yaml_bytes.decode(), _shown(yaml_path), folder.name),
        sql=sql_bytes.decode(),
        sha256=hashlib.sha256(yaml_bytes + b"\0" + sql_bytes).hexdigest(),
        sql_file=_shown(sql_path),
        yaml_file=_shown(yaml_path),
    )


def _shown(path: Path) -> str:
    """Folder and file: enough to find it, without the rest of the path."""
    return f"{path.parent.name}/{path.name}"


def _parse(text: str, file: str, folder: str) -> CohortFile:
    try:
        tree = yaml.compose(text, Loader=yaml.SafeLoader)
        content = yaml.safe_load(text)
    except yaml.MarkedYAMLError as error:
        line = error.problem_mark.line + 1 if error.problem_mark else 1
        raise DeclarationError(f"{file}:{line}: not YAML: {error.problem}") from None
    if tree is None:
        raise DeclarationError(f"{file}:1: the file is empty")
    for line, key in _repeated_keys(tree):
        raise DeclarationError(f"{file}:{line}: {key}: stands twice")
    try:
        declared = CohortFile.model_validate(content)
    except ValidationError as error:
        problem = error.errors(include_url=False)[0]
        path = tuple(part for part in problem["loc"] if isinstance(part, int) or KEY.fullmatch(part))
        raise DeclarationError(_told(tree, file, path, problem["msg"])) from None
    for path, mistake in contradictions(declared, folder):
        raise DeclarationError(_told(tree, file, path, mistake))
    return declared


def _told(tree: yaml.Node, file: str, path: tuple[Any, ...], mistake: str) -> str:
    return f"{file}:{_line_of(tree, path)}: {'.'.join(map(str, path))}: {mistake}"


def _line_of(node: yaml.Node, path: tuple[Any, ...]) -> int:
    """Line, from 1, of the key or item at `path`, or of the deepest part of it that is there."""
    line = node.start_mark.line + 1
    for part in path:
        if isinstance(node, yaml.MappingNode):
            found = next(((key, value) for key, value in node.value if key.value == part), None)
            if found is None:
                return line
            line, node = found[0].start_mark.line + 1, found[1]
        elif isinstance(node, yaml.SequenceNode) and isinstance(part, int) and part < len(node.value):
            node = node.value[part]
            line = node.start_mark.line + 1
        else:
            return line
    return line


def _repeated_keys(node: yaml.Node) -> Iterator[tuple[int, str]]:
    """Line and name of keys that stand twice in one mapping; YAML would keep the last without a word."""
    if isinstance(node, yaml.MappingNode):
        seen: set[str] = set()
        for key, value in node.value:
            if key.value in seen:
                yield key.start_mark.line + 1, key.value
            seen.add(key.value)
            yield from _repeated_keys(value)
    elif isinstance(node, yaml.SequenceNode):
        for item in node.value:
            yield from _repeated_keys(item)
