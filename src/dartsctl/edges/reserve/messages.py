"""What is said on the socket of a reserve, and between `watch` and its process: JSON lines.

A verb sends one line, `{"version": 1, "ask": "state"}` or `"release"`, and gets one State. It keeps
the connection open for as long as the released ports are its own.
"""

from __future__ import annotations

import json

from dartsctl.records import record
from dartsctl.stack.bindings import Endpoint, normal_address, parse_protocol

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Collection, Iterable

VERSION = 1
LONGEST_REQUEST = 256
"""Bytes of a verb's line."""
LONGEST_LINE = 128 << 10
"""Bytes of any other line."""
SOCKET_NAME = "socket"
LARGEST_RESERVE = 512
"""Endpoints. Further ones are not reserved."""


@record
class Orders:
    """What `watch` wants: `held` with sockets, and `guarded` by the gate.

    `turn`: how many times the ports were released before, as `watch` knows. Orders of an earlier
    turn hold nothing, because they were given before the verb.
    """

    held: tuple[Endpoint, ...] = ()
    guarded: tuple[Endpoint, ...] = ()
    turn: int = 0

    def line(self) -> bytes:
        return _line(held=_texts(self.held), guarded=_texts(self.guarded), turn=self.turn)


@record
class State:
    """What is reserved now, and for whom."""

    watch: int = 0
    """The pid of `watch`."""
    project: str = ""
    held: tuple[Endpoint, ...] = ()
    guarded: tuple[Endpoint, ...] = ()
    turn: int = 0
    released: bool = False
    """Whether a verb has the ports now."""
    busy: tuple[Endpoint, ...] = ()
    """The guarded endpoints that somebody has already. Only in the answer to a verb."""
    refused: tuple[tuple[Endpoint, int], ...] = ()
    """The endpoints that could not be taken, with errno."""
    gate_error: str = ""
    """Why there is no gate though there should be one."""

    @property
    def endpoints(self) -> frozenset[Endpoint]:
        """Everything that nobody else can bind."""
        return frozenset((*self.held, *self.guarded))

    @property
    def usable(self) -> frozenset[Endpoint]:
        """Those of them that the engine can bind once the ports are released."""
        return self.endpoints - frozenset(self.busy)

    def line(self) -> bytes:
        return _line(
            watch=self.watch,
            project=self.project,
            held=_texts(self.held),
            guarded=_texts(self.guarded),
            turn=self.turn,
            released=self.released,
            busy=_texts(self.busy),
            refused=[[*_text(endpoint), number] for endpoint, number in self.refused],
            gate_error=self.gate_error,
        )


def read_orders(line: bytes) -> Orders:
    """Return the orders in a line. Raises ValueError."""
    document = _read(line)
    return Orders(
        held=_endpoints(document, "held"),
        guarded=_endpoints(document, "guarded"),
        turn=_number(document.get("turn")),
    )


def read_state(line: bytes) -> State:
    """Return the state in a line. Raises ValueError."""
    document = _read(line)
    refused = [(_endpoint(row), _number(row[-1])) for row in _list(document, "refused")]
    return State(
        watch=_number(document.get("watch")),
        project=str(document.get("project", "")),
        held=_endpoints(document, "held"),
        guarded=_endpoints(document, "guarded"),
        turn=_number(document.get("turn")),
        released=document.get("released") is True,
        busy=_endpoints(document, "busy"),
        refused=tuple(refused),
        gate_error=str(document.get("gate_error", "")),
    )


def request(word: str) -> bytes:
    """Return the line of a verb: `state` or `release`."""
    return _line(ask=word)


def read_request(line: bytes) -> str:
    """Return what a verb asks. Raises ValueError for anything that is not exactly a request."""
    if not line.endswith(b"\n"):
        raise ValueError("not a whole line")
    document = _read(line)
    word = document.get("ask")
    if document.keys() != {"version", "ask"} or word not in ("state", "release"):
        raise ValueError("not a request")
    return str(word)


def _line(**fields: object) -> bytes:
    return json.dumps({"version": VERSION, **fields}).encode() + b"\n"


def _read(line: bytes) -> dict[str, object]:
    try:
        document = json.loads(line)
    except RecursionError:
        raise ValueError("nested too deeply") from None
    if not isinstance(document, dict) or document.get("version") != VERSION:
        raise ValueError("not of this version")
    return document


def _list(document: dict[str, object], key: str) -> Collection[list[object]]:
    rows = document.get(key, [])
    if not isinstance(rows, list) or len(rows) > LARGEST_RESERVE:
        raise ValueError(f"{key} is not a list of endpoints")
    return rows


def _endpoints(document: dict[str, object], key: str) -> tuple[Endpoint, ...]:
    return tuple(map(_endpoint, _list(document, key)))


def _endpoint(row: list[object]) -> Endpoint:
    if not isinstance(row, list) or len(row) < 3:
        raise ValueError("not an endpoint")
    address, protocol = normal_address(str(row[0])), parse_protocol(str(row[2]))
    return Endpoint(_number(row[1]), address, protocol)


def _number(value: object) -> int:
    if not isinstance(value, int) or value < 0:
        raise ValueError("not a number")
    return value


def _texts(endpoints: Iterable[Endpoint]) -> list[list[object]]:
    return [_text(endpoint) for endpoint in endpoints]


def _text(endpoint: Endpoint) -> list[object]:
    return [endpoint.address, endpoint.port, endpoint.protocol]
