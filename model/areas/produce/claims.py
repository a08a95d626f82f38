"""What acknowledgements and idempotence promise, what would break it, and how much is looked at.

The steps themselves, what they simplify and where they come from stand in
model/areas/produce_steps.py: read that first. Here are the claims about them, each with the
mistake that it excludes (a guard that is missing, or one of model/areas/produce_mistakes.py); the
proofs for runs of any length; and what a producer may observe, which is
model/contracts/producer.py.
"""

from collections.abc import Callable

from model.areas.produce.mistakes import machine
from model.areas.produce.state import (
    Error,
    NextSequence,
    ProducerEpoch,
    Request,
    Sequence,
    Stamp,
    State,
    is_waiting,
    memory_of_log,
)
from model.contracts.producer import (
    Acks,
    Delivery,
    Offset,
    Outcome,
    RecordId,
    contract,
    is_committed_at,
    is_stored,
)
from model.lang import (
    Bool,
    every,
    exists,
    implies,
    leads_to,
    some,
)
from model.lang.machine import LeadsTo

__all__ = ["machine"]


# What must hold.


@machine.always("ACKS-05", "ACKS-10", broken_by="leader_answers.all_have_the_record")
def success_with_all_is_for_good(s: State) -> Bool:
    """A record that acks=all was told to be stored is committed at that offset, whoever leads."""
    me, leader = s.producer, s.leader
    return implies(
        me.acks == Acks.ALL,
        every(
            RecordId,
            lambda r: implies(
                me.outcome[r] == Outcome.SUCCEEDED,
                me.told[r].is_some
                & is_committed_at(leader.log, leader.high_watermark, r, me.told[r].value),
            ),
        ),
    )


@machine.always("ACKS-05", "PROD-03", broken_by="answer_has_the_end_of_the_log")
def answers_say_where_the_record_is(s: State) -> Bool:
    """Success with acks=all names an offset at which the record is committed, and a duplicate gets
    the same one.
    """
    return implies(
        s.producer.acks == Acks.ALL,
        every(
            s.answers,
            lambda a: implies(
                a.error == Error.NONE,
                is_committed_at(s.leader.log, s.leader.high_watermark, a.record_id, a.offset),
            ),
        ),
    )


def every_two_records(s: State, claim: Callable[[RecordId, RecordId], Bool]) -> Bool:
    """The claim holds for any two offsets with records of an idempotent producer."""
    log = s.leader.log
    return implies(
        s.producer.idempotent,
        every(
            Offset,
            lambda one: every(
                Offset,
                lambda other: implies(
                    (one < other) & (other < log.length), claim(log[one], log[other])
                ),
            ),
        ),
    )


@machine.always("PROD-03", "PROD-04", "PROD-09", broken_by="new_leader_forgets_the_producer")
def idempotent_records_are_stored_once(s: State) -> Bool:
    """No two offsets hold the same record of an idempotent producer."""
    return every_two_records(s, lambda earlier, later: earlier != later)


@machine.always("PROD-05", "PROD-09", "PROD-14", broken_by="leader_appends.epoch_is_not_older")
def idempotent_records_stand_in_the_order_of_sending(s: State) -> Bool:
    """A later record of an idempotent producer has a higher offset."""
    return every_two_records(s, lambda earlier, later: earlier < later)


def follow_each_other(s: State, claim: Callable[[RecordId, RecordId], Bool]) -> Bool:
    """The claim holds for each record of an idempotent producer in the log and the one after."""
    log = s.leader.log
    return implies(
        s.producer.idempotent,
        every(
            Offset,
            lambda o: implies((o > 0) & (o < log.length), claim(log[o - 1], log[o])),
        ),
    )


@machine.always("PROD-02", broken_by="leader_appends.follows_last_sequence")
def sequences_have_no_gaps(s: State) -> Bool:
    """Within an epoch the number goes up by one from record to record."""
    return follow_each_other(
        s,
        lambda earlier, later: implies(
            s.stamp[earlier].epoch == s.stamp[later].epoch,
            s.stamp[earlier].sequence + 1 == s.stamp[later].sequence,
        ),
    )


@machine.always("PROD-06", broken_by="leader_appends.new_epoch_begins_at_0")
def new_epochs_begin_at_0(s: State) -> Bool:
    """After a record of an earlier epoch comes number 0."""
    return follow_each_other(
        s,
        lambda earlier, later: implies(
            s.stamp[earlier].epoch != s.stamp[later].epoch, s.stamp[later].sequence == 0
        ),
    )


@machine.always("PROD-08", "PROD-09", broken_by="new_leader_remembers_more_than_its_log")
def leaders_remember_what_their_log_says(s: State) -> Bool:
    """What a leader remembers of the producer is what its log says, also after a failure."""
    return s.leader.memory == memory_of_log(s, Offset.of(s.leader.log.length))


@machine.always("PROD-10", broken_by="producer_is_set_up.idempotence_has_all")
def idempotence_goes_with_all(s: State) -> Bool:
    """An idempotent producer uses acks=all."""
    return implies(s.producer.idempotent, s.producer.acks == Acks.ALL)


@machine.always("REPL-01", broken_by="leader_fails.has_what_is_committed")
def high_watermark_is_within_the_log(s: State) -> Bool:
    """What is committed is there."""
    return s.leader.high_watermark <= s.leader.log.length


@machine.eventually(
    "ACKS-08",
    fair=["producer_gives_up(record)"],
    broken_by="fair producer_gives_up(record)",
)
def no_record_waits_for_ever(s: State) -> LeadsTo:
    """The application learns an outcome of every record, be it that the outcome is open."""
    someone_waits = exists(RecordId, lambda r: is_waiting(s, r))
    return leads_to(someone_waits, ~someone_waits)


@machine.eventually(
    "REPL-01",
    "ACKS-05",
    fair=["leader_advances_high_watermark"],
    broken_by="fair leader_advances_high_watermark",
)
def what_is_stored_is_committed_or_lost(s: State) -> LeadsTo:
    """No record stays in between for ever, so that acks=all may wait for it."""
    all_is_committed = s.leader.high_watermark == s.leader.log.length
    return leads_to(~all_is_committed, all_is_committed)


# What the proofs need to know besides.


@machine.lemma
def only_what_was_sent_is_on_its_way_or_stored(s: State) -> Bool:
    """Requests, answers and the log are about records that the producer has sent."""
    sent = s.producer.next_record
    return (
        every(s.requests, lambda r: r.record_id < sent)
        & every(s.answers, lambda a: a.record_id < sent)
        & every(Offset, lambda o: implies(o < s.leader.log.length, s.leader.log[o] < sent))
        & every(RecordId, lambda r: (s.producer.outcome[r] == Outcome.NOT_SENT) == (r >= sent))
    )


@machine.lemma
def later_records_have_later_stamps(s: State) -> Bool:
    """Epoch and number of an idempotent producer's records go up, and those to come are later."""
    me = s.producer

    def is_before(one: Stamp, epoch: ProducerEpoch, sequence: NextSequence) -> Bool:
        return (one.epoch < epoch) | ((one.epoch == epoch) & (one.sequence < sequence))

    return implies(
        me.idempotent,
        every(
            RecordId,
            lambda later: implies(
                later < me.next_record,
                is_before(s.stamp[later], me.epoch, me.next_sequence)
                & every(
                    RecordId,
                    lambda earlier: implies(
                        earlier < later,
                        is_before(
                            s.stamp[earlier],
                            s.stamp[later].epoch,
                            NextSequence.of(s.stamp[later].sequence),
                        ),
                    ),
                ),
            ),
        ),
    ) & (me.next_sequence <= me.next_record)


@machine.lemma
def the_last_record_is_remembered(s: State) -> Bool:
    """Epoch and sequence that the leader knows are those of the last record of an idempotent
    producer, and it knows none if there is no record.
    """
    log, memory = s.leader.log, s.leader.memory
    last = s.stamp[log.last]
    is_known = s.producer.idempotent & ~log.is_empty
    return implies(
        is_known,
        (memory.epoch == some(last.epoch)) & (memory.last_sequence == last.sequence),
    ) & (memory.epoch.is_some == is_known)


@machine.lemma
def what_is_remembered_is_in_the_log(s: State) -> Bool:
    """A remembered offset is one at which there is a record."""
    memory = s.leader.memory
    return every(
        Sequence,
        lambda q: implies(memory.offset[q].is_some, memory.offset[q].value < s.leader.log.length),
    )


@machine.lemma
def requests_wait_for_what_is_stored(s: State) -> Bool:
    """An answer is owed for offsets within the log only."""
    return every(s.leader.unanswered, lambda o: o < s.leader.log.length)


@machine.lemma
def nothing_is_sent_without_settings(s: State) -> Bool:
    """The settings are made first."""
    return implies(s.producer.acks == Acks.NOT_SET, s.producer.next_record == 0)


ORDER = "idempotent_records_stand_in_the_order_of_sending"
SENDING = [
    "only_what_was_sent_is_on_its_way_or_stored",
    "later_records_have_later_stamps",
    "nothing_is_sent_without_settings",
]
IDEMPOTENCE = [
    "idempotence_goes_with_all",
    "the_last_record_is_remembered",
    "what_is_remembered_is_in_the_log",
    "requests_wait_for_what_is_stored",
]
machine.proof(ORDER, by=[*SENDING, *IDEMPOTENCE])
machine.proof("idempotent_records_are_stored_once", by=[ORDER, *SENDING, *IDEMPOTENCE])
machine.proof(
    "success_with_all_is_for_good",
    by=["answers_say_where_the_record_is", "high_watermark_is_within_the_log", *SENDING],
)


# Witnesses: what must be able to happen.


@machine.sometimes("ACKS-02")
def with_acks_0_success_says_nothing(s: State) -> Bool:
    """The record is nowhere, and the producer takes it for stored."""
    first = RecordId(0)
    return (
        (s.producer.acks == Acks.ZERO)
        & (s.producer.outcome[first] == Outcome.SUCCEEDED)
        & ~s.requests.has(Request(record_id=first))
        & s.leader.log.is_empty
    )


@machine.sometimes("ACKS-04")
def with_acks_1_success_may_be_lost(s: State) -> Bool:
    """The leader had the record and said so, and its successor does not have it."""
    first = RecordId(0)
    return (
        (s.producer.acks == Acks.ONE)
        & (s.producer.outcome[first] == Outcome.SUCCEEDED)
        & ~is_stored(s.leader.log, first)
    )


@machine.sometimes("PROD-03")
def without_idempotence_a_resend_is_stored_twice(s: State) -> Bool:
    """With acks=all as well: only the answer was lost."""
    log = s.leader.log
    return (s.producer.acks == Acks.ALL) & (log.length > 1) & (log[0] == log[1])


@machine.sometimes("PROD-14")
def without_idempotence_a_resend_is_overtaken(s: State) -> Bool:
    """The second record stands before the first."""
    log = s.leader.log
    return (s.producer.acks == Acks.ALL) & (log.length > 1) & (log[1] < log[0])


@machine.sometimes("PROD-04")
def an_old_duplicate_is_refused(s: State) -> Bool:
    """A record that is stored is refused as out of order, since its batch is remembered no
    more.
    """
    return exists(
        s.answers,
        lambda a: (
            (a.error == Error.OUT_OF_ORDER_SEQUENCE_NUMBER) & is_stored(s.leader.log, a.record_id)
        ),
    )


@machine.sometimes("PROD-05")
def a_request_of_an_older_epoch_is_fenced(s: State) -> Bool:
    """A request that was given up arrives after one of the next epoch."""
    return exists(s.answers, lambda a: a.error == Error.INVALID_PRODUCER_EPOCH)


@machine.sometimes("PROD-07")
def an_unknown_producer_begins_in_the_middle(s: State) -> Bool:
    """The first record was overtaken or lost, and the leader knew nothing of the producer."""
    log = s.leader.log
    return s.producer.idempotent & ~log.is_empty & (s.stamp[log[0]].sequence > 0)


@machine.sometimes("ACKS-08")
def an_open_outcome_is_success(s: State) -> Bool:
    """The producer gave up a record that is committed."""
    return exists(
        RecordId,
        lambda r: (
            (s.producer.outcome[r] == Outcome.OPEN)
            & exists(
                Offset,
                lambda o: is_committed_at(s.leader.log, s.leader.high_watermark, r, o),
            )
        ),
    )


machine.scope(
    "default",
    why="two in flight and one overtaken by both; a new epoch; a failure of the leader",
    states=486_129,
    records=3,
    log_size=3,
    in_flight=2,
    remembered=2,
    requests=2,
    answers=1,
    max_producer_epoch=1,
    failovers=1,
)
machine.scope(
    "tiny",
    why="two records, of which the second may overtake the first",
    states=14_083,
    records=2,
    log_size=2,
    in_flight=2,
    remembered=1,
    requests=2,
    answers=1,
    max_producer_epoch=1,
    failovers=1,
)
machine.scope(
    "deep",
    why="three in flight, which is more than is remembered; answers that overtake each other",
    states=5_145_731,
    records=3,
    log_size=3,
    in_flight=3,
    remembered=2,
    requests=3,
    answers=2,
    max_producer_epoch=1,
    failovers=1,
)


@machine.refines(contract)
def as_the_producer_sees_it(s: State) -> Delivery:
    """A producer does not see messages, numbers, or the leader's memory."""
    return Delivery(
        acks=s.producer.acks,
        idempotent=s.producer.idempotent,
        next_record=s.producer.next_record,
        outcome=s.producer.outcome,
        told=s.producer.told,
        log=s.leader.log,
        high_watermark=s.leader.high_watermark,
    )
