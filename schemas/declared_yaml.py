"""YAML files that declare data: read strictly, and a mistake is told with file and key, never with a value."""

from __future__ import annotations

from pathlib import Path
from typing import Any, TypeVar

import yaml
from pydantic import BaseModel, ConfigDict, ValidationError

Model = TypeVar("Model", bound=BaseModel)


class Declared(BaseModel):
    """What every declaration has in common: no key that nobody knows, and nothing changes after reading."""

    model_config = ConfigDict(extra="forbid", frozen=True)


class DeclaredYamlError(ValueError):
    """A declaration is wrong; the message names the file and the key."""


def read_declared(path: Path, model: type[Model]) -> Model:
    """Read one YAML file into its model.

    Raises:
        DeclaredYamlError: the file cannot be read, is not YAML, has a key twice, or says what its model does not know.
    """
    file = f"{path.parent.name}/{path.name}"
    try:
        text = path.read_text(encoding="utf-8")
        content = yaml.load(text, Loader=_StrictLoader)
    except (OSError, UnicodeDecodeError) as error:
        raise DeclaredYamlError(f"{file} cannot be read ({type(error).__name__})") from None
    except yaml.MarkedYAMLError as error:
        line = error.problem_mark.line + 1 if error.problem_mark else 1
        raise DeclaredYamlError(f"{file}:{line}: {error.problem}") from None
    try:
        return model.model_validate(content)
    except ValidationError as error:
        problem = error.errors(include_url=False, include_input=False)[0]
        key = ".".join(map(str, problem["loc"])) or "the file"
        raise DeclaredYamlError(f"{file}: {key}: {problem['msg']}") from None


class _StrictLoader(yaml.SafeLoader):
    """A safe loader that refuses a key that stands twice; YAML would keep the last without a word."""

    def construct_mapping(self, node: yaml.MappingNode, deep: bool = False) -> dict[Any, Any]:
        seen: set[str] = set()
        for key, _ in node.value:
            if key.value in seen:
                raise yaml.MarkedYAMLError(problem=f"the key {key.value} stands twice", problem_mark=key.start_mark)
            seen.add(key.value)
        return super().construct_mapping(node, deep)
