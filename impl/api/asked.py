"""Everything that nodes ask of each other, by the type of the core's request."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from impl.api.asking import Asking
from impl.api.brokers import BROKERS_ASKED
from impl.api.fetch import FETCH_ASKED
from impl.api.quorum import QUORUM_ASKED
from impl.api.topics import TOPICS_ASKED
from impl.api.transactions import TRANSACTION_ASKED

ASKED: Mapping[type[Any], Asking] = {
    **QUORUM_ASKED,
    **BROKERS_ASKED,
    **FETCH_ASKED,
    **TOPICS_ASKED,
    **TRANSACTION_ASKED,
}
