"""The vocabulary of producing: one producer, the leader of one partition, and what is between
them.

Decides what a leader remembers of a producer, and when a batch is the next one, a duplicate, or
neither. A batch is one record. The header that an idempotent producer gave a record is kept in one
place, `stamp`, as it never changes: a request, and a record in the log, carry it with them.
"""

from model.contracts.producer import (
    Acks,
    Log,
    NextRecordId,
    Offset,
    Outcome,
    RecordId,
)
from model.lang import (
    Bag,
    Bool,
    Bound,
    Enum,
    Map,
    Option,
    Range,
    Record,
    Set,
    Value,
    each,
    exists,
    if_else,
    implies,
    largest,
    none,
    set_of,
    some,
)


class ProducerEpoch(Range):
    """The epoch that an idempotent producer puts into its batches."""

    low, high = 0, Bound("max_producer_epoch")


class Sequence(Range):
    """The number of a record in its epoch."""

    low, high = 0, Bound("records") - 1


class NextSequence(Range):
    """The number that the next record gets."""

    low, high = 0, Bound("records")


class Failover(Range):
    """How often the leader has failed."""

    low, high = 0, Bound("failovers")


class Stamp(Record):
    """The header of a batch of an idempotent producer."""

    epoch: ProducerEpoch
    sequence: Sequence


class Producer(Record):
    """The producer, and what its application knows of each record: the outcome, and the offset
    that it was told.
    """

    acks: Acks
    idempotent: Bool
    next_record: NextRecordId
    epoch: ProducerEpoch
    next_sequence: NextSequence
    outcome: Map[RecordId, Outcome]
    told: Map[RecordId, Option[Offset]]


class Memory(Record):
    """What the leader remembers of the producer: the epoch, the last sequence in it, and the
    offsets of the last batches (the last five in Kafka) by their sequences.
    """

    epoch: Option[ProducerEpoch]
    last_sequence: Sequence
    offset: Map[Sequence, Option[Offset]]


class Leader(Record):
    """The partition at its leader: what is below the high watermark is on all in-sync replicas;
    `unanswered` are the offsets of which a request with acks=all waits.
    """

    log: Log
    high_watermark: Offset
    memory: Memory
    unanswered: Set[Offset]


class Request(Record):
    """A Produce request, with one batch of one record."""

    record_id: RecordId


class Error(Enum):
    """The error code of an answer."""

    NONE = Value()
    OUT_OF_ORDER_SEQUENCE_NUMBER = Value()
    INVALID_PRODUCER_EPOCH = Value()


class Answer(Record):
    """The answer to a Produce request; the offset is 0 where there is an error."""

    record_id: RecordId
    error: Error
    offset: Offset


class Requests(Bag[Request]):
    """Requests on their way; the network may lose, delay and reorder them."""

    capacity = Bound("requests")


class Answers(Bag[Answer]):
    """Answers on their way, with the same dangers."""

    capacity = Bound("answers")


class State(Record):
    """Producer, leader, and the network between them."""

    producer: Producer
    stamp: Map[RecordId, Stamp]
    leader: Leader
    requests: Requests
    answers: Answers
    failovers: Failover


# What the producer asks itself.


def is_waiting(s: State, record: RecordId) -> Bool:
    """The outcome of a record is neither known nor given up."""
    return s.producer.outcome[record] == Outcome.WAITING


def has_open_outcomes(s: State) -> Bool:
    """A record of this epoch was given up: its number is used, and the leader may not have it."""
    return exists(
        RecordId,
        lambda r: (s.producer.outcome[r] == Outcome.OPEN) & (s.stamp[r].epoch == s.producer.epoch),
    )


# What the leader asks itself when an idempotent batch arrives.


def is_remembered(s: State, stamp: Stamp) -> Bool:
    """The batch is one of the last that were stored for this producer and epoch."""
    memory = s.leader.memory
    return (memory.epoch == some(stamp.epoch)) & memory.offset[stamp.sequence].is_some


def is_of_an_older_epoch(s: State, stamp: Stamp) -> Bool:
    """The leader knows a later epoch of this producer."""
    epoch = s.leader.memory.epoch
    return epoch.is_some & (stamp.epoch < epoch.value)


def follows_last_sequence(s: State, stamp: Stamp) -> Bool:
    """In the epoch that the leader knows, only the number after the last one follows."""
    memory = s.leader.memory
    return implies(memory.epoch == some(stamp.epoch), stamp.sequence == memory.last_sequence + 1)


def begins_at_0_if_new(s: State, stamp: Stamp) -> Bool:
    """After the epoch that the leader knows, a later one begins with number 0."""
    epoch = s.leader.memory.epoch
    return implies(epoch.is_some & (epoch.value < stamp.epoch), stamp.sequence == 0)


# What the leader remembers.


def memory_after(memory: Memory, stamp: Stamp, offset: Offset) -> Memory:
    """The batch that was stored is the last one now, and the oldest may be forgotten."""
    is_known_epoch = memory.epoch == some(stamp.epoch)

    def kept(sequence: Sequence) -> Bool:
        return is_known_epoch & (stamp.sequence < sequence + Bound("remembered"))

    return Memory(
        epoch=some(stamp.epoch),
        last_sequence=stamp.sequence,
        offset=each(
            Sequence,
            lambda q: if_else(
                q == stamp.sequence,
                some(offset),
                if_else(kept(q), memory.offset[q], none(Offset)),
            ),
        ),
    )


def memory_of_log(s: State, end: Offset) -> Memory:
    """What a replica with this part of the log remembers: the last batches of the last epoch."""
    knows = s.producer.idempotent & (end > 0)
    log = s.leader.log
    last = s.stamp[log[end - 1]]

    def stored_at(sequence: Sequence) -> Offset:
        here = Stamp(epoch=last.epoch, sequence=sequence)
        return largest(
            Offset,
            lambda o: (o < end) & (s.stamp[log[o]] == here),
            otherwise=end,
        )

    return Memory(
        epoch=if_else(knows, some(last.epoch), none(ProducerEpoch)),
        last_sequence=if_else(knows, last.sequence, Sequence(0)),
        offset=each(
            Sequence,
            lambda q: if_else(
                knows & (stored_at(q) < end) & (last.sequence < q + Bound("remembered")),
                some(stored_at(q)),
                none(Offset),
            ),
        ),
    )


# What the leader does.


def append(s: State, request: Request) -> None:
    """The record goes to the end of the log; with acks=all its request waits for an answer."""
    leader, end = s.leader, Offset.of(s.leader.log.length)
    leader.memory = if_else(
        s.producer.idempotent,
        memory_after(leader.memory, s.stamp[request.record_id], end),
        leader.memory,
    )
    leader.log.append(request.record_id)
    leader.unanswered = if_else(
        s.producer.acks == Acks.ALL, leader.unanswered | set_of(end), leader.unanswered
    )
    s.requests.remove(request)


def refuse(s: State, request: Request, error: Error) -> None:
    """The request is answered with an error."""
    s.answers.add(Answer(record_id=request.record_id, error=error, offset=Offset(0)))
    s.requests.remove(request)
