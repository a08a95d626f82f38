"""What a node must not forget: its epoch, its vote, and who led (CLUS-11, CLUS-13).

Kept in Kafka's file `quorum-state`, whose version 0 names the voters as well; version 1, which
Kafka writes where voters can change, is read too. A file that is damaged stops the node: a vote
that is forgotten could be given twice.
"""

from __future__ import annotations

import json
from collections.abc import Collection
from typing import NamedTuple

from impl.core.config import ConfigError
from impl.core.quorum.metadata_log import FOLDER
from impl.core.storage import Storage, StorageError

PATH = f"{FOLDER}/quorum-state"
_MAXIMUM_SIZE = 1 << 20
_NOBODY = -1


class ElectionState(NamedTuple):
    epoch: int = 0
    leader_id: int | None = None
    voted_for: int | None = None


def read_election_state(storage: Storage) -> ElectionState:
    """The state that was kept last; that of a new node if none was. Raises StorageError."""
    if storage.size(PATH) is None:
        return ElectionState()
    try:
        kept = json.loads(storage.read(PATH, 0, _MAXIMUM_SIZE))
        if kept["data_version"] not in (0, 1):
            raise StorageError(f"{PATH} has a version that this broker does not know.")
        epoch, leader_id, voted_for = (
            int(kept[name]) for name in ("leaderEpoch", "leaderId", "votedId")
        )
    except (ValueError, KeyError, TypeError) as error:
        raise StorageError(f"{PATH} is damaged: {error!r}") from None
    return ElectionState(max(epoch, 0), _somebody(leader_id), _somebody(voted_for))


def check_voters(storage: Storage, voters: Collection[int]) -> None:
    """Raises ConfigError if the folder is of a quorum of others.

    Two sets of voters could each elect a leader, and each commit what the other never heard of.
    """
    if storage.size(PATH) is None:
        return
    try:
        named = json.loads(storage.read(PATH, 0, _MAXIMUM_SIZE)).get("currentVoters") or ()
        kept = {int(voter["voterId"]) for voter in named}
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        raise StorageError(f"{PATH} is damaged: {error!r}") from None
    if kept and kept != set(voters):
        raise ConfigError(
            f"the data folder is of a quorum of {_listed(kept)}, and not of {_listed(voters)}: "
            "controller.quorum.voters has to stay as it was."
        )


def _listed(voters: Collection[int]) -> str:
    return ", ".join(f"node {voter}" for voter in sorted(voters))


def _somebody(node_id: int) -> int | None:
    return None if node_id == _NOBODY else node_id


def write_election_state(storage: Storage, state: ElectionState, voters: Collection[int]) -> None:
    """Durable on return. Raises StorageError."""
    kept = {
        "clusterId": "",
        "leaderId": _NOBODY if state.leader_id is None else state.leader_id,
        "leaderEpoch": state.epoch,
        "votedId": _NOBODY if state.voted_for is None else state.voted_for,
        "appliedOffset": 0,
        "currentVoters": [{"voterId": voter} for voter in sorted(voters)],
        "data_version": 0,
    }
    storage.replace(PATH, json.dumps(kept, separators=(",", ":")).encode())
