"""The raw client: versions, pipelining, the deadline, and what the transcript says."""

import time

import pytest

from conformance import requests
from conformance.client import Client
from conformance.transcript import Transcript, show, show_records
from conformance.verdict import Inconclusive, NotApplicable
from conformance.wire import Struct
from conformance.wire.records import Record, build_batch
from spec.wire.errors import ErrorCode
from tests.conformance.scripted_broker import Instead, Script, ScriptedBroker, produced

TOPIC = requests.Topic("t", requests.NO_TOPIC_ID, 1)


def connect(broker: ScriptedBroker, seconds: float = 5.0) -> tuple[Client, Transcript]:
    transcript = Transcript()
    deadline = time.monotonic() + seconds
    client = Client(
        broker.address, broker.versions, transcript, deadline, newest_usable={"Produce": 8}
    )
    return client, transcript


def counting() -> Script:
    """Answers each Produce with the next offset."""
    offsets = iter(range(100))
    return lambda _: produced(ErrorCode.NONE, next(offsets))


def base_offset(answer: Struct) -> int:
    found: int = answer.responses[0].partition_responses[0].base_offset
    return found


def test_requests_may_be_sent_ahead_and_are_answered_in_their_order() -> None:
    with ScriptedBroker(counting()) as broker:
        client, transcript = connect(broker)
        sent = [client.send("Produce", **requests.produce(TOPIC, {0: [b"v"]})) for _ in range(3)]
        assert list(client.pending) == sent
        assert [base_offset(client.receive()) for _ in sent] == [0, 1, 2]
        client.close()
    arrows = [step.text[0] for step in transcript.steps[1:]]
    assert arrows == ["→"] * 3 + ["←"] * 3


def test_a_step_shows_what_its_version_carries_and_summarises_records() -> None:
    with ScriptedBroker(counting()) as broker:
        client, transcript = connect(broker)
        client.call("Produce", 3, **requests.produce(TOPIC, {0: [b"one", b"two"]}))
        client.close()
    assert str(transcript.steps[1]) == (
        "  2  A → Produce v3 #1 {acks: -1, timeout_ms: 5000, topic_data: [{name: 't',"
        " partition_data: [{index: 0, records: <2 records from offset 0>}]}]}"
    )


def test_the_default_version_is_the_greatest_that_both_sides_know_and_that_works() -> None:
    with ScriptedBroker(counting()) as broker:
        client, _ = connect(broker)
        assert client.version("Metadata") == 9
        assert client.version("Produce") == 8
        assert client.version("Produce", at_most=9) == 9
        with pytest.raises(NotApplicable, match="does not advertise Produce 2 or lower"):
            client.version("Produce", at_most=2)
        with pytest.raises(NotApplicable, match="does not advertise Fetch"):
            client.call("Fetch")
        client.close()


def test_a_check_whose_time_is_up_blames_nobody() -> None:
    with ScriptedBroker(lambda _: Instead.NOTHING) as broker:
        client, _ = connect(broker, seconds=0.1)
        client.send("Produce", **requests.produce(TOPIC, {0: [b"v"]}))
        with pytest.raises(Inconclusive, match="the time that a check may take was up"):
            client.receive(demanded="It must be answered.")
        with pytest.raises(Inconclusive, match="the time that a check may take was up"):
            client.expect_close("It must be closed.")
        with pytest.raises(Inconclusive, match="the time that a check may take was up"):
            client.expect_nothing(9.0, "It must be silent.")
        client.close()


def test_connections_have_letters() -> None:
    transcript = Transcript()
    letters = [transcript.open() for _ in range(28)]
    assert letters[:2] == ["A", "B"]
    assert letters[25:] == ["Z", "AA", "AB"]


def test_long_values_are_cut_and_records_are_told_by_batches() -> None:
    assert show({"metadata": b"x" * 100}) == "{metadata: <100 bytes>}"
    assert show({"names": [str(n) for n in range(9)]}) == (
        "{names: ['0', '1', '2', '3', … 9 in all]}"
    )
    assert len(show({"texts": ["x" * 60] * 4, "more": ["y" * 60] * 4, "z": ["z" * 60] * 4})) == 500
    idempotent = build_batch([Record(b"v")], producer_id=5, producer_epoch=1, base_sequence=7)
    assert show_records(idempotent) == "<1 records from offset 0, producer 5 epoch 1, sequence 7>"
    assert show_records(b"") == "<no records>"
