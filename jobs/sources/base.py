"""What a source of photos must offer: list on the driver, read in the workers."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date, datetime
from typing import Protocol, runtime_checkable
from uuid import UUID

from sqlalchemy import Connection


@dataclass(frozen=True)
class ListedPhoto:
    """One photo as its source lists it, before anything of it is read."""

    source: str
    """Name of the source, as in `fahr.photo_v1.source`."""

    key: str
    """Key at the source: stable, and unique there."""

    version: str
    """Changes when the photo, or what the source says of it, changes. Compared, never parsed."""

    locator: str
    """What the source's reader needs to fetch the bytes."""

    person_id: int | None = None
    """Person it belongs to, where the listing knows."""

    captured_at: datetime | None = None
    """When it was taken, local time, where the listing knows."""

    opted_out: bool = False
    """The person refused, and the listing knows: it is not to be read."""

    refused_as: str | None = None
    """Reason code, where the listing alone tells that it is not to be read."""


class PhotoUnreadable(Exception):
    """The bytes of a photo cannot be had; `reason_code` says why."""

    def __init__(self, reason_code: str) -> None:
        super().__init__(reason_code)
        self.reason_code = reason_code


class SourceUnreachable(Exception):
    """A whole source cannot be reached; the night goes on without it."""


class PhotoReader(Protocol):
    """Fetches bytes in a Spark worker; small, and picklable."""

    @property
    def knows_patient(self) -> bool:
        """Whether the listing is believed about the person and the time of capture. Otherwise the DICOM header is, and
        a photo that the listing gives to another person than its header is refused."""
        ...

    @property
    def connections(self) -> int | None:
        """How many photos its server lets us read at once, all workers together; None: one in each worker."""
        ...

    def read(self, locator: str, limit_bytes: int) -> bytes:
        """The bytes of one photo.

        Raises:
            PhotoUnreadable: with the reason code of `schemas.reasons`.
        """
        ...


class PhotoSource(Protocol):
    """One place photos come from."""

    @property
    def name(self) -> str:
        """Name of the source, as in `fahr.photo_v1.source`."""
        ...

    def new_photos(self, connection: Connection, night: date) -> list[ListedPhoto]:
        """Photos known to the source at the end of `night` that are new or changed since the ledger's last pull,
        or that an earlier pull could not get for a transient reason.

        Raises:
            SourceUnreachable: the source cannot be listed.
        """
        ...

    def reader(self) -> PhotoReader:
        """The reader for this source's locators."""
        ...


@runtime_checkable
class InventoriedSource(PhotoSource, Protocol):
    """A source of which the warehouse remembers what it held, so that deletions are noticed."""

    @property
    def complete(self) -> bool:
        """Whether the last listing told everything; otherwise the night is partial, and the next one looks again."""
        ...

    def has_news(self) -> bool:
        """Whether the last listing found anything to remember."""
        ...

    def remember(self, connection: Connection, night: date, run_id: UUID) -> dict[str, int]:
        """Write down what the last listing found, in the transaction in which the pull writes its photos.

        Returns:
            Counts of what was noticed, by name; empty where nothing was.
        """
        ...
