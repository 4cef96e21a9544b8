"""Who keeps a binding from being made: a closed union, each kind with its evidence.

Evidence does not count when two are compared: who is met on 0.0.0.0 and on [::] is one holder (EDGE 1).
"""

from __future__ import annotations

from dataclasses import dataclass, field

from dartsctl.containers import Container
from dartsctl.process import Process


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
    """Another binding of the stack itself: both can never be made, and which one fails is chance (PORTS.md, gotcha 7)."""

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
class Unknown:
    """Busy, owner not visible: `look` is the exact command that shows it to root."""

    uid: int | None = None
    look: str = ""
    evidence: str = field(default="", compare=False)


Holder = HostProcess | ForeignContainer | OwnContainer | SameStack | DevLease | Unknown
