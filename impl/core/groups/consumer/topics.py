"""What groups of the consumer protocol know of topics: which match, and if any has changed."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from hashlib import blake2b
from uuid import UUID

from impl.core.cluster.catalogue import Catalogue
from impl.core.groups.consumer.group import ConsumerGroup, Member
from impl.core.refusal import KafkaError
from spec.wire.errors import ErrorCode

# What Python understands and RE2, the language of these expressions, does not: looking around,
# references back, conditions, atomic groups, possessive repetition, comments.
_NOT_RE2 = re.compile(r"\\[1-9]|\(\?(?:[=!#(>]|<[=!]|P[=>])|[*+?}]\+")


def compile_regex(regex: str) -> re.Pattern[str]:
    """Raises KafkaError."""
    try:
        if _NOT_RE2.search(regex):
            raise KafkaError(ErrorCode.INVALID_REGULAR_EXPRESSION)
        return re.compile(regex)
    except (re.error, OverflowError, RecursionError):
        raise KafkaError(ErrorCode.INVALID_REGULAR_EXPRESSION) from None


class Topics:
    """The topics of the catalogue; `revision` moves whenever one of them may have changed."""

    def __init__(self, catalogue: Catalogue) -> None:
        self._catalogue = catalogue
        self.revision = 0

    def matching(self, regex: str) -> frozenset[str]:
        pattern = compile_regex(regex)
        return frozenset(name for name in self._catalogue.topics if pattern.fullmatch(name))

    def hash_of(self, names: Iterable[str]) -> int:
        """Another number whenever one of the topics comes, goes, or has other partitions."""
        topics = [t for n in sorted(names) if (t := self._catalogue.topics.get(n)) is not None]
        if not topics:
            return 0
        known = repr([(t.name, t.topic_id.hex, len(t.partitions)) for t in topics])
        return int.from_bytes(blake2b(known.encode(), digest_size=8).digest(), signed=True)

    def sizes(self, names: Iterable[str]) -> Mapping[UUID, int]:
        """How many partitions each topic has, of those that exist."""
        topics = self._catalogue.topics
        return {
            topics[name].topic_id: len(topics[name].partitions) for name in names if name in topics
        }

    def ids_for(self, group: ConsumerGroup, member: Member) -> frozenset[UUID]:
        topics = self._catalogue.topics
        names = group.topics_of(member)
        return frozenset(topics[name].topic_id for name in names if name in topics)

    def name_of(self, topic_id: UUID) -> str | None:
        topic = self._catalogue.find(topic_id)
        return None if topic is None else topic.name
