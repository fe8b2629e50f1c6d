"""Typed errors, each with the exit code the command line ends with and what the user can do next.

Exit codes: 0 done; 2 usage; 10 settings or connection; 11 bad input stopped the night; 12 model or weights refused;
13 another run holds the lock; 14 partial: some sources were unreachable, the rest is published.

Messages never hold a name, a medical record number, a date of birth, or the path of a photo.
"""

from __future__ import annotations

import traceback
from functools import partial
from pathlib import Path
from typing import Any, ClassVar


class FahrError(Exception):
    """An error the operator can act on: what happened, and what to do next."""

    exit_code: ClassVar[int] = 1

    def __init__(self, what_happened: str, *, next_step: str) -> None:
        super().__init__(what_happened)
        self.next_step = next_step

    def __reduce__(self) -> tuple[Any, ...]:
        """As pickle takes it, which a process sends to another."""
        return partial(type(self), next_step=self.next_step), self.args, self.__dict__


class UsageError(FahrError):
    """The command was given words it cannot take."""

    exit_code = 2


class SettingsError(FahrError):
    """A setting is missing or wrong, or a service it names cannot be reached."""

    exit_code = 10


class DatasetRejected(FahrError):
    """A dataset gate failed: the night's input as a whole is not to be trusted, and nothing of it was scored."""

    exit_code = 11


class ModelRefused(FahrError):
    """The model or its weights are missing, altered, or do not fit."""

    exit_code = 12


class LockHeld(FahrError):
    """Another run holds the lock of this job."""

    exit_code = 13


class RunFenced(FahrError):
    """This run was superseded by a later one while it worked; it has written nothing to the warehouse."""

    exit_code = 13


class PartialNight(FahrError):
    """Some sources could not be reached; what came from the others is published."""

    exit_code = 14


def place_of(error: BaseException) -> str:
    """Where an error was raised, `file:line (function)`: in the process it came from."""
    if (told := getattr(error, PLACE, None)) is not None:
        return str(told)
    where = traceback.extract_tb(error.__traceback__)[-1]
    return f"{Path(where.filename).name}:{where.lineno} ({where.name})"


def keep_place(error: BaseException) -> None:
    """Let an error that is sent to another process tell there where it was raised here."""
    setattr(error, PLACE, place_of(error))


PLACE = "raised_at"
"""Attribute that `keep_place` gives an error."""
