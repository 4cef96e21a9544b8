"""Who keeps a binding from being made: a closed union, each kind with its evidence.

Evidence does not count when two are compared: who is met on 0.0.0.0 and on [::] is one holder (edge-cases.md#1).
"""

from __future__ import annotations

from dataclasses import dataclass, field

from dartsctl.ports.process import Process
from dartsctl.stack.containers import Container


@dataclass(frozen=True, slots=True)
class HostProcess:
    """A program on this host. `others` are the further pids that share the socket (a reloader pair, forked workers)."""

    process: Process
    others: tuple[int, ...] = ()
    evidence: str = field(default="", compare=False)


@dataclass(frozen=True, slots=True)
class ForeignContainer:
    """A container outside the stack: of another project, an orphan of this one, a one-off, or one on the host's network."""

    container: Container
    evidence: str = field(default="", compare=False)


@dataclass(frozen=True, slots=True)
class OwnContainer:
    """A container of this very project that `up` leaves running."""

    container: Container
    evidence: str = field(default="", compare=False)


@dataclass(frozen=True, slots=True)
class SameStack:
    """Another binding of the stack itself: both can never be made, and which one fails is chance (engine-rules.md#gotchas)."""

    service: str
    published: str
    evidence: str = field(default="", compare=False)


@dataclass(frozen=True, slots=True)
class DevLease:
    """A host server that dartsctl started, on a leased port."""

    process: Process | None
    checkout: str
    url: str
    evidence: str = field(default="", compare=False)


@dataclass(frozen=True, slots=True)
class Connection:
    """A connection whose own port is the wanted number. Nobody is stopped for it: it ends by itself.

    `process` is None where its owner is not visible, and where none has it open any more (TIME_WAIT and its like: `is_closing`).
    """

    process: Process | None
    is_closing: bool
    peer: str = field(default="", compare=False)
    look: str = field(default="", compare=False)
    evidence: str = field(default="", compare=False)

    @property
    def sentence(self) -> str:
        """`outgoing connection of python (pid 12) to 192.0.2.7:443 uses this number as its source port`."""
        to = f" to {self.peer}" if self.peer else ""
        if self.process:
            who = f"outgoing connection of {self.process.name} (pid {self.process.pid}){to}"
        elif self.is_closing:
            return f"closed connection{to} uses this number as its source port, for about a minute more"
        else:
            who = f"outgoing connection of a process that is not visible{to}"
        return f"{who} uses this number as its source port"


@dataclass(frozen=True, slots=True)
class Unknown:
    """Busy, owner not visible: `look` is the exact command that shows it to root."""

    uid: int | None = None
    look: str = ""
    evidence: str = field(default="", compare=False)


Holder = HostProcess | ForeignContainer | OwnContainer | SameStack | DevLease | Connection | Unknown
