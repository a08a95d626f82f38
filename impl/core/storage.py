"""The one interface between the broker's core and the disk, and a disk that lives in memory.

Paths are relative to the data folder and have at most one folder in them: `meta.properties`,
`orders-0/00000000000000000000.log`. An implementation does what it is told and decides nothing;
whatever goes wrong below it is raised as `StorageError`.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from typing import Protocol, TypeAlias

Bytes: TypeAlias = bytes | bytearray | memoryview


class StorageError(Exception):
    """The disk did not do what it was told: it is full, broken or gone."""


class Storage(Protocol):
    @property
    def location(self) -> str:
        """Where the data folder is, for people."""

    def folders(self) -> list[str]:
        """The folders of the data folder."""

    def files(self, folder: str) -> list[str]:
        """The names of the files in a folder; none if there is no such folder."""

    def size(self, path: str) -> int | None:
        """The size of a file in bytes, or None if there is none."""

    def read(self, path: str, position: int, length: int) -> bytes:
        """Up to `length` bytes from `position`: fewer at the end of the file."""

    def append(self, path: str, parts: Sequence[Bytes]) -> None:
        """Write at the end of a file; make the file, and its folder, when there is none.

        On return the bytes survive the death of this process; only `flush` makes them survive the
        machine's. On failure some of them may have been written.
        """

    def truncate(self, path: str, size: int) -> None:
        """Cut a file to `size` bytes."""

    def flush(self, path: str) -> None:
        """Return when all that was appended to the file survives the loss of power."""

    def replace(self, path: str, content: bytes, *, durable: bool = True) -> None:
        """Give a file new content at once: a reader, or a restart, sees the old or the new."""

    def rename(self, path: str, new_path: str) -> None:
        """Give a flushed file another name, in place of what had it; durable on return."""

    def delete(self, path: str) -> None:
        """Remove a file, or a folder with all that is in it; nothing happens if it is gone."""


@dataclass(slots=True)
class _File:
    content: bytearray
    flushed: int | None = None
    """How much of the content survives the loss of power; None: the name does not."""
    former: bytes | None = None
    """What survives in its place, after it was cut or replaced and not flushed since."""

    def survivor(self) -> bytes | None:
        if self.former is not None or self.flushed is None:
            return self.former
        return bytes(self.content[: self.flushed])


class MemoryStorage:
    """Files in memory, which forget on `crash` what was not flushed."""

    def __init__(self) -> None:
        self._files: dict[str, _File] = {}

    @property
    def location(self) -> str:
        return "memory"

    def folders(self) -> list[str]:
        return sorted({path.partition("/")[0] for path in self._files if "/" in path})

    def files(self, folder: str) -> list[str]:
        prefix = folder + "/"
        return sorted(path[len(prefix) :] for path in self._files if path.startswith(prefix))

    def size(self, path: str) -> int | None:
        return len(self._files[path].content) if path in self._files else None

    def read(self, path: str, position: int, length: int) -> bytes:
        return bytes(self._file(path).content[position : position + length])

    def append(self, path: str, parts: Iterable[Bytes]) -> None:
        content = self._files.setdefault(path, _File(bytearray())).content
        for part in parts:
            content += part

    def truncate(self, path: str, size: int) -> None:
        file = self._file(path)
        if file.flushed is not None and size < file.flushed:
            file.former, file.flushed = file.survivor(), None
        del file.content[size:]

    def flush(self, path: str) -> None:
        file = self._file(path)
        file.flushed, file.former = len(file.content), None

    def replace(self, path: str, content: bytes, *, durable: bool = True) -> None:
        known = self._files.get(path)
        former = None if durable or known is None else known.survivor()
        self._files[path] = _File(bytearray(content), len(content) if durable else None, former)

    def rename(self, path: str, new_path: str) -> None:
        self._files[new_path] = self._file(path)
        del self._files[path]

    def delete(self, path: str) -> None:
        for name in [n for n in self._files if n == path or n.startswith(path + "/")]:
            del self._files[name]

    def _file(self, path: str) -> _File:
        try:
            return self._files[path]
        except KeyError:
            raise StorageError(f"there is no file {path}") from None

    def crash(self, kept: Callable[[int], int] = lambda _size: 0) -> None:
        """Lose power: each file becomes what it was when it was last flushed.

        Of what was appended since, `kept` says how many of so many bytes survive by chance.
        """
        survivors = {}
        for path, file in self._files.items():
            content = file.survivor()
            if content is None:
                continue
            if file.former is None and file.flushed is not None:
                tail = file.content[file.flushed :]
                content += bytes(tail[: kept(len(tail))])
            survivors[path] = _File(bytearray(content), len(content))
        self._files = survivors
