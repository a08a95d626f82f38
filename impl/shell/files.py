"""The disk behind the core's `Storage`: plain files below one folder."""

from __future__ import annotations

import fcntl
import os
import shutil
from collections import OrderedDict
from collections.abc import Callable, Sequence
from functools import wraps
from pathlib import Path
from typing import ParamSpec, TypeVar

from impl.core.storage import Bytes, StorageError

MAXIMUM_OPEN_FILES = 256

_Arguments = ParamSpec("_Arguments")
_Result = TypeVar("_Result")


class FolderInUseError(Exception):
    """Another broker works in the data folder, whose number stands in its lock."""


def _raising_storage_error(
    method: Callable[_Arguments, _Result],
) -> Callable[_Arguments, _Result]:
    @wraps(method)
    def call(*arguments: _Arguments.args, **named: _Arguments.kwargs) -> _Result:
        try:
            return method(*arguments, **named)
        except OSError as error:
            raise StorageError(str(error)) from error

    return call


class FileStorage:
    """Keeps the files that were used last open, and a lock on the folder until `close`."""

    def __init__(self, folder: Path) -> None:
        """Raises FolderInUseError or OSError."""
        folder.mkdir(parents=True, exist_ok=True)
        self._folder = folder
        self._open: OrderedDict[str, int] = OrderedDict()
        # A name survives the loss of power only when its folder is flushed too.
        self._new_names: set[str] = set()
        self._lock = os.open(folder / ".lock", os.O_RDWR | os.O_CREAT, 0o644)
        try:
            fcntl.flock(self._lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            number = os.pread(self._lock, 20, 0).decode(errors="replace").strip()
            os.close(self._lock)
            raise FolderInUseError(
                f"another broker works in {folder}: process {number}."
            ) from None
        os.truncate(self._lock, 0)
        os.pwrite(self._lock, b"%d\n" % os.getpid(), 0)

    def close(self) -> None:
        for path in list(self._open):
            self._forget(path)
        os.close(self._lock)

    @property
    def location(self) -> str:
        return str(self._folder.absolute())

    def folders(self) -> list[str]:
        return sorted(entry.name for entry in os.scandir(self._folder) if entry.is_dir())

    def files(self, folder: str) -> list[str]:
        try:
            return sorted(entry.name for entry in os.scandir(self._folder / folder))
        except FileNotFoundError:
            return []

    @_raising_storage_error
    def size(self, path: str) -> int | None:
        try:
            if path in self._open:
                return os.fstat(self._open[path]).st_size
            return os.stat(self._folder / path).st_size
        except FileNotFoundError:
            return None

    @_raising_storage_error
    def read(self, path: str, position: int, length: int) -> bytes:
        return os.pread(self._file(path, create=False), length, position)

    @_raising_storage_error
    def append(self, path: str, parts: Sequence[Bytes]) -> None:
        file = self._file(path, create=True)
        remaining = [memoryview(part) for part in parts if len(part)]
        while remaining:
            written = os.writev(file, remaining)
            while remaining and written >= len(remaining[0]):
                written -= len(remaining.pop(0))
            if written:
                remaining[0] = remaining[0][written:]

    @_raising_storage_error
    def truncate(self, path: str, size: int) -> None:
        os.ftruncate(self._file(path, create=False), size)

    @_raising_storage_error
    def flush(self, path: str) -> None:
        os.fsync(self._file(path, create=False))
        if path in self._new_names:
            self._flush_folder((self._folder / path).parent)
            self._flush_folder(self._folder)
            self._new_names.discard(path)

    @_raising_storage_error
    def replace(self, path: str, content: bytes, *, durable: bool = True) -> None:
        self._forget(path)
        target = self._folder / path
        target.parent.mkdir(exist_ok=True)
        temporary = target.with_name(target.name + ".tmp")
        with open(temporary, "wb") as file:
            file.write(content)
            if durable:
                file.flush()
                os.fsync(file.fileno())
        os.replace(temporary, target)
        if durable:
            self._flush_folder(target.parent)

    @_raising_storage_error
    def rename(self, path: str, new_path: str) -> None:
        self._forget(path)
        self._forget(new_path)
        target = self._folder / new_path
        os.rename(self._folder / path, target)
        self._new_names -= {path, new_path}
        self._flush_folder(target.parent)

    @_raising_storage_error
    def delete(self, path: str) -> None:
        for name in [n for n in self._open if f"{n}/".startswith(f"{path}/")]:
            self._forget(name)
        self._new_names = {n for n in self._new_names if not f"{n}/".startswith(f"{path}/")}
        target = self._folder / path
        if target.is_dir():
            shutil.rmtree(target)
        else:
            target.unlink(missing_ok=True)

    def _file(self, path: str, *, create: bool) -> int:
        """An open file, which is positioned at its end for writing."""
        if path in self._open:
            self._open.move_to_end(path)
            return self._open[path]
        flags = os.O_RDWR | os.O_APPEND
        target = self._folder / path
        try:
            file = os.open(target, flags)
        except FileNotFoundError:
            if not create:
                raise
            target.parent.mkdir(exist_ok=True)
            file = os.open(target, flags | os.O_CREAT, 0o644)
            self._new_names.add(path)
        self._open[path] = file
        if len(self._open) > MAXIMUM_OPEN_FILES:
            self._forget(next(iter(self._open)))
        return file

    def _forget(self, path: str) -> None:
        file = self._open.pop(path, None)
        if file is not None:
            os.close(file)

    @staticmethod
    def _flush_folder(folder: Path) -> None:
        handle = os.open(folder, os.O_RDONLY)
        try:
            os.fsync(handle)
        finally:
            os.close(handle)
