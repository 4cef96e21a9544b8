"""One benchmark at a time on a machine, with a folder and ports of its own; nothing is left."""

from __future__ import annotations

import argparse
import contextlib
import json
import random
import shutil
import signal
import socket
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from types import FrameType
from typing import Any

import machine
import peers
from measure import Clock, Failed, Plan, wall
from product import PORT_COUNT, Product

_PORTS = (62_000, 65_000)
_LOCK = 61_999
_FOLDER = "dartsctl-benchmark-"
_INTERRUPTED = 130


def parser(description: str) -> argparse.ArgumentParser:
    """Return the options that `make bench` and `make bench-compare` have."""
    options = argparse.ArgumentParser(description=description)
    options.add_argument("--only", default="", help="targets with this in their name")
    options.add_argument("--json", default="", metavar="FILE", help="write the table to this file")
    options.add_argument("--rounds", type=int, default=0, help="exactly so many for each target")
    return options


def heading(facts: Mapping[str, Any], *more: str) -> str:
    """Return what is printed above a table. Where Python is concerns only this machine."""
    lines = [*machine.lines(facts), f"Python is that of {sys.base_prefix}"]
    if facts["load"] > facts["cores"]:
        lines.append("this machine is busy: the figures say little")
    return "\n".join([*lines, *more])


def plan_of(options: argparse.Namespace, usual: Plan) -> Plan:
    """Return how long to measure each target."""
    if options.rounds:
        return Plan(seconds=0, least=options.rounds, most=options.rounds)
    return usual


def products(folder: Path, environments: Mapping[str, Path], clock: Clock = wall) -> list[Product]:
    """Return versions of dartsctl, each with a folder and free ports of its own."""
    first_port = free_ports(PORT_COUNT * len(environments))
    made = []
    for number, (name, environment) in enumerate(environments.items()):
        place = folder / name
        place.mkdir()
        made.append(Product(name, environment, place, first_port + number * PORT_COUNT, clock))
    return made


def free_ports(count: int) -> int:
    """Return the first of so many ports in a row that are free. Raises Failed.

    They are above those that the kernel hands out. The search begins anywhere, because other
    programs for tests begin at a round number.
    """
    lowest, highest = _PORTS
    blocks = list(range(lowest, highest, count))
    random.shuffle(blocks)
    for first in blocks:
        if all(_is_free(port) for port in range(first, first + count)):
            return first
    raise Failed(f"no {count} ports in a row are free: ss -ltn")


def _is_free(port: int) -> bool:
    with socket.socket() as trial:
        trial.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            trial.bind(("", port))
        except OSError:
            return False
    return True


def write(place: str, text: dict[str, Any]) -> None:
    """Write a document as JSON; nothing if no place was named."""
    if place:
        Path(place).write_text(json.dumps(text, indent=2) + "\n")


def guarded(
    work: Callable[[Path], int],
    *,
    lock: int = _LOCK,
    clean: Callable[[], None] = peers.remove_leftovers,
) -> int:
    """Run alone on this machine, in a folder of its own, and leave nothing behind.

    `lock`: a port that is bound meanwhile. `clean` is called before and after.
    """
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, _interrupt)
    try:
        with _alone(lock), _folder() as folder:
            clean()
            try:
                return work(folder)
            finally:
                clean()
    except KeyboardInterrupt:
        print("interrupted; what was started is removed", file=sys.stderr)
        return _INTERRUPTED
    except Failed as problem:
        print(f"error: {problem}", file=sys.stderr)
        return 1


@contextlib.contextmanager
def _folder() -> Iterator[Path]:
    """Make a folder that is removed at the end. What a killed run left is removed, too."""
    for leftover in Path(tempfile.gettempdir()).glob(f"{_FOLDER}*"):
        shutil.rmtree(leftover, ignore_errors=True)
    with tempfile.TemporaryDirectory(prefix=_FOLDER) as folder:
        yield Path(folder)


def _interrupt(_number: int, _frame: FrameType | None) -> None:
    """Stop, and let nothing interrupt the cleaning up."""
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, signal.SIG_IGN)
    raise KeyboardInterrupt


@contextlib.contextmanager
def _alone(port: int) -> Iterator[None]:
    """Wait until no other benchmark runs here: two would measure each other."""
    has_waited = False
    with socket.socket() as lock:
        while True:
            try:
                lock.bind(("127.0.0.1", port))
                break
            except OSError:
                if not has_waited:
                    print("waiting for another benchmark on this machine", file=sys.stderr)
                has_waited = True
                time.sleep(0.5)
        yield
