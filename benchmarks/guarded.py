"""What the guard costs every start of Python in a virtual environment."""

from __future__ import annotations

import os
import venv
from pathlib import Path

from measure import Ratio, command, compare

from dartsctl.edges.project import guards
from dartsctl.ports.allocation import PRODUCTION_PORTS, Allocation


def start(folder: Path, *, rounds: int) -> Ratio:
    """Compare `python -c pass` with and without the guard.

    DARTSCTL_GUARD=on, because in a container the guard would be inactive.
    """
    for name in ("guarded", "plain"):
        venv.create(folder / name, symlinks=True)
    guards.install(
        next((folder / "guarded").glob("lib/python*/site-packages")),
        Allocation.of(PRODUCTION_PORTS).owners,
    )
    environ = {
        name: value for name, value in os.environ.items() if not name.startswith("PYTHON")
    } | {"DARTSCTL_GUARD": "on"}
    ours, peer = (
        command([str(folder / name / "bin" / "python"), "-c", "pass"], environ=environ)
        for name in ("guarded", "plain")
    )
    return compare(ours, peer, rounds=rounds)
