"""Reading files below one folder, and nothing outside it."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from jobs.sources.base import PhotoUnreadable, SourceUnreachable


def require_mounted(folder: Path) -> None:
    """Ask that something lies in `folder`: where nothing is mounted there is an empty folder, or none.

    Raises:
        SourceUnreachable: it is not there, is empty, or cannot be looked into.
    """
    try:
        if not any(folder.iterdir()):
            raise SourceUnreachable("its folder is empty, and photos are known that lie there: is it mounted?")
    except (FileNotFoundError, NotADirectoryError):
        raise SourceUnreachable("its folder is not there: is it mounted?") from None
    except OSError:
        raise SourceUnreachable("its folder cannot be looked into: may this user read it?") from None


@dataclass(frozen=True)
class FolderReader:
    """Reads files below `root`. A locator is a path relative to it."""

    root: Path
    knows_patient: bool
    connections: int | None = None

    def read(self, locator: str, limit_bytes: int) -> bytes:
        """The bytes of the file at `locator`; links are followed, and must end below `root` too.

        Raises:
            PhotoUnreadable: outside_photo_root, file_missing, file_too_large, or unreadable_file.
        """
        try:
            path = (self.root / locator).resolve()
            if not path.is_relative_to(self.root):
                raise PhotoUnreadable("outside_photo_root")
            with path.open("rb") as file:
                content = file.read(limit_bytes + 1)
        except (FileNotFoundError, NotADirectoryError):
            raise PhotoUnreadable("file_missing") from None
        except (OSError, ValueError):
            raise PhotoUnreadable("unreadable_file") from None
        if len(content) > limit_bytes:
            raise PhotoUnreadable("file_too_large")
        return content
