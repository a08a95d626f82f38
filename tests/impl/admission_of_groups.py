"""The steps of the coordinators of a simulated classic group, as a history that the machine of the
group is asked to admit (`tests.impl.group_as_run`).

Seen is the coordinator alone: what it does, by the methods that do it, and after each of its calls
what it knows of the group: phase, generation, leader, the standing of each member, and the owner.
What a member knows is what it was answered, and took effect when the coordinator answered; a join
or a leave when it arrived. One partition stands for all, as in the machine. A commit that is
accepted was sent at the last moment at which its sender owned the partition in that generation;
where there was none, it was sent when it was accepted, which the machine refuses.

The coordinator that loaded the log last is the one of the run: what one of before still answers,
because it has not heard of the other, takes no effect in any log, and is left out. What the next
one loads must have been written, and be no older than what was given out or acknowledged.

An id has a place among the machine's members from the first time that it is spoken of to the last;
then another id may have it. Not judged: refusals (but what is accepted is), the offsets
themselves, and when a timeout is over, because the machine has no time.

Clauses: GRPS-01, GRPS-05 to GRPS-11, GRPS-14, GRPS-19.
"""

from __future__ import annotations

from model.engines.admit import Admission, Event, Look, Operation, admit
from model.lang.parts import Scope
from tests.impl.group_as_run import HIDDEN, machine
from tests.impl.group_steps import Known, Note

COMMITS_ON_THEIR_WAY = 2
ENDS_OWNERSHIP = (
    "member_rejoins",
    "member_is_told_its_generation_again",
    "member_leaves",
)


def judge(notes: list[Note], budget: int = 200_000) -> Admission:
    return _Retelling(_with_sent_commits(notes)).judge(budget)


def _with_sent_commits(notes: list[Note]) -> list[Note]:
    """Each commit that was accepted is sent before, while its sender owns the partition."""
    ended: dict[tuple[str, int | None], int] = {}
    owning: dict[str, int | None] = {}
    sent: dict[int, list[Note]] = {}
    for place, note in enumerate(notes):
        member = note.members.get("member", "")
        if note.action == "member_gets_assignment":
            owning[member] = note.generation
        elif note.action in ENDS_OWNERSHIP and member in owning:
            ended[member, owning.pop(member)] = place
        elif note.action == "coordinator_accepts_commit":
            is_owner = member in owning and owning[member] == note.generation
            at = place if is_owner else ended.get((member, note.generation), place)
            sent.setdefault(at, []).append(Note("member_sends_commit", {"member": member}))
    return [each for place, note in enumerate(notes) for each in (*sent.get(place, ()), note)]


class _Retelling:
    def __init__(self, notes: list[Note]) -> None:
        self._notes = notes
        self._last = {each: place for place, note in enumerate(notes) for each in note.ids()}
        self._places: dict[str, int] = {}
        self._size = 1
        self._alive: set[int] = set()
        self._accepted: list[int] = []
        self._generation = 0
        self._history: list[Operation] = []

    def judge(self, budget: int) -> Admission:
        for place, note in enumerate(self._notes):
            for member_id in sorted(note.ids() - self._places.keys()):
                self._settle(member_id)
            self._tell(note)
            for member_id in note.ids():
                if self._last[member_id] == place:
                    del self._places[member_id]
        return admit(machine, self._scope(), self._history, HIDDEN, budget)

    def _settle(self, member_id: str) -> None:
        """An id takes the first place that is free, where whoever had it before is gone."""
        taken = self._places.values()
        place = next(n for n in range(len(self._places) + 1) if n not in taken)
        self._places[member_id] = place
        self._size = max(self._size, place + 1)
        if place in self._alive:
            self._alive.remove(place)
            self._add(Event("member_crashes", {"member": place}))

    def _add(self, what: Event | Look, since: float | None = None) -> None:
        now = float(len(self._history))
        self._history.append(Operation(what, now if since is None else since, now))

    def _tell(self, note: Note) -> None:
        if note.action:
            self._tell_step(note)
        elif note.number is not None:
            assert note.committed_by is not None
            survives = Look({"stored.committed_by": self._places[note.committed_by]})
            self._add(survives, self._accepted[note.number] + 0.5)
        elif note.known is not None:
            self._add(Look(self._seen(note.known)))
            if note.committed_by is not None:
                self._add(Look({"committed_by": self._places[note.committed_by]}))

    def _tell_step(self, note: Note) -> None:
        arguments: dict[str, object] = {k: self._places[v] for k, v in note.members.items()}
        if note.action == "coordinator_accepts_commit":
            self._accepted.append(len(self._history))
            arguments = {"commit": {**arguments, "generation": note.generation}}
        elif note.generation is not None and note.action == "coordinator_hears_member":
            arguments["generation"] = note.generation
        self._generation = max(self._generation, note.generation or 0)
        self._add(Event(note.action, arguments))
        if note.action == "consumer_joins":
            self._alive.add(self._places[note.members["member"]])
        elif note.action == "member_leaves":
            self._alive.discard(self._places[note.members["member"]])

    def _seen(self, known: Known) -> dict[str, object]:
        self._generation = max(self._generation, known.generation)
        seen: dict[str, object] = {"group.phase": known.phase}
        seen["group.generation"] = known.generation
        for member_id, place in self._places.items():
            standing = known.standing.get(member_id, "UNKNOWN")
            seen[f"group.standing[member{place + 1}]"] = standing
        if known.leader is not None:
            seen["group.leader"] = self._places[known.leader]
        if known.phase == "STABLE":
            seen["group.owner"] = None if known.owner is None else self._places[known.owner]
        return seen

    def _scope(self) -> Scope:
        bounds = {
            "members": self._size,
            "max_generation": self._generation + 1,
            "commits_on_their_way": COMMITS_ON_THEIR_WAY,
        }
        return Scope("run", bounds, "one group of one run")
