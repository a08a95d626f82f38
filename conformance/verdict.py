"""What a check may conclude.

A check that returns has passed. Otherwise it leaves by one of four exceptions: `Violation` (what
came back is outside what the clause permits), `Broken` (the broker closed the connection or sent
something unreadable where an answer was due), `Inconclusive` (what a client cannot know, above all
a timeout) and `NotApplicable`. The level of the clause decides whether a violation is one, or a
deviation (a SHOULD unmet).
"""

from dataclasses import dataclass
from enum import Enum


class Verdict(Enum):
    """What a run of one check concludes; the first three are conclusive."""

    PASS = "pass"
    VIOLATION = "violation"
    DEVIATION = "deviation"
    INCONCLUSIVE = "inconclusive"
    NOT_APPLICABLE = "not_applicable"

    @property
    def conclusive(self) -> bool:
        return self in (Verdict.PASS, Verdict.VIOLATION, Verdict.DEVIATION)


@dataclass(frozen=True)
class Judgement:
    """One comparison that failed: of what, what came back, what the clause permits and why."""

    what: str
    got: str
    permitted: str
    because: str


class Violation(Exception):  # noqa: N818 - a verdict, not an error of the suite
    """The broker did something that the clause does not permit."""

    def __init__(self, judgement: Judgement) -> None:
        super().__init__(f"{judgement.what} is {judgement.got}; permitted: {judgement.permitted}")
        self.judgement = judgement


class Broken(Exception):  # noqa: N818
    """The broker closed the connection, or sent something unreadable, where an answer was due.

    A violation of the clause if a check's own request met it; the session's preparations (creating
    a topic, finding a coordinator) turn it into `Inconclusive`.
    """


class Inconclusive(Exception):  # noqa: N818
    """Nothing can be concluded, and the argument says why."""


class NotApplicable(Exception):  # noqa: N818
    """The clause does not concern this broker, and the argument says why."""
