"""What is asked of a broker first, and what becomes of one that answers oddly."""

import pytest

from conformance.probe import Unreachable, probe
from conformance.wire import Request, Struct
from tests.conformance.scripted_broker import Instead, ScriptedBroker


class ListsNothing(ScriptedBroker):
    """A broker with null in place of its APIs, in the versions of ApiVersions from `since` on."""

    since = 0

    def _standard(self, request: Request) -> Struct | None:
        if request.api_name == "ApiVersions" and request.api_version >= self.since:
            return Struct(error_code=0, api_keys=None)
        return super()._standard(request)


def listener(since: int) -> ListsNothing:
    broker = ListsNothing(lambda _: Instead.CLOSE)
    broker.since = since
    return broker


def test_a_broker_whose_newer_list_of_apis_is_null_is_asked_for_its_oldest() -> None:
    with listener(since=1) as broker:
        assert "Metadata" in broker.versions


def test_a_broker_whose_list_of_apis_is_always_null_is_told_in_a_sentence() -> None:
    silent = listener(since=1)
    with silent as broker:
        silent.since = 0
        with pytest.raises(Unreachable, match="null instead of APIs"):
            probe(broker.address, timeout=5.0)
