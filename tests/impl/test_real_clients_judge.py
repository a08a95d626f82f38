"""Whoever judges what clients go through is judged: by brokers that break their promises."""

from __future__ import annotations

from functools import partial
from pathlib import Path

import pytest

from tests.conformance.mutants import Mutant
from tests.impl.real_clients import librdkafka, victims
from tests.impl.real_clients.cluster import cluster
from tests.impl.real_clients.judge import assert_exactly_once
from tests.impl.real_clients.scenarios import Victim, Write, writes_survive

pytestmark = pytest.mark.clients

ALL_IS_ONE = Mutant(
    "ACKS-05",
    "impl.core.data.producing",
    old="if request.acks == LEADER_ONLY:",
    new="if True:",
)
NOTHING_IS_ABORTED = Mutant(
    "TXNI-13",
    "impl.core.log.transaction_index",
    old="return self.last_offset >= start and self.first_offset < end",
    new="return False",
)


@pytest.mark.parametrize(
    ("logs", "acknowledged", "verdict"),
    [
        ([[0, 3], [1], [2]], [0, 1, 2], None),
        ([[0], [1], []], [0, 1, 2], "1 acknowledged values are lost"),
        ([[0, 3, 3], [], []], [0, 3], "twice in partition 0"),
        ([[3, 0], [], []], [0, 3], "partition 0 is out of order"),
        ([[], [], []], [], "nothing was acknowledged"),
    ],
)
def test_what_is_lost_repeated_or_out_of_order_is_seen(
    logs: list[list[int]], acknowledged: list[int], verdict: str | None
) -> None:
    if verdict is None:
        assert_exactly_once(logs, acknowledged)
    else:
        with pytest.raises(AssertionError, match=verdict):
            assert_exactly_once(logs, acknowledged)


@pytest.mark.parametrize(
    ("mutant", "write", "victim", "verdict"),
    [
        (
            ALL_IS_ONE,
            partial(librdkafka.write, idempotent=False),
            victims.leader_ahead,
            "acknowledged values are lost",
        ),
        (NOTHING_IS_ABORTED, librdkafka.write_transactions, victims.leader, "twice in partition"),
    ],
)
def test_a_broker_that_breaks_its_promise_is_found_out(
    tmp_path: Path, mutant: Mutant, write: Write, victim: Victim, verdict: str
) -> None:
    faulty = ("tests.conformance.mutant_broker", mutant.as_argument())
    with (
        cluster(tmp_path, faulty) as brokers,
        pytest.raises(AssertionError, match=verdict),
    ):
        writes_survive(brokers, write, victim)
