"""Whether a broker answers, and what it says that it can do.

The one place that joins what a broker advertises with what the suite knows. It judges nothing.
"""

import time
from dataclasses import dataclass

from conformance.client import Address, Client, Versions
from conformance.transcript import Transcript
from conformance.verdict import Broken, Inconclusive, NotApplicable
from conformance.wire import Struct
from spec import wire
from spec.wire.errors import ErrorCode

API_VERSIONS = "ApiVersions"


class Unreachable(Exception):  # noqa: N818
    """Nobody answers as a Kafka broker would; the argument is one line for the user."""


@dataclass(frozen=True)
class Cluster:
    """What a broker says of itself: the versions that both sides know, and its fellow brokers."""

    versions: Versions
    brokers: int


def probe(address: Address, timeout: float) -> Cluster:
    """Ask ApiVersions and Metadata. Raises Unreachable."""
    place = f"{address[0]}:{address[1]}"
    try:
        versions = versions_of(address, timeout)
        client = Client(address, versions, Transcript(), time.monotonic() + timeout)
        try:
            brokers = len(client.call("Metadata", topics=[]).brokers or ())
        finally:
            client.close()
    except OSError as error:
        raise Unreachable(f"{place} cannot be reached: {error.strerror or error}.") from None
    except (Broken, Inconclusive, NotApplicable) as error:
        raise Unreachable(f"{place} does not answer as a Kafka broker: {error}.") from None
    return Cluster(versions, brokers)


def versions_of(address: Address, timeout: float) -> Versions:
    """The versions that both sides know at an address, also that of a controller.

    Raises OSError, Broken, Inconclusive.
    """
    return usable_versions(api_versions(address, timeout))


def api_versions(address: Address, timeout: float) -> Struct:
    """The answer to ApiVersions, in the newest version that the broker has.

    One that refuses a version says which it has; one that drops the connection, or answers what
    cannot be read, is asked the oldest.
    """
    known = wire.request(API_VERSIONS).valid_versions
    try:
        answer = ask(address, known[-1], timeout)
    except Broken:
        return ask(address, known[0], timeout)
    if answer.error_code != ErrorCode.UNSUPPORTED_VERSION:
        return answer
    offered = [key for key in answer.api_keys if key.api_key == wire.api_keys()[API_VERSIONS]]
    newest = max((key.max_version for key in offered), default=known[0])
    return ask(address, newest if newest in known else known[0], timeout)


def ask(address: Address, version: int, timeout: float) -> Struct:
    """One ApiVersions on a connection of its own. Raises OSError, Broken, Inconclusive."""
    client = Client(address, {}, Transcript(), time.monotonic() + timeout)
    try:
        answer = client.call(
            API_VERSIONS,
            version,
            client_software_name="brokerspec",
            client_software_version="1",
        )
    finally:
        client.close()
    if answer.api_keys is None:
        raise Broken(f"ApiVersions version {version} is answered with null instead of APIs")
    return answer


def usable_versions(answer: Struct) -> Versions:
    """The versions that the broker advertises and the suite's table knows."""
    usable = {}
    for entry in answer.api_keys:
        name = wire.api_names().get(entry.api_key)
        if name is not None:
            known = wire.request(name).valid_versions
            start = max(entry.min_version, known.start)
            stop = min(entry.max_version + 1, known.stop)
            if start < stop:
                usable[name] = range(start, stop)
    return usable
