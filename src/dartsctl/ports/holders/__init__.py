"""Holders: who keeps a binding from being created.

`Holder` is a closed union. Each kind of holder is one class, which owns its data, its wording, its
JSON and how it is classified; `kinds.HolderKind` owns the choices. To add a kind of holder:

1. Write a frozen dataclass here with the members that the others have (`description`, `line`,
   `summary`, `document`, `finding_data`, `details`, `container`, `pids`, `classify`, `remedy`).
   Evidence does not take part in comparison: a process met on 0.0.0.0 and on [::] is one holder
   (edge-cases.md#1).
2. Add its kinds to `HolderKind`, each with its choices, safest first.
3. Add it to `Holder`. mypy then names every place that has to know it.
4. Return it from `ports/attribution.py`.
"""

from __future__ import annotations

from dartsctl.ports.holders.containers import ForeignContainer, OwnContainer
from dartsctl.ports.holders.processes import DevLease, HostProcess
from dartsctl.ports.holders.reserved import Reserved
from dartsctl.ports.holders.unstoppable import Connection, RivalBinding, Unknown

__all__ = [
    "Connection",
    "DevLease",
    "ForeignContainer",
    "Holder",
    "HostProcess",
    "OwnContainer",
    "Reserved",
    "RivalBinding",
    "Unknown",
]

Holder = (
    HostProcess
    | ForeignContainer
    | OwnContainer
    | RivalBinding
    | DevLease
    | Reserved
    | Connection
    | Unknown
)
