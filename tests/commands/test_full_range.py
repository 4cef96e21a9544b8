"""99 launches at the same moment: every port of the dev range is leased once.

Those that find the range full say so (edge-cases.md#60, edge-cases.md#62, edge-cases.md#63).
"""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from pathlib import Path

from dartsctl.edges.host import sockets
from dartsctl.ports.allocation import BROWSERS_REFUSE, DEV_RANGE

LAUNCHES = 99
SERVER = 'echo "$PORT"; exec sleep 600'
"""Keeps the lease as long as it lives. Nothing needs to listen."""


def test_99_simultaneous_runs_get_97_different_ports_and_two_report_a_full_range(
    tmp_path: Path,
) -> None:
    busy = {row.port for row in sockets.listeners(DEV_RANGE.numbers, listening_only=True)}
    free = set(DEV_RANGE.numbers) - BROWSERS_REFUSE - busy
    argv = [sys.executable, "-m", "dartsctl", "run", "--", "sh", "-c", SERVER]
    runs = [
        subprocess.Popen(
            argv,
            cwd=tmp_path,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            process_group=0,
        )
        for _ in range(LAUNCHES)
    ]
    try:
        lines = [run.stdout.readline().strip() for run in runs if run.stdout]
        given = [int(line) for line in lines if line]
        refused = [run for run, line in zip(runs, lines, strict=True) if not line]
        assert sorted(given) == sorted(free)
        assert len(refused) == LAUNCHES - len(free)
        for run in refused:
            assert run.wait(timeout=60) == 3
            assert run.stderr is not None
            assert "no port is free in the dev range: 5001-5099" in run.stderr.read()
    finally:
        for run in runs:
            if run.poll() is None:
                os.killpg(run.pid, signal.SIGTERM)
        for run in runs:
            run.communicate(timeout=60)
