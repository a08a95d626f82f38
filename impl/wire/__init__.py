"""The broker's codec: strict, and generated from the table of messages in `spec.wire`.

Whatever arrives is either a message or a WireError that says in a sentence why it is none; time
and memory are bounded by the length of what arrived. Unknown tagged fields are skipped. What a
field means is no business of this package.
"""

from impl.wire.codec import decode_message, encode_message
from impl.wire.frames import (
    Request,
    UnsupportedVersion,
    decode_request,
    decode_response,
    encode_request,
    encode_response,
)
from impl.wire.values import Struct, WireError

__all__ = [
    "Request",
    "Struct",
    "UnsupportedVersion",
    "WireError",
    "decode_message",
    "decode_request",
    "decode_response",
    "encode_message",
    "encode_request",
    "encode_response",
]
