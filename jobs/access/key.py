"""The hospital's key, and what it makes of a person: a pseudonym and a shift of dates. No database is touched here."""

from __future__ import annotations

import hashlib
import hmac
from dataclasses import dataclass, field

from jobs.errors import SettingsError
from jobs.settings import Settings

FEWEST_CHARACTERS = 32
PSEUDONYM_DIGITS = 32
"""Hexadecimal digits of a pseudonym, 128 bits: two of ten million persons share one with a chance of 1e-25."""


@dataclass(frozen=True, slots=True)
class PseudonymKey:
    """Makes pseudonyms and shifts; who does not have it can neither make nor reverse them."""

    secret: bytes = field(repr=False)
    span_days: int

    @property
    def key_id(self) -> str:
        """Tells keys (and spans) apart, and nothing of them."""
        return self._digest(f"key {self.span_days}")[:16]

    def pseudonym(self, person_id: int) -> str:
        """The first 128 bits of HMAC-SHA-256 of the person id, in hexadecimal."""
        return self._digest(f"person {person_id}")[:PSEUDONYM_DIGITS]

    def shift_days(self, person_id: int) -> int:
        """Days to add to each date of the person: -span to +span, never 0, all (but for 2e-16) equally likely."""
        place = int(self._digest(f"shift {person_id}")[:16], 16) % (2 * self.span_days)
        return place - self.span_days if place < self.span_days else place - self.span_days + 1

    def _digest(self, message: str) -> str:
        return hmac.new(self.secret, f"fahr {message}".encode(), hashlib.sha256).hexdigest()


def pseudonym_key(settings: Settings) -> PseudonymKey | None:
    """The key of FAHR_PSEUDONYM_KEY or FAHR_PSEUDONYM_KEY_FILE; None where neither is set.

    Raises:
        SettingsError: both are set, or the file cannot be read, is open to other users, or holds too short a key.
    """
    if settings.pseudonym_key is not None and settings.pseudonym_key_file is not None:
        raise SettingsError(
            "FAHR_PSEUDONYM_KEY and FAHR_PSEUDONYM_KEY_FILE are both set.", next_step="Unset one of them."
        )
    if settings.pseudonym_key_file is not None:
        secret = _secret_of_file(settings)
    elif settings.pseudonym_key is not None:
        secret = settings.pseudonym_key.get_secret_value()
    else:
        return None
    if len(secret) < FEWEST_CHARACTERS:
        raise SettingsError(
            f"The pseudonym key has fewer than {FEWEST_CHARACTERS} characters.",
            next_step="See docs/access.md, The key.",
        )
    return PseudonymKey(secret.encode(), settings.date_shift_days)


def _secret_of_file(settings: Settings) -> str:
    path = settings.pseudonym_key_file
    assert path is not None
    try:
        if path.stat().st_mode & 0o077:
            raise SettingsError(
                "The file of FAHR_PSEUDONYM_KEY_FILE is open to other users.", next_step="chmod 600 that file."
            )
        return path.read_text(encoding="utf-8").strip()
    except (OSError, UnicodeDecodeError) as error:
        raise SettingsError(
            f"The file of FAHR_PSEUDONYM_KEY_FILE cannot be read ({type(error).__name__}).",
            next_step="See docs/access.md, The key.",
        ) from None
