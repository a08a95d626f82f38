"""The targets by name. A further one is a module of this package and a line here."""

from conformance.broker import TargetError
from conformance.client import Address
from conformance.targets.apache_kafka import ApacheKafka
from conformance.targets.librdkafka_mock import LibrdkafkaMock
from conformance.targets.reference import Reference
from conformance.targets.tansu import Tansu
from conformance.targets.target import Target

TARGETS: dict[str, type[ApacheKafka | LibrdkafkaMock | Reference | Tansu]] = {
    "apache-kafka": ApacheKafka,
    "librdkafka-mock": LibrdkafkaMock,
    "reference": Reference,
    "tansu": Tansu,
}


def open_target(name: str) -> Target:
    """A target, not yet started, by its name; `apache-kafka:4.1.0` asks for one version of it.

    Raises TargetError with a sentence for the user.
    """
    kind, colon, version = name.partition(":")
    if kind not in TARGETS:
        raise TargetError(f"there is no target {kind!r}; there are {', '.join(TARGETS)}.")
    if not colon:
        return TARGETS[kind]()
    if kind != "apache-kafka":
        raise TargetError(
            f"{kind} comes in the version that is installed; leave out ':{version}'."
        )
    return ApacheKafka(version=version)


def parse_address(text: str) -> Address:
    """HOST:PORT, with an IPv6 host in brackets. Raises TargetError."""
    host, colon, port = text.rpartition(":")
    if not (host and "," not in host and colon and port.isdecimal() and 0 < int(port) < 2**16):
        raise TargetError(f"{text!r} is no address; write one HOST:PORT, such as 127.0.0.1:9092.")
    return host.removeprefix("[").removesuffix("]"), int(port)
