"""Mistakes that a broker or a producer may make with acknowledgements and idempotence, each as a
wrong version of one step of model/areas/produce_steps.py.

Which claims they break stands beside the claims, in model/areas/produce.py.
"""

from model.areas.produce.state import (
    Answer,
    Error,
    Memory,
    NextSequence,
    ProducerEpoch,
    Request,
    Sequence,
    Stamp,
    State,
    is_remembered,
    is_waiting,
)
from model.areas.produce.steps import machine
from model.contracts.producer import Offset, RecordId
from model.lang import Bound, each, if_else, needs, no_element, none, set_of, those

__all__ = ["machine"]


@machine.mutant("leader_fails")
def new_leader_forgets_the_producer(s: State, log_end_offset: Offset) -> None:
    """The new leader has the records and not the numbers, so it takes a resend for new."""
    needs(
        failures_are_left=s.failovers < Bound("failovers"),
        has_what_is_committed=s.leader.high_watermark <= log_end_offset,
        is_in_the_log=log_end_offset <= s.leader.log.length,
    )
    s.failovers += 1
    s.leader.memory = Memory(
        epoch=none(ProducerEpoch),
        last_sequence=Sequence(0),
        offset=each(Sequence, lambda _: none(Offset)),
    )
    s.leader.log.truncate(log_end_offset)
    s.leader.unanswered = no_element(Offset)


@machine.mutant("leader_fails")
def new_leader_remembers_more_than_its_log(s: State, log_end_offset: Offset) -> None:
    """What was remembered of lost records stays, so that their resends are taken for
    duplicates.
    """
    needs(
        failures_are_left=s.failovers < Bound("failovers"),
        has_what_is_committed=s.leader.high_watermark <= log_end_offset,
        is_in_the_log=log_end_offset <= s.leader.log.length,
    )
    s.failovers += 1
    s.leader.log.truncate(log_end_offset)
    s.leader.unanswered = no_element(Offset)


@machine.mutant("leader_recognises_duplicate")
def duplicate_is_answered_at_once(s: State, request: Request) -> None:
    """The duplicate does not wait, though the record that it repeats is not committed."""
    stamp = s.stamp[request.record_id]
    needs(
        network_has_room=s.answers.size < Bound("answers"),
        is_remembered=s.producer.idempotent & is_remembered(s, stamp),
    )
    offset = s.leader.memory.offset[stamp.sequence].value
    s.requests.remove(request)
    s.answers.add(Answer(record_id=request.record_id, error=Error.NONE, offset=offset))


@machine.mutant("leader_answers")
def answer_has_the_end_of_the_log(s: State, offset: Offset) -> None:
    """The answer to a duplicate has the offset that the record would get now."""
    needs(
        network_has_room=s.answers.size < Bound("answers"),
        is_unanswered=s.leader.unanswered.has(offset),
        all_have_the_record=offset < s.leader.high_watermark,
    )
    end = Offset.of(s.leader.log.length)
    s.leader.unanswered -= set_of(offset)
    s.answers.add(Answer(record_id=s.leader.log[offset], error=Error.NONE, offset=end))


@machine.mutant(answer=lambda s: s.answers)
def producer_renumbers_what_is_in_flight(s: State, answer: Answer) -> None:
    """The first record that waits was refused as out of order: all that wait are sent again with
    new numbers, in a new epoch, also those that are stored and whose answers were lost.
    """
    me = s.producer

    def waiting_before(record: RecordId) -> NextSequence:
        return NextSequence.of(those(RecordId, lambda r: (r < record) & is_waiting(s, r)).size)

    needs(
        epochs_are_left=me.epoch < Bound("max_producer_epoch"),
        was_out_of_order=answer.error == Error.OUT_OF_ORDER_SEQUENCE_NUMBER,
        is_the_first_that_waits=is_waiting(s, answer.record_id)
        & (waiting_before(answer.record_id) == 0),
    )
    s.answers.remove(answer)
    s.stamp = each(
        RecordId,
        lambda r: if_else(
            is_waiting(s, r),
            Stamp(epoch=me.epoch + 1, sequence=Sequence.of(waiting_before(r))),
            s.stamp[r],
        ),
    )
    me.epoch += 1
    me.next_sequence = NextSequence.of(those(RecordId, lambda r: is_waiting(s, r)).size)
