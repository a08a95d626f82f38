"""C text to a loaded shared library, kept in the user's cache so that it is compiled once.

Decides where a library is kept and when a kept one can be used: it is named after all that it was
made from, and ends with the digest of its own bytes. It refuses to know what the text says.
"""

from __future__ import annotations

import ctypes
import hashlib
import os
import platform
import shlex
import shutil
import subprocess
import tempfile
from collections.abc import Sequence
from pathlib import Path

from model.lang.places import ModelError

FLAGS = ("-std=gnu11", "-O2", "-fPIC", "-shared", "-pthread", "-w")
# Vectors of 32 bytes: comparisons of longer ones leave their results where they are of less use.
TUNING = {"x86_64": ("-march=native", "-mno-avx512f"), "aarch64": ("-mcpu=native",)}
DIGEST = hashlib.sha256().digest_size
SHOWN_LINES = 5


def library(source: str) -> ctypes.CDLL:
    """The library made from this text, from the cache if it is there and whole.

    Raises ModelError where there is no C compiler, or where it refuses the text.
    """
    compiler = _compiler()
    flags = [*FLAGS, *TUNING.get(platform.machine(), ())]
    made_from = [source, *compiler, *_identity(compiler[0]), *flags, _processor()]
    name = hashlib.sha256("\0".join(made_from).encode()).hexdigest()
    with tempfile.TemporaryDirectory(prefix="brokerspec-") as scratch:
        path = _cache(Path(scratch)) / f"{name}.so"
        try:
            if not _is_whole(path):
                _keep(_built(source, compiler, flags, Path(scratch)), path)
            return ctypes.CDLL(str(path))
        except OSError as error:
            raise ModelError(f"the compiled kernel cannot be kept or loaded: {error}") from error


def _compiler() -> list[str]:
    command = shlex.split(os.environ.get("CC", "")) or ["cc"]
    found = shutil.which(command[0])
    if found is None:
        raise ModelError(
            f"the compiled kernel needs a C compiler, and there is no {command[0]!r}:"
            " install one, name one in CC, or choose another kernel"
        )
    return [found, *command[1:]]


def _identity(compiler: str) -> list[str]:
    """Another compiler under the same name is another one."""
    real = os.path.realpath(compiler)
    seen = os.stat(real)
    return [real, str(seen.st_mtime_ns), str(seen.st_size)]


def _processor() -> str:
    """What the code may be tuned for: a cache can be shared by several machines."""
    try:
        lines = Path("/proc/cpuinfo").read_text().splitlines()
    except OSError:
        return platform.processor()
    wanted = ("model name", "flags", "Features", "CPU part")
    return "\n".join(sorted({line for line in lines if line.startswith(wanted)}))


def _cache(otherwise: Path) -> Path:
    """The directory of kept libraries, or the other one where nothing can be kept."""
    base = os.environ.get("XDG_CACHE_HOME") or "~/.cache"
    directory = Path(base).expanduser() / "brokerspec" / "kernels"
    try:
        directory.mkdir(parents=True, exist_ok=True, mode=0o700)
    except OSError:
        return otherwise
    return directory if os.access(directory, os.W_OK) else otherwise


def _is_whole(path: Path) -> bool:
    try:
        content = path.read_bytes()
    except OSError:
        return False
    return content[-DIGEST:] == hashlib.sha256(content[:-DIGEST]).digest()


def _built(source: str, compiler: list[str], flags: Sequence[str], scratch: Path) -> bytes:
    text, product = scratch / "kernel.c", scratch / "kernel.so"
    text.write_text(source)
    answer = ""
    # A compiler that does not know the tuning can do without.
    for chosen in (flags, FLAGS):
        command = [*compiler, *chosen, "-o", str(product), str(text)]
        try:
            done = subprocess.run(command, capture_output=True, text=True, check=False)
        except OSError as error:
            raise ModelError(f"the C compiler {compiler[0]} cannot be run: {error}") from error
        if done.returncode == 0:
            return product.read_bytes()
        answer = answer or done.stderr.strip()
    shown = "\n".join(answer.splitlines()[:SHOWN_LINES])
    raise ModelError(f"the C compiler {compiler[0]} refuses the generated kernel:\n{shown}")


def _keep(built: bytes, path: Path) -> None:
    """Others that look for the file meanwhile see all of it or nothing."""
    handle, name = tempfile.mkstemp(dir=path.parent, prefix=path.stem[:8], suffix=".part")
    with os.fdopen(handle, "wb") as file:
        file.write(built + hashlib.sha256(built).digest())
    os.replace(name, path)
