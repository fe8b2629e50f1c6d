"""The archives (PACS) that the settings name, as sources of photographs."""

from __future__ import annotations

from collections.abc import Callable

from jobs.errors import SettingsError
from jobs.settings import Settings
from jobs.sources.archive import Archive
from jobs.sources.archive_source import ArchiveSource
from jobs.sources.base import PhotoReader, PhotoSource
from jobs.sources.dicomweb import DicomwebArchive, DicomwebReader
from jobs.sources.http_peer import HttpPeer


def archive_sources(settings: Settings) -> list[PhotoSource]:
    """The DICOMweb root and the DIMSE peer, where they are set.

    Raises:
        SettingsError: one of them cannot be used as it is set.
    """
    sources: list[PhotoSource] = []
    if settings.pacs_url is not None:
        http = http_peer(settings, settings.pacs_url)
        sources.append(_source(settings, "dicomweb", DicomwebArchive(http), lambda: DicomwebReader(http)))
    if settings.pacs_dimse is not None:
        from jobs.sources.dimse import DimseArchive, DimseReader
        from jobs.sources.dimse_peer import DimsePeer

        dimse = DimsePeer.from_settings(settings)
        sources.append(_source(settings, "dimse", DimseArchive(dimse), lambda: DimseReader(dimse)))
    return sources


def http_peer(settings: Settings, root: str) -> HttpPeer:
    """The DICOMweb server at `root`, with the credentials of the settings.

    Raises:
        SettingsError: root and credentials cannot be used together.
    """
    return HttpPeer(
        root=root,
        user=settings.pacs_user,
        password=settings.pacs_password,
        token=settings.pacs_token,
        ca_file=settings.pacs_ca_file,
        connections=settings.pacs_connections,
        timeout_seconds=settings.pacs_timeout_seconds,
    )


def _source(settings: Settings, name: str, archive: Archive, make_reader: Callable[[], PhotoReader]) -> ArchiveSource:
    modalities = [part.strip() for part in settings.pacs_modalities.split(",") if part.strip()]
    if not modalities or not all(part.isalnum() and part.isupper() and len(part) <= 16 for part in modalities):
        raise SettingsError(
            "FAHR_PACS_MODALITIES cannot be used.", next_step="Name modalities, separated by commas: XC,OT"
        )
    return ArchiveSource(
        name=name,
        archive=archive,
        make_reader=make_reader,
        modalities=modalities,
        connections=settings.pacs_connections,
        relist_nights=settings.pacs_relist_nights,
    )
