"""Notice: a warning about what works today and may fail later."""

from __future__ import annotations

from dartsctl.ports.socket_table import ranges
from dartsctl.records import record

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Mapping
    from typing import TypeVar

    K = TypeVar("K", str, tuple[str, str])


@record
class Notice:
    """A warning. `code` is for programs and does not change; `sentence` is for people."""

    code: str
    service: str
    sentence: str

    @property
    def line(self) -> str:
        """The sentence, with the service that it is about if there is one."""
        return f"{self.service}: {self.sentence}" if self.service else self.sentence

    def document(self) -> dict[str, str]:
        """Return the warning for a program."""
        return {"code": self.code, "service": self.service, "message": self.sentence}


def ports_phrase(first: int, last: int, singular: str = "is", plural: str = "are") -> str:
    """`port 5000 is`, or `ports 5000-5009 are`."""
    return f"port {first} {singular}" if first == last else f"ports {first}-{last} {plural}"


def runs(owners: Mapping[int, K]) -> list[tuple[int, int, K]]:
    """Numbers in a row with the same owner, as (first, last, owner), ascending."""
    by_owner: dict[K, list[int]] = {}
    for port, owner in owners.items():
        by_owner.setdefault(owner, []).append(port)
    joined: list[tuple[int, int, K]] = []
    for owner, ports in by_owner.items():
        joined += [(first, last, owner) for first, last in ranges(ports)]
    return sorted(joined)
