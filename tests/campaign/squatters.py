"""Squatters against `watch --reserve`: they try to bind production's ports without a pause.

    PYTHONPATH=tests python tests/campaign/squatters.py --count 50   # or: make reserve N=50

A watch reserves the ports of a small stack. Squatters try in a tight loop, with SO_REUSEADDR as
werkzeug does, on 127.0.0.1, 0.0.0.0 and ::. Each round is `prod up` and `prod down`. A squatter
that gets a port, and an `up` that fails, is wrong. Exit code 1 with what was seen. It needs root:
without the gate a squatter is faster than the engine.
"""

from __future__ import annotations

import argparse
import random
import sys
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path

from live.reserved_stack import Stack

ADDRESSES = ("127.0.0.1", "0.0.0.0", "::")


def rounds(count: int, *, seed: int = 1, squatters: Sequence[str] = ADDRESSES) -> list[str]:
    """Return what was wrong in `count` rounds.

    `seed` decides the pauses between the verbs. `squatters`: the addresses of each of them.
    """
    chance = random.Random(seed)
    with tempfile.TemporaryDirectory() as folder:
        stack = Stack(Path(folder))
        try:
            with stack.watched(), stack.squatted(*squatters):
                wrong: list[str] = []
                for number in range(count):
                    wrong += _round(stack, number, chance)
                return [*wrong, *stack.squats]
        finally:
            stack.remove()


def _round(stack: Stack, number: int, chance: random.Random) -> list[str]:
    wrong: list[str] = []
    for verb in ("up", "down"):
        done = stack.run("prod", verb)
        if done.returncode:
            wrong.append(f"round {number}: {verb} ended with {done.returncode}: {done.stderr}")
        time.sleep(chance.choice((0, 0, 0.5, 2)))  # at once, or when the ports are held again
    return wrong


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--count", type=int, default=50)
    parser.add_argument("--seed", type=int, default=1)
    options = parser.parse_args()
    began = time.monotonic()
    wrong = rounds(options.count, seed=options.seed)
    for line in wrong:
        print(line)
    print(f"{options.count} rounds in {time.monotonic() - began:.0f} s: {len(wrong)} wrong")
    return 1 if wrong else 0


if __name__ == "__main__":
    sys.exit(main())
