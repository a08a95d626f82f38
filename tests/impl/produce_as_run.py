"""The machine of producing with what a run has more: leaders of before, and what they wrote.

The machine has one leader, and who follows it has a part of its log. In a run several brokers may
hold themselves for the leader. What one of before appends counts for nothing, unless a later
leader has it too; what it holds for committed is committed, so it may answer. The network repeats
requests by itself, and two requests that wait for one record get an answer each. No limit of the
machine is given up: a leader of now appends, recognises and refuses what the machine says, and
whoever says that a record is stored says so of one that is committed at that offset.

Clauses: ACKS-05, PROD-03, PROD-08, PROD-09, REPL-13.
"""

from model.areas.produce.claims import machine as produce
from model.areas.produce.state import (
    Answer,
    Error,
    Request,
    State,
    append,
    begins_at_0_if_new,
    follows_last_sequence,
    is_of_an_older_epoch,
    memory_of_log,
)
from model.contracts.producer import Offset, RecordId, is_committed_at
from model.lang import Bound, Map, Set, needs, set_of


class AsRun(State):
    """Producer, leader and network, and where leaders ever wrote each record."""

    written: Map[RecordId, Set[Offset]]


machine = produce.extended(AsRun).variant(
    "as-run",
    "acknowledgements and the idempotent producer, with what a run has more",
    without=("leader_appends_and_answers",),
)


@machine.action(request=lambda s: s.requests)
def network_repeats_request(s: AsRun, request: Request) -> None:
    """A request that is on its way arrives once more."""
    needs(network_has_room=s.requests.size < Bound("requests"))
    s.requests.add(request)


@machine.action(
    "STOR-01", "PROD-02", "PROD-05", "PROD-06", "PROD-07", request=lambda s: s.requests
)
def leader_appends(s: AsRun, request: Request) -> None:
    """The record of an idempotent producer goes to the end of the log, if it is the next one."""
    stamp = s.stamp[request.record_id]
    needs(
        is_idempotent=s.producer.idempotent,
        log_has_room=s.leader.log.length < Bound("log_size"),
        epoch_is_not_older=~is_of_an_older_epoch(s, stamp),
        follows_last_sequence=follows_last_sequence(s, stamp),
        new_epoch_begins_at_0=begins_at_0_if_new(s, stamp),
    )
    s.written[request.record_id] |= set_of(Offset.of(s.leader.log.length))
    append(s, request)


@machine.action(request=lambda s: s.requests)
def former_leader_appends(s: AsRun, request: Request, offset: Offset) -> None:
    """A broker that leads no more, and does not know it, appends to a log of its own."""
    s.written[request.record_id] |= set_of(offset)
    s.requests.remove(request)


@machine.action("ACKS-05")
def leader_answers(s: AsRun, offset: Offset) -> None:
    """A request is answered when its record is committed; others may wait for the same one."""
    needs(
        network_has_room=s.answers.size < Bound("answers"),
        is_unanswered=s.leader.unanswered.has(offset),
        all_have_the_record=offset < s.leader.high_watermark,
    )
    s.answers.add(Answer(record_id=s.leader.log[offset], error=Error.NONE, offset=offset))


@machine.action("ACKS-05", "ACKS-10")
def former_leader_answers(s: AsRun, record: RecordId, offset: Offset) -> None:
    """A leader of before knows that a record is committed, and says so."""
    needs(
        network_has_room=s.answers.size < Bound("answers"),
        is_committed=is_committed_at(s.leader.log, s.leader.high_watermark, record, offset),
    )
    s.answers.add(Answer(record_id=record, error=Error.NONE, offset=offset))


@machine.action("REPL-13", "PROD-08", "PROD-09")
def new_leader_brings_record(s: AsRun, record: RecordId) -> None:
    """The replica that took over just now has a record more, which a leader of before wrote."""
    end = Offset.of(s.leader.log.length)
    needs(
        log_has_room=s.leader.log.length < Bound("log_size"),
        was_written=s.written[record].has(end),
    )
    s.leader.log.append(record)
    s.leader.memory = memory_of_log(s, Offset.of(s.leader.log.length))
