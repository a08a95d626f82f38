"""`brokerspec broker`: run a broker, or several that form a cluster, until told to stop."""

from __future__ import annotations

import argparse
import logging
import sys
import tempfile
from collections.abc import Callable, Sequence
from contextlib import ExitStack
from functools import partial
from pathlib import Path

from impl.core.config import ConfigError
from impl.core.refusal import KafkaError
from impl.core.storage import StorageError
from impl.shell.cluster import plan_cluster
from impl.shell.files import FolderInUseError
from impl.shell.java_properties import parse_java_properties
from impl.shell.network import Address
from impl.shell.node import Sockets
from impl.shell.processes import Task, run_together
from impl.shell.properties import read_properties
from impl.shell.running import READY, InputError, Plan, bind, plan, reason, run

DEFAULT_HOST, DEFAULT_PORT = "127.0.0.1", 9092

EXAMPLE = """\
examples:
  brokerspec broker --port 9092 --data /tmp/kafka --set num.partitions=3
  brokerspec broker --cluster 3 --port 9092 --data /tmp/kafka
  brokerspec broker server.properties

It prints one line when it is ready, and stops on SIGINT or SIGTERM.
"""

_log = logging.getLogger("brokerspec.broker")


def main(arguments: list[str]) -> int:
    """Run a broker; 0 when it was told to stop, 1 when it failed, 2 for bad input."""
    options = _parser().parse_args(arguments)
    _begin_log(options.verbose, "%(asctime)s %(levelname)s %(message)s")
    return _reporting(partial(_run_alone if options.cluster is None else _run_cluster, options))


def _begin_log(verbose: bool, line: str) -> None:
    level = logging.INFO if verbose else logging.WARNING
    logging.basicConfig(level=level, format=line, force=True)


def _reporting(action: Callable[[], int]) -> int:
    """The exit status of an action; a problem that the user can solve is told in a sentence."""
    try:
        return action()
    except (InputError, ConfigError, FolderInUseError) as problem:
        print(f"brokerspec broker: {problem}", file=sys.stderr)
        return 2
    except (StorageError, KafkaError) as failure:
        print(f"brokerspec broker: {failure}", file=sys.stderr)
        return 1


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="brokerspec broker",
        description="Run the reference broker: real TCP, Apache Kafka's file format.",
        epilog=EXAMPLE,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument(
        "--host",
        help=f"address to listen on, and the one that clients are told (default: {DEFAULT_HOST})",
    )
    parser.add_argument(
        "--port",
        type=int,
        help=f"0 takes a free one and prints it (default: {DEFAULT_PORT})",
    )
    parser.add_argument(
        "--cluster",
        type=int,
        metavar="N",
        help="run N brokers, on N ports from --port on, each a process and a folder of its own",
    )
    parser.add_argument(
        "--data",
        metavar="DIR",
        help="data folder, before log.dirs; without both a temporary one, gone at the end",
    )
    parser.add_argument(
        "--cluster-id",
        metavar="ID",
        help="the cluster to which a new data folder belongs; without it a new one",
    )
    parser.add_argument(
        "config",
        nargs="?",
        metavar="FILE",
        help="Apache Kafka's property file; what has no effect here is told with --verbose",
    )
    parser.add_argument("--config", dest="config_option", metavar="FILE", help="the same")
    parser.add_argument(
        "--set",
        "--override",
        action="append",
        default=[],
        metavar="KEY=VALUE",
        help="one property, over those of the file; may be repeated",
    )
    parser.add_argument(
        "--verbose",
        action="store_true",
        help="say why connections are closed, and which properties have no effect",
    )
    return parser


# Input


def _given(options: argparse.Namespace) -> dict[str, str]:
    """The properties of the file and of the command line. Raises InputError."""
    if options.config is not None and options.config_option is not None:
        raise InputError("the property file is to be given once.")
    path = options.config or options.config_option
    given: dict[str, str] = {}
    if path is not None:
        try:
            given = parse_java_properties(Path(path).read_text())
        except (OSError, UnicodeDecodeError) as error:
            raise InputError(f"{path} cannot be read: {reason(error)}.") from error
    return {**given, **_pairs(options.set)}


def _pairs(settings: Sequence[str]) -> dict[str, str]:
    pairs = {}
    for setting in settings:
        name, separator, value = setting.partition("=")
        if not separator or not name.strip():
            raise InputError(f"a property is KEY=VALUE, and {setting!r} is none.")
        pairs[name.strip()] = value.strip()
    return pairs


def _first_address(options: argparse.Namespace) -> Address:
    port = DEFAULT_PORT if options.port is None else options.port
    return Address(options.host or DEFAULT_HOST, port)


# Running


def _run_alone(options: argparse.Namespace) -> int:
    given = _given(options)
    if given.get("listeners") and (options.host, options.port) != (None, None):
        raise InputError("--host and --port say the same as listeners: one of them is enough.")
    planned = plan(
        read_properties(given), _first_address(options), options.data, options.cluster_id
    )
    _tell_ignored(planned)
    return run(planned, bind(planned))


def _run_cluster(options: argparse.Namespace) -> int:
    if options.cluster < 1:
        raise InputError(f"a cluster has at least one broker, and not {options.cluster}.")
    with ExitStack() as stack:
        folder = options.data or stack.enter_context(
            tempfile.TemporaryDirectory(prefix="brokerspec-")
        )
        brokers = plan_cluster(
            _given(options),
            options.cluster,
            _first_address(options),
            Path(folder),
            options.cluster_id,
        )
        _tell_ignored(brokers[0][0])
        tasks = [_task(planned, sockets, options.verbose) for planned, sockets in brokers]
        return run_together(tasks, _announce)


def _task(planned: Plan, sockets: Sockets, verbose: bool) -> Task:
    name = f"broker {planned.node_id}"

    def run_child(lifeline: int) -> int:
        _begin_log(verbose, f"%(asctime)s %(levelname)s {name}: %(message)s")
        return _reporting(partial(run, planned, sockets, lifeline))

    return Task(name, run_child, sockets.close)


def _announce(addresses: Sequence[str]) -> None:
    print(READY + ",".join(addresses), flush=True)


def _tell_ignored(planned: Plan) -> None:
    if planned.node.ignored:
        _log.info("has no effect here: %s", ", ".join(planned.node.ignored))
