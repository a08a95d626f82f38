"""`brokerspec broker`: run the reference broker until it is told to stop."""

from __future__ import annotations

import argparse
import asyncio
import logging
import os
import signal
import socket
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path

from impl.core.config import ConfigError, Properties, parse_properties
from impl.core.groups.config import GroupConfig
from impl.core.refusal import KafkaError
from impl.core.storage import StorageError
from impl.shell.files import FileStorage, FolderInUseError
from impl.shell.node import Node

EXAMPLE = """\
example:
  brokerspec broker --port 9092 --data /tmp/kafka --set num.partitions=3

It prints one line when it is ready, and stops on SIGINT or SIGTERM.
"""


class _InputError(Exception):
    """What the user gave cannot be; the message is a sentence."""


def main(arguments: list[str]) -> int:
    """Run a broker; 0 when it was told to stop, 1 when it failed, 2 for bad input."""
    options = _parser().parse_args(arguments)
    logging.basicConfig(
        level=logging.INFO if options.verbose else logging.WARNING,
        format="%(asctime)s %(levelname)s %(message)s",
    )
    try:
        properties = parse_properties(_properties(options), GroupConfig)
        if options.data is not None:
            return _run(options, properties, Path(options.data))
        with tempfile.TemporaryDirectory(prefix="brokerspec-") as folder:
            return _run(options, properties, Path(folder))
    except (_InputError, ConfigError, FolderInUseError) as problem:
        print(f"brokerspec broker: {problem}", file=sys.stderr)
        return 2
    except (StorageError, KafkaError) as failure:
        print(f"brokerspec broker: {failure}", file=sys.stderr)
        return 1


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="brokerspec broker",
        description="Run the reference broker: one node, real TCP, Apache Kafka's file format.",
        epilog=EXAMPLE,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument(
        "--host",
        default="127.0.0.1",
        help="address to listen on, and the one that clients are told (default: %(default)s)",
    )
    parser.add_argument(
        "--port",
        type=int,
        default=9092,
        help="0 takes a free one and prints it (default: %(default)s)",
    )
    parser.add_argument(
        "--data",
        metavar="DIR",
        help="data folder; without it a temporary one, gone at the end",
    )
    parser.add_argument(
        "--config",
        metavar="FILE",
        help="file of properties under Kafka's names; one that this broker lacks is refused",
    )
    parser.add_argument(
        "--set",
        action="append",
        default=[],
        metavar="KEY=VALUE",
        help="one property, over those of the file; may be repeated",
    )
    parser.add_argument("--verbose", action="store_true", help="say why connections are closed")
    return parser


def _properties(options: argparse.Namespace) -> dict[str, str]:
    lines: list[str] = []
    if options.config is not None:
        try:
            lines = Path(options.config).read_text().splitlines()
        except (OSError, UnicodeDecodeError) as error:
            raise _InputError(f"{options.config} cannot be read: {_reason(error)}.") from error
    content = (line.strip() for line in lines)
    return _pairs([line for line in content if line and line[0] not in "#!"] + options.set)


def _pairs(lines: Sequence[str]) -> dict[str, str]:
    pairs = {}
    for line in lines:
        name, separator, value = line.partition("=")
        if not separator or not name.strip():
            raise _InputError(f"a property is KEY=VALUE, and {line!r} is none.")
        pairs[name.strip()] = value.strip()
    return pairs


def _reason(error: Exception) -> str:
    """What the system says, without its number or the Python around it."""
    if isinstance(error, socket.gaierror):
        return str(error.strerror)
    if isinstance(error, OSError) and error.errno:
        return os.strerror(error.errno)
    return str(error)


def _listen(host: str, port: int) -> socket.socket:
    if not 0 <= port <= 65_535:
        raise _InputError(f"there is no port {port}.")
    try:
        family = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)[0][0]
        return socket.create_server((host, port), family=family, backlog=512)
    except OSError as error:
        raise _InputError(f"cannot listen on {host}:{port}: {_reason(error)}.") from error


def _run(options: argparse.Namespace, properties: Properties, folder: Path) -> int:
    try:
        storage = FileStorage(folder)
    except OSError as error:
        raise _InputError(f"the data folder {folder} cannot be used: {_reason(error)}.") from error
    try:
        listener = _listen(options.host, options.port)
        port = listener.getsockname()[1]
        node = Node(storage, properties, options.host, port)
        host = f"[{options.host}]" if ":" in options.host else options.host
        asyncio.run(_serve(node, listener, f"{host}:{port}"))
    finally:
        storage.close()
    return 0


async def _serve(node: Node, listener: socket.socket, address: str) -> None:
    told_to_stop = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGINT, signal.SIGTERM):
        loop.add_signal_handler(number, told_to_stop.set)
    await node.server.start(listener)
    print(f"brokerspec broker ready on {address}", flush=True)
    await told_to_stop.wait()
    await node.stop()
