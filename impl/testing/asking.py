"""One question to a broker, asked from any thread, over a connection of its own."""

from __future__ import annotations

import socket
import struct
from typing import Any

from impl.testing.machine import HOST, LONGEST_S, ClusterError
from impl.wire import Struct, decode_response, encode_request


def ask(port: int, client_id: str, api_name: str, version: int, **fields: Any) -> Struct:
    """Raises ClusterError where there is no answer."""
    parts = encode_request(api_name, version, 1, client_id, Struct(**fields))
    try:
        with socket.create_connection((HOST, port), LONGEST_S) as connection:
            connection.sendall(b"".join(parts))
            (size,) = struct.unpack(">i", _exactly(connection, 4))
            return decode_response(api_name, version, _exactly(connection, size))[1]
    except OSError as error:
        raise ClusterError(f"{api_name} was not answered: {error}.") from error


def _exactly(connection: socket.socket, size: int) -> bytes:
    data = b""
    while len(data) < size:
        more = connection.recv(size - len(data))
        if not more:
            raise ConnectionError("the connection was closed")
        data += more
    return data
