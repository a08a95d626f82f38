"""What a session asks of whoever keeps the broker under test: where it is, and what befalls it.

The targets are such; this file says nothing of how they do it.
"""

from collections.abc import Mapping
from typing import Protocol

from conformance.client import Address, Versions


class TargetError(Exception):
    """A target could not be started or restarted; the argument is one line for the user."""


class Broker(Protocol):
    """What a session knows of the broker that it talks to."""

    @property
    def address(self) -> Address: ...

    @property
    def versions(self) -> Versions: ...

    @property
    def newest_usable(self) -> Mapping[str, int]:
        """By API, the version to use by default where newer ones are advertised but broken."""

    def restart(self) -> None:
        """Stop cleanly and start again on the same data; return when it answers."""

    def crash(self) -> None:
        """End the process without warning and start it again on the same data."""

    def kill(self, node_id: int) -> None:
        """End one node without warning."""

    def pause(self, node_id: int) -> None:
        """Let one node stand still."""

    def resume(self, node_id: int) -> None:
        """Let a node that stands still go on."""

    def stop_node(self, node_id: int) -> None:
        """Stop one node cleanly; return when it has ended."""

    def start_node(self, node_id: int) -> None:
        """Start one node on its data; return when it answers."""

    def heal(self) -> None:
        """Bring back every node to which something was done."""

    def controller(self, node_id: int) -> tuple[Address, Versions]:
        """Where a node listens as a controller, with the versions that both sides know there."""
