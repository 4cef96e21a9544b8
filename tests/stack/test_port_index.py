"""Which spans of ports meet another one."""

from __future__ import annotations

import random

from counting import calls_in
from dartsctl.stack.port_index import PortIndex

Span = tuple[str, int, int]


def random_span(dice: random.Random) -> Span:
    first = dice.randrange(1, 2000)
    length = dice.choice((1, 1, 1, 2, 9, 256, 700))
    return dice.choice(("tcp", "udp")), first, first + length - 1


def meet(span: Span, other: Span) -> bool:
    return span[0] == other[0] and span[1] <= other[2] and other[1] <= span[2]


def test_the_spans_that_meet_another_one_are_told_in_order() -> None:
    for seed in range(300):
        dice = random.Random(seed)
        spans = [random_span(dice) for _ in range(dice.randrange(60))]
        index = PortIndex(spans)
        for wanted in (*spans[:10], *(random_span(dice) for _ in range(10))):
            expected = [place for place, span in enumerate(spans) if meet(span, wanted)]
            assert index.meeting(*wanted) == expected, f"seed {seed}"


def test_spans_that_are_far_away_cost_nothing() -> None:
    def asked(count: int) -> int:
        far = [("tcp", 10_000 + number, 10_000 + number) for number in range(count)]
        ranges = [("tcp", 20_000 + 10 * number, 20_005 + 10 * number) for number in range(count)]
        index = PortIndex([("tcp", 80, 80), ("tcp", 70, 90), *far, *ranges])
        index.meeting("tcp", 1, 9)
        return calls_in(lambda: index.meeting("tcp", 80, 80))

    assert asked(2000) == asked(10)
