"""The transactions of the producer's core against answers that are made up: what is asked in which
order, what an error does, and what the user may do when.
"""

from __future__ import annotations

from collections import defaultdict
from typing import Any

import pytest

from impl.clients.core.accumulator import Target
from impl.clients.core.asking import Ask, Done, Output
from impl.clients.core.errors import ClientError
from impl.clients.core.transactions import GroupMember
from impl.core.log.batch import read_header
from impl.wire import Struct
from spec.wire.errors import ErrorCode
from tests.impl.test_client_producer import Exchange, batches

MEMBER = GroupMember("g", 3, "m")
BACKOFF_MS = 100


class TransactionalExchange(Exchange):
    """The broker answers at once: with the next of `errors` for the API, or well."""

    def __init__(self, **options: Any) -> None:
        self.log: list[str] = []
        """What was asked, in order, metadata aside."""
        self.times: list[int] = []
        self.asks: list[Ask] = []
        self.errors: dict[str, list[ErrorCode | None]] = defaultdict(list)
        """None is a connection that broke."""
        self.silent: set[str] = set()
        super().__init__(partitions=2, transactional_id="x", linger_ms=0, **options)

    def take(self, outputs: list[Output]) -> None:
        for output in outputs:
            if isinstance(output, Done) or output.api_name == "Metadata":
                super().take([output])
                continue
            self.log.append(output.api_name)
            self.times.append(self.now_ms)
            self.asks.append(output)
            if output.api_name in self.silent:
                continue
            waiting = self.errors[output.api_name]
            error = waiting.pop(0) if waiting else ErrorCode.NONE
            self.answer(output, None if error is None else self._answer(output, error))

    def _answer(self, ask: Ask, error: ErrorCode) -> Struct:
        match ask.api_name:
            case "FindCoordinator":
                return Struct(error_code=error, node_id=1, host="localhost", port=9092)
            case "InitProducerId":
                return Struct(error_code=error, producer_id=7, producer_epoch=0)
            case "AddPartitionsToTxn":
                results = [Struct(partition_index=0, partition_error_code=error)]
                return Struct(
                    error_code=0,
                    results_by_topic_v3_and_below=[Struct(name="t", results_by_partition=results)],
                )
            case "TxnOffsetCommit":
                partition = Struct(partition_index=0, error_code=error)
                return Struct(topics=[Struct(name="t", partitions=[partition])])
            case "Produce":
                return produced(ask, error)
        return Struct(error_code=error)

    @property
    def transactions(self) -> Any:
        assert self.core.transactions is not None
        return self.core.transactions

    def ask(self, step: str, *arguments: Any) -> Exception | str | None:
        """What became of a step of the user's, or that it is under way."""
        handle = object()
        getattr(self.transactions, step)(*arguments, handle)
        self.take(self.core.tick(self.now_ms))
        self.pass_time(500)
        return self.done.get(handle, "under way")  # type: ignore[no-any-return]

    def ready(self) -> TransactionalExchange:
        assert self.ask("init") is None
        self.transactions.begin()
        self.log.clear()
        self.times.clear()
        return self


def produced(ask: Ask, error: ErrorCode) -> Struct:
    topics = [
        Struct(
            name=topic.name,
            partition_responses=[
                Struct(index=each.index, error_code=error, base_offset=0, log_append_time_ms=-1)
                for each in topic.partition_data
            ],
        )
        for topic in ask.body.topic_data
    ]
    return Struct(responses=topics)


def test_an_identity_is_asked_of_the_coordinator_of_the_transactional_id() -> None:
    exchange = TransactionalExchange(transaction_timeout_ms=5_000)
    assert exchange.ask("init") is None
    assert exchange.log == ["FindCoordinator", "InitProducerId"]
    found, init = exchange.asks
    assert (found.body.key, found.body.key_type) == ("x", 1)
    assert (init.body.transactional_id, init.body.transaction_timeout_ms) == ("x", 5_000)


@pytest.mark.parametrize("step", ["commit", "abort"])
def test_a_partition_is_added_before_anything_is_written_to_it(step: str) -> None:
    exchange = TransactionalExchange().ready()
    exchange.send(b"a", "a", partition=0)
    exchange.send(b"b", "b", partition=0)
    exchange.pass_time(10)
    exchange.send(b"c", "c", partition=1)
    exchange.pass_time(10)
    assert exchange.ask(step) is None
    added = [ask.body for ask in exchange.asks if ask.api_name == "AddPartitionsToTxn"]
    assert [each.v3_and_below_topics[0].partitions for each in added] == [[0], [1]]
    assert exchange.log[0] == "AddPartitionsToTxn"
    assert exchange.log.index("Produce") > exchange.log.index("AddPartitionsToTxn")
    assert exchange.log[-1] == "EndTxn"
    assert exchange.asks[-1].body.committed == (step == "commit")
    written = [
        read_header(b) for a in exchange.asks if a.api_name == "Produce" for b in batches(a)
    ]
    assert all(each.is_transactional and each.producer_id == 7 for each in written)


def test_a_transaction_without_anything_ends_without_a_question() -> None:
    exchange = TransactionalExchange().ready()
    assert exchange.ask("commit") is None
    assert exchange.log == []
    exchange.transactions.begin()


def test_offsets_go_to_the_coordinator_of_the_group_as_a_member_of_it() -> None:
    exchange = TransactionalExchange().ready()
    assert exchange.ask("send_offsets", {Target("t", 0): 5}, MEMBER) is None
    assert exchange.ask("commit") is None
    asked = {ask.api_name: ask.body for ask in exchange.asks}
    assert asked["AddOffsetsToTxn"].group_id == "g"
    commit = asked["TxnOffsetCommit"]
    assert (commit.generation_id_or_member_epoch, commit.member_id) == (3, "m")
    assert commit.topics[0].partitions[0].committed_offset == 5
    assert exchange.log[-3:] == ["AddOffsetsToTxn", "TxnOffsetCommit", "EndTxn"]


def test_a_member_of_an_old_generation_commits_nothing() -> None:
    exchange = TransactionalExchange().ready()
    exchange.errors["TxnOffsetCommit"] = [ErrorCode.ILLEGAL_GENERATION]
    refused = exchange.ask("send_offsets", {Target("t", 0): 5}, MEMBER)
    assert isinstance(refused, ClientError)
    assert refused.error is ErrorCode.ILLEGAL_GENERATION
    with pytest.raises(ClientError, match="only be aborted"):
        exchange.transactions.commit(None)
    assert exchange.ask("abort") is None
    exchange.transactions.begin()


@pytest.mark.parametrize("error", [ErrorCode.NOT_COORDINATOR, None])
@pytest.mark.parametrize("api_name", ["InitProducerId", "AddPartitionsToTxn", "EndTxn"])
def test_a_coordinator_that_is_gone_is_looked_for(api_name: str, error: ErrorCode | None) -> None:
    exchange = TransactionalExchange()
    exchange.errors[api_name] = [error]
    assert exchange.ask("init") is None
    exchange.transactions.begin()
    exchange.send(b"a", "a", partition=0)
    exchange.pass_time(500)
    assert exchange.ask("commit") is None
    first = exchange.log.index(api_name)
    assert "FindCoordinator" in exchange.log[first:]
    assert exchange.log.count(api_name) == 2
    assert exchange.done["a"][:2] == (0, 0)


def test_the_end_of_the_transaction_before_is_waited_for_shortly() -> None:
    exchange = TransactionalExchange().ready()
    exchange.errors["AddPartitionsToTxn"] = [ErrorCode.CONCURRENT_TRANSACTIONS] * 2
    exchange.send(b"a", "a", partition=0)
    exchange.pass_time(BACKOFF_MS)
    assert exchange.log == ["AddPartitionsToTxn"] * 3 + ["Produce"]
    assert [at - exchange.times[0] for at in exchange.times[:3]] == [0, 20, 40]


def test_who_is_fenced_says_so() -> None:
    exchange = TransactionalExchange().ready()
    exchange.errors["EndTxn"] = [ErrorCode.PRODUCER_FENCED]
    exchange.send(b"a", "a", partition=0)
    exchange.pass_time(10)
    refused = exchange.ask("commit")
    assert isinstance(refused, ClientError)
    assert refused.error is ErrorCode.PRODUCER_FENCED


def test_a_record_that_was_not_written_leaves_only_the_abort() -> None:
    exchange = TransactionalExchange().ready()
    exchange.errors["Produce"] = [ErrorCode.MESSAGE_TOO_LARGE]
    exchange.send(b"a", "a", partition=0)
    exchange.pass_time(10)
    assert isinstance(exchange.done["a"], ClientError)
    with pytest.raises(ClientError, match="only be aborted"):
        exchange.transactions.commit(None)
    assert exchange.ask("abort") is None
    exchange.transactions.begin()
    assert not exchange.transactions.must_abort


def test_steps_come_in_their_order() -> None:
    exchange = TransactionalExchange()
    with pytest.raises(ClientError, match="call init_transactions first"):
        exchange.transactions.begin()
    with pytest.raises(ClientError, match="there is no open transaction"):
        exchange.transactions.commit(None)
    exchange.ready()
    with pytest.raises(ClientError, match="the transaction before is still open"):
        exchange.transactions.begin()


def test_who_lost_patience_asks_again_and_asks_for_nothing_else() -> None:
    exchange = TransactionalExchange().ready()
    exchange.send(b"a", "a", partition=0)
    exchange.pass_time(10)
    exchange.errors["EndTxn"] = [None] * 100
    assert exchange.ask("commit") == "under way"
    with pytest.raises(ClientError, match="commit is still under way"):
        exchange.transactions.abort(None)
    exchange.errors.clear()
    assert exchange.ask("commit") is None
    exchange.transactions.begin()


@pytest.mark.parametrize("api_name", ["FindCoordinator", "InitProducerId", "AddPartitionsToTxn"])
def test_nothing_is_due_while_an_answer_is_waited_for(api_name: str) -> None:
    exchange = TransactionalExchange()
    exchange.silent.add(api_name)
    exchange.ask("init")
    if api_name == "AddPartitionsToTxn":
        exchange.transactions.begin()
    exchange.send(b"a", "a", partition=0)
    exchange.pass_time(1_000)
    assert exchange.log.count(api_name) == 1
