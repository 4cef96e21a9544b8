"""Which bindings of one `up` want the same numbers, as a comparison of all with all would say."""

from __future__ import annotations

import random

from dartsctl.ports.contention import Contentions
from dartsctl.ports.holders import RivalBinding
from dartsctl.records import replace
from dartsctl.stack.bindings import PortBinding

ADDRESSES = (("0.0.0.0", "::"), ("0.0.0.0",), ("127.0.0.1",), ("::",), ("::1",), ("192.0.2.2",))


def random_bindings(dice: random.Random) -> list[PortBinding]:
    bindings = []
    for _ in range(dice.randrange(1, 25)):
        first = dice.randrange(8000, 8030)
        last = first + dice.choice((0, 0, 0, 3, 12))
        service, addresses = f"s{dice.randrange(5)}", dice.choice(ADDRESSES)
        bindings += [
            PortBinding(service, replica, 80, "tcp", first, last, addresses)
            for replica in range(1, dice.choice((2, 2, 4)))
        ]
    return bindings


def test_the_rivals_of_a_binding_are_all_others_that_may_exclude_it_in_order() -> None:
    for seed in range(400):
        bindings = random_bindings(random.Random(seed))
        contentions = Contentions(bindings)
        for binding in bindings:
            others = [other for other in bindings if other is not binding]
            rivals = [other for other in others if other.may_exclude(binding)]
            contention = contentions.of(binding)
            near = [other for other in contention.bindings if other is not binding]
            assert list(map(id, near)) == list(map(id, rivals)), f"seed {seed}"
            for fixed_only in (True, False):
                if fixed_only and binding.is_range:
                    continue  # a range is none of the fixed ones
                wanted = [other for other in rivals if not (fixed_only and other.is_range)]
                holders = tuple(dict.fromkeys(map(RivalBinding.of, wanted)))
                assert contention.rivals_of(binding, fixed_only=fixed_only) == holders


def test_the_fixed_ports_of_a_container_are_those_of_one_replica() -> None:
    first = PortBinding("web", 1, 80, "tcp", 8000, 8000, ("::",))
    second = replace(first, replica=2)
    span = PortBinding("web", 1, 81, "tcp", 8000, 8009, ("::",))
    contention = Contentions([first, second, span]).of(span)
    assert list(contention.fixed_of_container(span)) == [first]


def test_only_a_range_on_other_addresses_is_elsewhere() -> None:
    here, too = (PortBinding(name, 1, 80, "tcp", 8000, 8009, ("::",)) for name in "ab")
    wide = PortBinding("c", 1, 80, "tcp", 8005, 8019, ("::1",))
    fixed = PortBinding("d", 1, 80, "tcp", 8000, 8000, ("::1",))
    assert Contentions([here, too, fixed]).of(here).elsewhere is None
    assert Contentions([here, too, wide]).of(here).elsewhere is wide
