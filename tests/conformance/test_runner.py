"""What the suite makes of a broker's behaviour: each verdict, shown on scripted brokers."""

from collections.abc import Callable

import pytest

from conformance import requests
from conformance.check import Check, check
from conformance.deviations import Deviation
from conformance.runner import Plan, Result, run
from conformance.session import Session
from conformance.verdict import Verdict
from spec.wire.errors import ErrorCode
from tests.conformance.scripted_broker import Answer, Instead, Script, ScriptedBroker, produced


@check("ACKS-01", apis=("Produce",))
def other_acks_are_refused(session: Session) -> None:
    """Produce with acks 2 is refused."""
    topic = session.create_topic()
    session.permit(
        "the error code",
        session.produce(topic, [b"value"], acks=2).error_code,
        {ErrorCode.INVALID_REQUIRED_ACKS},
        "acks is -1, 0 or 1.",
    )


def verdict_on(answer: Answer | Script, item: Check = other_acks_are_refused) -> Result:
    """What a check says of a broker that gives this answer to Produce."""
    script = answer if callable(answer) else lambda _: answer
    with ScriptedBroker(script) as broker:
        return run([item], broker, Plan(patience=0.5))[0]


def test_a_permitted_answer_passes() -> None:
    assert verdict_on(produced(ErrorCode.INVALID_REQUIRED_ACKS)).verdict is Verdict.PASS


def test_another_answer_is_a_violation_that_says_what_is_permitted() -> None:
    result = verdict_on(produced(ErrorCode.NONE))
    assert result.verdict is Verdict.VIOLATION
    assert result.judgement is not None
    assert result.judgement.got == "NONE"
    assert result.judgement.permitted == "INVALID_REQUIRED_ACKS"


def test_an_unmet_should_is_a_deviation() -> None:
    weaker = check("ACKS-01", level="SHOULD")(other_acks_are_refused.body)
    assert verdict_on(produced(ErrorCode.NONE), weaker).verdict is Verdict.DEVIATION


def test_a_known_difference_is_a_deviation_with_its_ticket() -> None:
    known = Deviation("scripted", ("1.*",), "ACKS", "#7", "It takes any acks.")
    with ScriptedBroker(lambda _: produced(0)) as broker:
        result = run([other_acks_are_refused], broker, Plan(deviations=[known]))[0]
    assert result.verdict is Verdict.DEVIATION
    assert result.reason == "known (#7): It takes any acks."


def test_no_answer_in_time_is_inconclusive() -> None:
    result = verdict_on(Instead.NOTHING)
    assert result.verdict is Verdict.INCONCLUSIVE
    assert "no response to Produce v9" in result.reason


def test_no_answer_where_one_is_demanded_is_a_violation() -> None:
    @check("ACKS-01")
    def produce_is_answered(session: Session) -> None:
        """Produce is answered."""
        fields = requests.produce(session.create_topic(), {0: [b"value"]})
        session.broker.call("Produce", timeout=0.2, demanded="It must be.", **fields)

    result = verdict_on(Instead.NOTHING, produce_is_answered)
    assert result.verdict is Verdict.VIOLATION
    assert result.judgement is not None
    assert result.judgement.because == "It must be."


def test_a_close_where_an_answer_is_due_is_a_violation() -> None:
    result = verdict_on(Instead.CLOSE)
    assert result.verdict is Verdict.VIOLATION
    assert "closed the connection where the response to Produce v9" in str(result.judgement)


def test_an_unreadable_answer_is_a_violation() -> None:
    cut_short = verdict_on(lambda request: b"\0\0\0\6" + correlation(request) + b"\0\1")
    assert cut_short.verdict is Verdict.VIOLATION
    assert "cannot be read" in str(cut_short.judgement)


def test_an_answer_out_of_step_is_a_violation() -> None:
    result = verdict_on(b"\0\0\0\5\x7f\0\0\0\0")
    assert result.verdict is Verdict.VIOLATION
    assert "has the correlation id 2130706432" in str(result.judgement)


def test_an_answer_with_a_size_beyond_reason_is_a_violation() -> None:
    result = verdict_on(b"\x7f\xff\xff\xff\0\0\0\0")
    assert result.verdict is Verdict.VIOLATION
    assert "claims a size of 2147483647 bytes" in str(result.judgement)


def correlation(request: object) -> bytes:
    number: int = request.correlation_id  # type: ignore[attr-defined]
    return number.to_bytes(4, "big")


@pytest.mark.parametrize(
    ("item", "reason"),
    [
        (check("ACKS-01", apis=("Fetch",)), "scripted does not advertise Fetch"),
        (check("ACKS-01", apis=("Produce 10+",)), "scripted does not advertise Produce 10+"),
        (check("ACKS-01", needs=("kill", "cluster")), "needs cluster and kill"),
    ],
)
def test_what_the_target_cannot_do_is_not_applicable(
    item: Callable[[Callable[[Session], None]], Check], reason: str
) -> None:
    result = verdict_on(produced(0), item(other_acks_are_refused.body))
    assert result.verdict is Verdict.NOT_APPLICABLE
    assert result.reason == reason


def test_a_broker_that_dies_of_a_check_violates_it_although_the_check_passed() -> None:
    @check("ACKS-01")
    def nothing_is_judged(session: Session) -> None:
        """Produce is survived."""
        fields = requests.produce(session.create_topic(), {0: [b"value"]})
        session.broker.send("Produce", **fields)
        session.broker.receive_or_close()

    result = verdict_on(Instead.DIE, nothing_is_judged)
    assert result.verdict is Verdict.VIOLATION
    assert "does not answer" in result.reason


def test_after_the_death_of_the_broker_the_rest_is_inconclusive() -> None:
    others = check("ACKS-09")(other_acks_are_refused.body)
    with ScriptedBroker(lambda _: Instead.DIE) as broker:
        first, second = run([other_acks_are_refused, others], broker, Plan(patience=0.5))
    assert first.verdict is Verdict.VIOLATION
    assert second.verdict is Verdict.INCONCLUSIVE


def test_a_check_that_fails_itself_is_inconclusive_with_its_place() -> None:
    @check("ACKS-01")
    def wrong(session: Session) -> None:
        """Nothing is demanded."""
        raise KeyError(session.name("thing")[:10])

    result = verdict_on(produced(0), wrong)
    assert result.verdict is Verdict.INCONCLUSIVE
    assert "KeyError: 'acks-01-th' (test_runner.py:" in result.reason


def test_several_checks_at_once_keep_their_order_and_their_verdicts() -> None:
    def script(request: object) -> Answer:
        acks: int = request.body.acks  # type: ignore[attr-defined]
        return produced(ErrorCode.INVALID_REQUIRED_ACKS if acks == 2 else ErrorCode.NONE)

    @check("ACKS-09")
    def always_violated(session: Session) -> None:
        """Nobody can do this."""
        session.permit("nothing", session.produce(session.create_topic(), [b""]), [], "So it is.")

    with ScriptedBroker(script) as broker:
        results = run([other_acks_are_refused, always_violated], broker, Plan(jobs=2))
    assert [result.verdict for result in results] == [Verdict.PASS, Verdict.VIOLATION]


def test_a_check_that_needs_settings_gets_a_broker_of_its_own() -> None:
    """The scripted broker can give none, and says so."""
    item = check("ACKS-01", settings={"a": "b"})(other_acks_are_refused.body)
    assert verdict_on(produced(0), item).reason == "needs config"


def test_silence_and_closing_can_be_demanded() -> None:
    @check("ACKS-02")
    def silent(session: Session) -> None:
        """Nothing comes."""
        fields = requests.produce(session.create_topic(), {0: [b"value"]}, acks=0)
        session.broker.send("Produce", answered=False, **fields)
        session.broker.expect_nothing(0.1, "Nothing was asked.")

    @check("ACKS-03")
    def closing(session: Session) -> None:
        """The connection is closed."""
        fields = requests.produce(session.create_topic(), {0: [b"value"]}, acks=0)
        session.broker.send("Produce", answered=False, **fields)
        session.broker.expect_close("It must be.", timeout=0.1)

    assert verdict_on(Instead.NOTHING, silent).verdict is Verdict.PASS
    assert verdict_on(Instead.CLOSE, silent).verdict is Verdict.VIOLATION
    assert verdict_on(produced(0), silent).verdict is Verdict.VIOLATION
    assert verdict_on(Instead.CLOSE, closing).verdict is Verdict.PASS
    assert verdict_on(Instead.NOTHING, closing).verdict is Verdict.VIOLATION
    assert verdict_on(produced(0), closing).verdict is Verdict.VIOLATION
