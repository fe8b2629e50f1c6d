"""Errors of the science layer. `jobs` maps them to exit codes; none of them ever names a person or a photo."""

from __future__ import annotations


class ModelError(Exception):
    """Something about the model itself is wrong, as opposed to one photograph."""


class WeightsRefused(ModelError):
    """A model release is missing, altered, incomplete, or of a format that is never loaded (a pickle)."""


class ScorerUnavailable(ModelError):
    """The processor or its memory gave out. Transient: says nothing about the photographs that were being scored."""


class NotComputable(ModelError):
    """These data do not determine this number (no events, no pairs …); the message says why, in words for a table."""
