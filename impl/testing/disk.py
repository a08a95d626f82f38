"""What a broker of the double writes to: memory, or a folder that can be looked into."""

from __future__ import annotations

from pathlib import Path
from typing import Protocol

from impl.core.storage import MemoryStorage, Storage
from impl.shell.files import FileStorage


class Disk(Protocol):
    """It stays while its broker comes and goes."""

    can_lose_power: bool

    def open(self) -> Storage: ...
    def close(self) -> None:
        """The broker is gone; what it wrote is there."""

    def lose_power(self) -> None:
        """What was written and not flushed is gone as well."""


class MemoryDisk:
    can_lose_power = True

    def __init__(self) -> None:
        self._storage = MemoryStorage()

    def open(self) -> Storage:
        return self._storage

    def close(self) -> None:
        pass

    def lose_power(self) -> None:
        self._storage.crash()


class FolderDisk:
    can_lose_power = False

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._storage: FileStorage | None = None

    def open(self) -> Storage:
        self._storage = FileStorage(self._folder)
        return self._storage

    def close(self) -> None:
        if self._storage is not None:
            self._storage.close()
            self._storage = None

    def lose_power(self) -> None:
        raise AssertionError("the operating system has what was written")
