"""The suite's codec: lenient and slow, over the same table as the broker's and of other make.

Reading reports what is odd and goes on; writing does what the check says, right or wrong. Nothing
here knows what a right answer is.
"""

from conformance.wire.frames import (
    Request,
    decode_message,
    decode_request,
    decode_response,
    encode_message,
    encode_request,
    encode_response,
)
from conformance.wire.values import Raw, Struct, Unreadable, Unwritable

__all__ = [
    "Raw",
    "Request",
    "Struct",
    "Unreadable",
    "Unwritable",
    "decode_message",
    "decode_request",
    "decode_response",
    "encode_message",
    "encode_request",
    "encode_response",
]
