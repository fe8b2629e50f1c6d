"""One DICOM application entity that is asked over DIMSE (PS3.7), and the associations of this process with it."""

from __future__ import annotations

import re
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import lru_cache

from pydicom.uid import (
    JPEG2000,
    UID,
    DeflatedExplicitVRLittleEndian,
    ExplicitVRBigEndian,
    ExplicitVRLittleEndian,
    ImplicitVRLittleEndian,
    JPEG2000Lossless,
    JPEGBaseline8Bit,
    JPEGExtended12Bit,
    JPEGLossless,
    JPEGLosslessSV1,
    JPEGLSLossless,
    JPEGLSNearLossless,
    RLELossless,
)
from pynetdicom import AE, _config, build_context, build_role, evt
from pynetdicom.association import Association
from pynetdicom.presentation import PresentationContext
from pynetdicom.sop_class import (  # type: ignore[attr-defined]
    StudyRootQueryRetrieveInformationModelFind,
    StudyRootQueryRetrieveInformationModelGet,
)

from jobs.errors import SettingsError
from jobs.settings import Settings
from jobs.sources.base import SourceUnreachable
from schemas.landing_rules import PHOTO_SOP_CLASSES

# Identifiers name patients: pynetdicom would log them, and convert odd values with warnings that quote them.
_config.LOG_REQUEST_IDENTIFIERS = _config.LOG_RESPONSE_IDENTIFIERS = False

TRANSFER_SYNTAXES: tuple[UID, ...] = (
    JPEGBaseline8Bit,
    JPEGExtended12Bit,
    JPEGLossless,
    JPEGLosslessSV1,
    JPEGLSLossless,
    JPEGLSNearLossless,
    JPEG2000Lossless,
    JPEG2000,
    RLELossless,
    ExplicitVRLittleEndian,
    ImplicitVRLittleEndian,
    ExplicitVRBigEndian,
    DeflatedExplicitVRLittleEndian,
)
"""What a photograph may be stored in. Each is offered in a context of its own, so that the archive can send every
object as it is stored and need not decode one."""


@dataclass(frozen=True)
class DimsePeer:
    """An archive's address and title, and ours. Small and picklable."""

    title: str
    host: str
    port: int
    own_title: str = "FAHR"
    connections: int = 8
    timeout_seconds: float = 30

    @classmethod
    def from_settings(cls, settings: Settings) -> DimsePeer:
        """The peer that FAHR_PACS_DIMSE names.

        Raises:
            SettingsError: it is not AETITLE@host:port, or a title is longer than 16 characters.
        """
        match = re.fullmatch(r"([\x21-\x5b\x5d-\x7e]{1,16})@([^@:\s]+):(\d{1,5})", settings.pacs_dimse or "")
        if match is None or not 0 < int(match[3]) < 65536 or not 0 < len(settings.pacs_aet) <= 16:
            raise SettingsError(
                "FAHR_PACS_DIMSE or FAHR_PACS_AET cannot be used.",
                next_step="FAHR_PACS_DIMSE is AETITLE@host:port; a title has 1 to 16 characters.",
            )
        return cls(
            title=match[1],
            host=match[2],
            port=int(match[3]),
            own_title=settings.pacs_aet,
            connections=settings.pacs_connections,
            timeout_seconds=settings.pacs_timeout_seconds,
        )

    @contextmanager
    def association(self) -> Iterator[ArchiveAssociation]:
        """An association for one question at a time, kept for the next one unless it broke.

        Raises:
            SourceUnreachable: the archive cannot be reached or refuses us.
        """
        idle = _idle_of(self)
        association = idle.take() or ArchiveAssociation(self)
        try:
            yield association
        except BaseException:
            association.abort()
            raise
        idle.put(association)


NEEDED = {
    "C-FIND": StudyRootQueryRetrieveInformationModelFind,
    "C-GET": StudyRootQueryRetrieveInformationModelGet,
}
"""What an archive must let us do. Some have C-MOVE only, which would send photographs to an address of its own list."""


class ArchiveAssociation:
    """An open association, and the objects it received."""

    def __init__(self, peer: DimsePeer) -> None:
        """Open it.

        Raises:
            SourceUnreachable: the archive cannot be reached, refuses us, or has no C-FIND or C-GET for us.
        """
        self.received: list[bytes] = []
        entity = AE(ae_title=peer.own_title)
        entity.acse_timeout = entity.dimse_timeout = entity.connection_timeout = peer.timeout_seconds
        entity.network_timeout = peer.timeout_seconds
        self.inner: Association = entity.associate(
            peer.host,
            peer.port,
            ae_title=peer.title,
            contexts=_contexts(),
            ext_neg=[build_role(UID(uid), scp_role=True) for uid in PHOTO_SOP_CLASSES],
            evt_handlers=[(evt.EVT_C_STORE, self._store)],
        )
        if not self.inner.is_established:
            raise SourceUnreachable("it accepts no association")
        accepted = {context.abstract_syntax for context in self.inner.accepted_contexts}
        for service, model in NEEDED.items():
            if model not in accepted:
                self.inner.abort()
                raise SourceUnreachable(f"it offers us no {service} (Study Root): allow it there, or use DICOMweb")

    @property
    def is_open(self) -> bool:
        """Whether it can be used."""
        return bool(self.inner.is_established)

    def abort(self) -> None:
        """End it at once."""
        if self.inner.is_established:
            self.inner.abort()

    def release(self) -> None:
        """End it in good manner."""
        if self.inner.is_established:
            self.inner.release()

    def _store(self, event: evt.Event) -> int:
        self.received.append(event.encoded_dataset())
        return 0x0000


class _Idle:
    """Associations that wait for the next question. The archive's or our own time limit ends those that wait long."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._waiting: list[ArchiveAssociation] = []

    def take(self) -> ArchiveAssociation | None:
        """One that is still open."""
        with self._lock:
            while self._waiting:
                association = self._waiting.pop()
                if association.is_open:
                    return association
        return None

    def put(self, association: ArchiveAssociation) -> None:
        """Let it wait."""
        with self._lock:
            self._waiting.append(association)

    def release(self) -> None:
        """End all that wait."""
        while (association := self.take()) is not None:
            association.release()


def release_idle(peer: DimsePeer) -> None:
    """End this process's waiting associations with a peer."""
    _idle_of(peer).release()


@lru_cache(maxsize=8)
def _idle_of(peer: DimsePeer) -> _Idle:
    return _Idle()


def _contexts() -> list[PresentationContext]:
    """C-FIND, C-GET, and every class of photographs in every transfer syntax."""
    contexts = [build_context(model) for model in NEEDED.values()]
    contexts += [build_context(UID(uid), syntax) for uid in PHOTO_SOP_CLASSES for syntax in TRANSFER_SYNTAXES]
    return contexts
