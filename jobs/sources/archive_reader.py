"""Reading one instance of an archive in a worker, whichever protocol fetches it."""

from __future__ import annotations

import uuid
from abc import ABC, abstractmethod
from dataclasses import dataclass, field
from typing import Generic, Protocol, TypeVar

from jobs.sources.archive import AnswerRefused
from jobs.sources.archive_photo import Locator
from jobs.sources.base import PhotoUnreadable, SourceUnreachable
from jobs.sources.breaker import Breaker


class Peer(Protocol):
    """A server, as it is to be asked: small, and picklable."""

    @property
    def connections(self) -> int:
        """Connections that it lets us have at once."""
        ...


P = TypeVar("P", bound=Peer)


@dataclass(frozen=True)
class ArchiveReader(ABC, Generic[P]):
    """Fetches instances in a worker. What cannot be had because of the server is tried again on a later night."""

    peer: P
    pull: str = field(default_factory=lambda: uuid.uuid4().hex)
    """Tells this pull's failures from those of another one in the same process."""
    knows_patient: bool = False

    @property
    def connections(self) -> int:
        """Connections at once, all workers together."""
        return self.peer.connections

    def read(self, locator: str, limit_bytes: int) -> bytes:
        """The instance at `locator` as a DICOM file, as it is stored.

        Raises:
            PhotoUnreadable: file_missing, file_too_large, unreadable_file, access_denied, not_at_hand, or
                source_unreachable.
        """
        breaker = Breaker.of(self.pull)
        if breaker.is_open:
            raise PhotoUnreadable("source_unreachable")
        photo = Locator.from_text(locator)
        try:
            content = self.fetch(photo, limit_bytes)
        except SourceUnreachable:
            breaker.failed()
            raise PhotoUnreadable("source_unreachable") from None
        except AnswerRefused:
            breaker.answered()
            raise PhotoUnreadable("unreadable_file") from None
        except PhotoUnreadable:
            breaker.answered()
            raise
        breaker.answered()
        return photo.check(content, limit_bytes)

    @abstractmethod
    def fetch(self, photo: Locator, limit_bytes: int) -> bytes:
        """What the server answers when it is asked for the instance.

        Raises:
            SourceUnreachable: it cannot be reached, or lets nobody in.
            AnswerRefused: it answers something that is no instance.
            PhotoUnreadable: file_missing, access_denied, not_at_hand, or file_too_large where more than `limit_bytes`
                came.
        """
        ...
