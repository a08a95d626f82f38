"""Mistakes that a quorum could make, each a rule of it that is broken on purpose.

They have the names of the guards that the machine of the quorum has in that place.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from impl.core.log.log import Log
from impl.core.quorum.electing import Electing
from impl.core.quorum.election_state import (
    ElectionState,
    read_election_state,
    write_election_state,
)
from impl.core.quorum.following import Following
from impl.core.quorum.leading import Leading
from impl.core.quorum.replica import Replica
from impl.core.quorum.roles import Leader

Mistake = Callable[[pytest.MonkeyPatch], None]


def _always(owner: type, rule: str) -> Mistake:
    def make(patch: pytest.MonkeyPatch) -> None:
        patch.setattr(owner, rule, lambda *_: True)

    return make


def _vote_is_not_on_disk(patch: pytest.MonkeyPatch) -> None:
    def keep(self: Replica, state: ElectionState) -> None:
        self._election = state

    patch.setattr(Replica, "_keep", keep)


def _vote_is_not_flushed(patch: pytest.MonkeyPatch) -> None:
    class Hasty:
        def __init__(self, storage: Any) -> None:
            self._storage = storage

        def replace(self, path: str, content: bytes) -> None:
            self._storage.replace(path, content, durable=False)

    def write(storage: Any, *state: Any) -> None:
        write_election_state(Hasty(storage), *state)  # type: ignore[arg-type]

    patch.setattr("impl.core.quorum.replica.write_election_state", write)


def _records_are_not_flushed(patch: pytest.MonkeyPatch) -> None:
    patch.setattr(Log, "flush", lambda _: None)


def _restart_forgets_that_it_led(patch: pytest.MonkeyPatch) -> None:
    patch.setattr(
        "impl.core.quorum.replica.read_election_state",
        lambda storage: read_election_state(storage)._replace(leader_id=None),
    )


def _the_leader_alone_is_a_majority(patch: pytest.MonkeyPatch) -> None:
    patch.setattr(Leading, "end_of_majority", lambda self, _: self._replica.log.log_end_offset)


def _cuts_only_where_the_leader_ends(patch: pytest.MonkeyPatch) -> None:
    patch.setattr(Following, "end_of_common_log", lambda _, leader: leader.end_offset)


def _counts_what_is_sent_and_not_what_is_fetched(patch: pytest.MonkeyPatch) -> None:
    def end_of_majority(self: Leading, leader: Leader) -> int:
        sent = [each.leader_end_at_last_fetch for each in leader.followers.values()]
        return sorted([*sent, self._replica.log.log_end_offset])[-(len(sent) // 2) - 1]

    patch.setattr(Leading, "end_of_majority", end_of_majority)


MISTAKES: dict[str, Mistake] = {
    "votes_for_two": _always(Electing, "has_not_voted_for_another"),
    "votes_for_a_shorter_log": _always(Electing, "log_is_as_far"),
    "commits_records_of_old_epochs": _always(Leading, "is_of_its_own_epoch"),
    "sends_records_that_do_not_fit": _always(Leading, "log_fits"),
    "vote_is_not_on_disk": _vote_is_not_on_disk,
    "vote_is_not_flushed": _vote_is_not_flushed,
    "records_are_not_flushed": _records_are_not_flushed,
    "restart_forgets_that_it_led": _restart_forgets_that_it_led,
    "the_leader_alone_is_a_majority": _the_leader_alone_is_a_majority,
    "cuts_only_where_the_leader_ends": _cuts_only_where_the_leader_ends,
    "counts_what_is_sent": _counts_what_is_sent_and_not_what_is_fetched,
}
