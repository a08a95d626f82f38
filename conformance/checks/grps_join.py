"""GRPS: finding the coordinator, and who may join a classic group."""

from collections.abc import Mapping

from conformance.check import check
from conformance.judge import other_than
from conformance.lookup import FIRST_BATCHED_FIND_COORDINATOR, GROUP
from conformance.members import Member, form_group, new_member, synchronise
from conformance.session import Session
from conformance.settings import broker_limit
from spec.wire.errors import ErrorCode

MEMBER_ID_REQUIRED_SINCE = 4
LONGEST_TIMEOUT_MS = 2**31 - 1
PROMPT_S = 6.0
"""Longer than the initial delay of a group, and shorter than a rebalance that waits."""


def stable_member(session: Session, group: str, protocols: Mapping[str, bytes]) -> Member:
    """The only member of a stable group."""
    member = new_member(session, group)
    member.protocols = protocols
    form_group(session, [member])
    synchronise([member], {member.member_id: b"everything"})
    return member


def permit_undisturbed(session: Session, member: Member) -> None:
    session.permit(
        "the error code of the member's heartbeat",
        member.heartbeat(),
        {ErrorCode.NONE},
        "The group's members stay as they are.",
    )


def join_in_the_end(newcomer: Member) -> int:
    """The error code of JoinGroup, sent again where the first one only brings a member id."""
    demanded = "Neither a refusal nor the only member of a group waits for others."
    newcomer.send_join()
    answer = newcomer.receive_join(timeout=PROMPT_S, demanded=demanded)
    if answer.error_code == ErrorCode.MEMBER_ID_REQUIRED:
        newcomer.send_join()
        answer = newcomer.receive_join(timeout=PROMPT_S, demanded=demanded)
    return int(answer.error_code)


# GRPS-27


@check("GRPS-27", apis=("FindCoordinator",))
def the_coordinator_is_a_broker_of_the_cluster(session: Session) -> None:
    """FindCoordinator names a broker under the id, host and port under which Metadata lists it."""
    group = session.group_name()
    session.coordinator(group)
    client = session.broker
    listed = [(b.node_id, b.host, b.port) for b in client.call("Metadata", topics=[]).brokers]
    for version in client.versions["FindCoordinator"]:
        answer = client.call(
            "FindCoordinator", version, key=group, key_type=GROUP, coordinator_keys=[group]
        )
        batched = version >= FIRST_BATCHED_FIND_COORDINATOR
        found = answer.coordinators[0] if batched else answer
        if found.error_code != ErrorCode.NONE:
            session.inconclusive("the coordinator is not available")
        session.permit(
            f"the coordinator by version {version}",
            (found.node_id, found.host, found.port),
            listed,
            "Clients know brokers by their ids, and reach them under the listener's address.",
        )


@check("GRPS-27", apis=("FindCoordinator 4+",))
def several_coordinators_are_found_at_once(session: Session) -> None:
    """FindCoordinator answers for each of several groups under its own name."""
    groups = [session.group_name() for _ in range(3)]
    for group in groups:
        session.coordinator(group)
    answer = session.broker.call("FindCoordinator", key_type=GROUP, coordinator_keys=groups)
    session.permit(
        "the groups in the answer",
        sorted(found.key for found in answer.coordinators),
        [sorted(groups)],
        "Each group that was asked for has a coordinator.",
    )


@check("GRPS-27", apis=("FindCoordinator", "OffsetFetch", "Heartbeat"))
def the_coordinator_accepts_requests_of_the_group(session: Session) -> None:
    """The broker that FindCoordinator names does not answer NOT_COORDINATOR."""
    group = session.group_name()
    answer = session.coordinator(group).call(
        "Heartbeat", group_id=group, generation_id=1, member_id="nobody"
    )
    session.permit(
        "the error code",
        answer.error_code,
        other_than(ErrorCode.NOT_COORDINATOR),
        "It is the coordinator of the group.",
    )


# GRPS-01


@check("GRPS-01", apis=("JoinGroup 4+",))
def a_new_member_gets_an_id_first(session: Session) -> None:
    """The first JoinGroup of a dynamic member gets MEMBER_ID_REQUIRED with an id of its own."""
    group = session.group_name()
    given: list[str] = []
    for _ in range(2):
        member = new_member(session, group)
        member.send_join()
        answer = member.receive_join()
        session.permit(
            "the error code",
            answer.error_code,
            {ErrorCode.MEMBER_ID_REQUIRED},
            "A dynamic member joins with an id that it was given.",
        )
        session.permit(
            "the member id", answer.member_id, other_than("", *given), "The id is a new one."
        )
        given.append(answer.member_id)


@check("GRPS-01", apis=("JoinGroup 4+", "Heartbeat"))
def handing_out_an_id_starts_no_rebalance(session: Session) -> None:
    """The members of a group notice nothing of a newcomer that only got its id."""
    group = session.group_name()
    member = stable_member(session, group, {"range": b""})
    newcomer = new_member(session, group)
    newcomer.send_join()
    if newcomer.receive_join().error_code != ErrorCode.MEMBER_ID_REQUIRED:
        session.inconclusive("the newcomer got no id")
    permit_undisturbed(session, member)


@check("GRPS-01", apis=("JoinGroup 4+",))
def a_member_joins_with_the_id_it_was_given(session: Session) -> None:
    """JoinGroup with the id from MEMBER_ID_REQUIRED makes a member with this id."""
    member = new_member(session, session.group_name())
    member.send_join()
    given = member.receive_join().member_id
    member.send_join()
    answer = member.receive_join()
    session.permit(
        "the error code", answer.error_code, {ErrorCode.NONE}, "The member has its id now."
    )
    session.permit("the member id", answer.member_id, [given], "It is the id that was given.")


@check("GRPS-01", apis=("JoinGroup 0-3",))
def old_versions_join_at_once(session: Session) -> None:
    """JoinGroup of versions 0 to 3 with an empty member id joins without a second request."""
    for version in session.broker.versions["JoinGroup"]:
        if version >= MEMBER_ID_REQUIRED_SINCE:
            break
        member = new_member(session, session.group_name())
        member.send_join(version)
        answer = member.receive_join()
        session.permit(
            f"the error code by version {version}",
            answer.error_code,
            {ErrorCode.NONE},
            "These versions know no MEMBER_ID_REQUIRED.",
        )


@check("GRPS-01", apis=("JoinGroup 5+",))
def a_static_member_joins_at_once(session: Session) -> None:
    """JoinGroup with an instance id and an empty member id joins without a second request."""
    member = new_member(session, session.group_name(), instance_id="instance")
    member.send_join()
    answer = member.receive_join()
    session.permit(
        "the error code",
        answer.error_code,
        {ErrorCode.NONE},
        "The instance id tells who the member is.",
    )
    session.permit("the member id", answer.member_id, other_than(""), "A member has an id.")


@check("GRPS-01", apis=("JoinGroup",))
def a_member_id_of_ones_own_is_unknown(session: Session) -> None:
    """JoinGroup with a member id that the coordinator did not give gets UNKNOWN_MEMBER_ID."""
    group = session.group_name()
    stable_member(session, group, {"range": b""})
    for where in (group, session.group_name()):
        stranger = new_member(session, where)
        stranger.member_id = "made-up"
        stranger.send_join()
        session.permit(
            "the error code",
            stranger.receive_join().error_code,
            {ErrorCode.UNKNOWN_MEMBER_ID},
            "Member ids are given by the coordinator.",
        )


# GRPS-02


@check("GRPS-02", apis=("JoinGroup",))
def a_session_timeout_below_the_bound_is_refused(session: Session) -> None:
    """A session timeout below group.min.session.timeout.ms gets INVALID_SESSION_TIMEOUT."""
    least = broker_limit(session, "group.min.session.timeout.ms")
    member = new_member(session, session.group_name())
    for timeout_ms in (least - 1, 0):
        member.session_timeout_ms = timeout_ms
        member.send_join()
        session.permit(
            f"the error code for {timeout_ms} ms",
            member.receive_join().error_code,
            {ErrorCode.INVALID_SESSION_TIMEOUT},
            f"The least session timeout is {least} ms.",
        )


@check("GRPS-02", apis=("JoinGroup",))
def a_session_timeout_above_the_bound_is_refused(session: Session) -> None:
    """A session timeout above group.max.session.timeout.ms gets INVALID_SESSION_TIMEOUT."""
    greatest = broker_limit(session, "group.max.session.timeout.ms")
    if greatest == LONGEST_TIMEOUT_MS:
        session.not_applicable("the broker sets no limit")
    member = new_member(session, session.group_name())
    member.session_timeout_ms = greatest + 1
    member.send_join()
    session.permit(
        f"the error code for {greatest + 1} ms",
        member.receive_join().error_code,
        {ErrorCode.INVALID_SESSION_TIMEOUT},
        f"The greatest session timeout is {greatest} ms.",
    )


@check("GRPS-02", apis=("JoinGroup",))
def the_bounds_of_session_timeouts_are_allowed(session: Session) -> None:
    """The least and the greatest session timeout are both accepted."""
    for name in ("group.min.session.timeout.ms", "group.max.session.timeout.ms"):
        member = new_member(session, session.group_name())
        member.session_timeout_ms = broker_limit(session, name)
        session.permit(
            f"the error code for {name}",
            join_in_the_end(member),
            {ErrorCode.NONE},
            "Both bounds themselves are allowed.",
        )


# GRPS-03 and GRPS-04


def permit_inconsistent(session: Session, newcomer: Member, because: str) -> None:
    session.permit(
        "the error code of JoinGroup",
        join_in_the_end(newcomer),
        {ErrorCode.INCONSISTENT_GROUP_PROTOCOL},
        because,
    )


@check("GRPS-03", apis=("JoinGroup", "Heartbeat"))
def another_protocol_type_is_refused(session: Session) -> None:
    """JoinGroup with a protocol type other than the group's is refused."""
    group = session.group_name()
    member = stable_member(session, group, {"range": b""})
    newcomer = new_member(session, group)
    newcomer.protocol_type = "connect"
    permit_inconsistent(session, newcomer, "The group's protocol type is consumer.")
    permit_undisturbed(session, member)


@check("GRPS-03", apis=("JoinGroup", "Heartbeat"))
def a_member_without_a_common_protocol_is_refused(session: Session) -> None:
    """JoinGroup that offers no protocol which all members support is refused."""
    group = session.group_name()
    member = stable_member(session, group, {"range": b"", "sticky": b""})
    newcomer = new_member(session, group)
    newcomer.protocols = {"roundrobin": b"", "lottery": b""}
    permit_inconsistent(session, newcomer, "The members support range and sticky.")
    permit_undisturbed(session, member)


@check("GRPS-03", apis=("JoinGroup",))
def joining_without_any_protocol_is_refused(session: Session) -> None:
    """JoinGroup that names no protocol is refused, in a new group too."""
    newcomer = new_member(session, session.group_name())
    newcomer.protocols = {}
    permit_inconsistent(session, newcomer, "A member supports at least one protocol.")


@check("GRPS-03", apis=("JoinGroup",))
def joining_without_a_protocol_type_is_refused(session: Session) -> None:
    """JoinGroup with an empty protocol type is refused, in a new group too."""
    newcomer = new_member(session, session.group_name())
    newcomer.protocol_type = ""
    permit_inconsistent(session, newcomer, "A group has a protocol type.")


@check("GRPS-04", apis=("JoinGroup",), settings={"group.max.size": "2"})
def a_full_group_takes_nobody_in(session: Session) -> None:
    """One member more than group.max.size is refused with GROUP_MAX_SIZE_REACHED."""
    group = session.group_name()
    members = [new_member(session, group) for _ in range(2)]
    leader = form_group(session, members)
    synchronise(members, {leader.member_id: b"everything"})
    session.permit(
        "the error code of the third JoinGroup",
        join_in_the_end(new_member(session, group)),
        {ErrorCode.GROUP_MAX_SIZE_REACHED},
        "The group has 2 members, and group.max.size is 2.",
    )
    for member in members:
        permit_undisturbed(session, member)
