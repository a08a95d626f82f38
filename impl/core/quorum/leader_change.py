"""The control record with which a leader begins its epoch: Kafka's LeaderChangeMessage, version 0.

key      control record version (int16), type (int16)
value    version (int16), leader (int32), voters, those who voted for it, tagged fields
"""

from __future__ import annotations

import struct
from collections.abc import Collection

CONTROL_VERSION = 0
LEADER_CHANGE = 2
_VERSION = 0
_NO_TAGS = b"\0"


def leader_change(
    leader_id: int, voters: Collection[int], granting: Collection[int]
) -> tuple[bytes, bytes]:
    """Key and value of the record."""
    key = struct.pack(">hh", CONTROL_VERSION, LEADER_CHANGE)
    head = struct.pack(">hi", _VERSION, leader_id)
    return key, head + _voters(voters) + _voters(granting) + _NO_TAGS


def _voters(ids: Collection[int]) -> bytes:
    """A compact array, whose length fits one byte: no quorum has more than 126 voters."""
    each = (struct.pack(">i", voter) + _NO_TAGS for voter in sorted(ids))
    return bytes([len(ids) + 1]) + b"".join(each)
