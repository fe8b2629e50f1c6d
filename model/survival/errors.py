"""Why a survival model was not fitted."""

from __future__ import annotations

from model.errors import ModelError


class FitRefused(ModelError):
    """The data cannot support this model; the message says why, in words fit for a table. Nothing was estimated."""
