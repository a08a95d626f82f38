"""Members of a group, brought into one generation without threads and without waiting."""

from collections.abc import Iterator

import pytest

from conformance.members import form_group, new_member, synchronise
from conformance.session import Session
from conformance.targets.reference import Reference
from spec.wire.errors import ErrorCode


@pytest.fixture
def session() -> Iterator[Session]:
    broker = Reference()
    try:
        broker.start()
        session = Session(broker, "members", timeout=30.0)
        yield session
        session.close()
    finally:
        broker.stop()


def test_three_members_join_one_generation_and_get_their_own_assignments(
    session: Session,
) -> None:
    group = session.group_name()
    members = [new_member(session, group) for _ in range(3)]
    leader = form_group(session, members)
    assert [member.is_leader for member in members].count(True) == 1
    assert len({member.member_id for member in members}) == 3
    assert {member.generation_id for member in members} == {3}

    assignments = {member.member_id: member.member_id.encode() for member in members}
    for member in members:
        member.send_sync(assignments if member is leader else None)
    assert [m.receive_sync().assignment for m in members] == list(assignments.values())
    assert [member.heartbeat() for member in members] == [ErrorCode.NONE] * 3


def test_a_member_commits_and_leaves(session: Session) -> None:
    group, topic = session.group_name(), session.create_topic()
    member = new_member(session, group)
    form_group(session, [member])
    synchronise([member])
    assert member.commit(topic, 0, 7) == ErrorCode.NONE
    assert member.leave().error_code == ErrorCode.NONE
    assert member.heartbeat() == ErrorCode.UNKNOWN_MEMBER_ID
