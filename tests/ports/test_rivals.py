"""Entries of one stack that exclude each other, or that a later file added (edge-cases.md#51)."""

from __future__ import annotations

from pathlib import Path

import pytest

from dartsctl.ports import lint, rivals
from dartsctl.ports.availability import Reason
from dartsctl.ports.conflicts import Conflict
from dartsctl.ports.holders import HostProcess, RivalBinding
from dartsctl.ports.rivals import PortWish, Wishes
from dartsctl.stack.bindings import Endpoint, PortBinding
from dartsctl.stack.model import PortEntry, Service, Stack
from dartsctl.stack.port_origins import PortOrigins, trace
from fakes.conflict_cases import SERVER

BASE, DEV, LOCAL = Path("/src/compose.yml"), Path("/src/dev.yml"), Path("/src/local.yml")


def entry(text: str, protocol: str = "tcp") -> PortEntry:
    """`[ADDRESS:]HOST:CONTAINER` as the model has it."""
    rest, _, target = text.rpartition(":")
    address, _, published = rest.rpartition(":")
    return PortEntry(int(target), protocol, published, address.strip("[]"))  # type: ignore[arg-type]


def merged(
    *lists: list[PortEntry], files: tuple[Path, ...] = (BASE, DEV, LOCAL)
) -> tuple[Stack, PortOrigins]:
    """The stack of a service `web`, to whose ports each file appends a list."""
    stacks = []
    for count in range(1, len(lists) + 1):
        ports = [port for ports in lists[:count] for port in ports]
        stacks.append(Stack("demo", {"web": Service("web", ports=tuple(ports))}, {}))
    return stacks[-1], trace(stacks[-1], files[: len(lists)], stacks[:-1])


def self_conflict(first: int, last: int | None = None) -> Conflict:
    binding = PortBinding("web", 1, 80, "tcp", first, last or first, ("127.0.0.1", "0.0.0.0"))
    return Conflict(
        binding, (Endpoint(first, "0.0.0.0"),), Reason.SAME_STACK, (RivalBinding.of(binding),)
    )


@pytest.mark.parametrize(
    ("mine", "theirs", "exclude"),
    [
        (entry("127.0.0.1:8080:80"), entry("0.0.0.0:8080:80"), True),
        (entry("127.0.0.1:8080:80"), entry("8080:81"), True),
        (entry("[::1]:8080:80"), entry("8080:80"), True),
        (entry("8080-8090:80"), entry("8085:81"), True),
        (entry("[::1]:8080:80"), entry("127.0.0.1:8080:80"), False),
        (entry("127.0.0.1:8080:80"), entry("127.0.0.2:8080:80"), False),
        (entry("8080:80"), entry("8080:80", "udp"), False),
        (entry("8080:80"), entry("8081:80"), False),
        (entry("8080-8084:80"), entry("8085:81"), False),
        (PortEntry(80, "tcp"), entry("8080:80"), False),
    ],
)
def test_two_entries_exclude_each_other_as_their_bindings_do(
    mine: PortEntry, theirs: PortEntry, exclude: bool
) -> None:
    left, right = PortWish("web", mine), PortWish("api", theirs)
    assert (left.excludes(right), right.excludes(left)) == (exclude, exclude)


def test_the_entries_of_a_conflict_are_named_with_their_files() -> None:
    stack, origins = merged(
        [entry("127.0.0.1:8080:80"), entry("9000:9000")], [entry("0.0.0.0:8080:80")]
    )
    wishes = Wishes(stack, origins).rivals_in(self_conflict(8080))
    assert [(wish.text, wish.file) for wish in wishes] == [
        ("127.0.0.1:8080:80", BASE),
        ("0.0.0.0:8080:80", DEV),
    ]


def test_the_replacement_keeps_what_does_not_conflict_and_drops_what_the_latest_file_replaces() -> (
    None
):
    stack, origins = merged(
        [entry("127.0.0.1:8080:80"), entry("9000:9000"), entry("53:53", "udp")],
        [entry("0.0.0.0:8080:80")],
        [entry("8080:80")],
    )
    wishes = Wishes(stack, origins).rivals_in(self_conflict(8080))
    change = rivals.appended(stack.services["web"], wishes, origins)
    assert change is not None
    assert (change.earlier, change.file) == ((BASE, DEV), LOCAL)
    assert [wish.text for wish in change.wanted] == ["9000:9000", "53:53/udp", "8080:80"]


def test_entries_of_a_single_file_were_not_appended() -> None:
    stack, origins = merged([entry("127.0.0.1:8080:80"), entry("8080:80")])
    wishes = Wishes(stack, origins).rivals_in(self_conflict(8080))
    assert len(wishes) == 2
    assert rivals.appended(stack.services["web"], wishes, origins) is None


def test_a_long_range_is_one_entry() -> None:
    numbers = range(6000, 6020)
    stack, origins = merged(
        [entry(f"{number}:{number}") for number in numbers],
        [entry(f"127.0.0.1:{number}:{number}") for number in numbers],
    )
    wishes = Wishes(stack, origins).rivals_in(self_conflict(6000, 6019))
    assert [wish.text for wish in wishes] == [
        "6000-6019:6000-6019",
        "127.0.0.1:6000-6019:6000-6019",
    ]


def test_a_conflict_with_somebody_else_too_is_not_only_the_stacks_own() -> None:
    own = self_conflict(8080)
    both = Conflict(own.binding, own.endpoints, Reason.IN_USE, (*own.holders, HostProcess(SERVER)))
    nobody = Conflict(own.binding, own.endpoints, Reason.NO_SUCH_ADDRESS)
    judged = [(rivals.is_within_stack(c), rivals.has_rivals(c)) for c in (own, both, nobody)]
    assert judged == [(True, True), (False, True), (False, False)]


# --- the warning ------------------------------------------------------------------------------


def notices(*lists: list[PortEntry]) -> list[str]:
    return [notice.sentence for notice in lint.appended(*merged(*lists))]


def test_another_host_port_that_a_later_file_added_for_a_container_port_is_a_warning() -> None:
    (sentence,) = notices([entry("8080:80")], [entry("8081:80")])
    assert sentence == (
        "container port 80 is published more than once: 8080:80 (compose.yml), 8081:80 (dev.yml);"
        " Compose adds the `ports` of a later file to the earlier ones;"
        " `ports: !override` in dev.yml replaces them"
    )


def test_three_files_are_one_warning() -> None:
    (sentence,) = notices([entry("8080:80")], [entry("8081:80")], [entry("127.0.0.1:8082:80")])
    assert "8080:80 (compose.yml), 8081:80 (dev.yml), 127.0.0.1:8082:80 (local.yml)" in sentence


@pytest.mark.parametrize(
    "lists",
    [
        ([entry("8080:80"), entry("8081:80")],),
        ([entry("8080:80")], [entry("8080:80", "udp")]),
        ([entry("8080:80")], [entry("8081:81")]),
        ([entry("127.0.0.1:8080:80")], [entry("192.0.2.7:8080:80")]),
        ([PortEntry(80, "tcp")], [entry("8080:80")]),
    ],
    ids=["one file", "udp beside tcp", "another container port", "another address", "ephemeral"],
)
def test_what_was_meant_is_no_warning(lists: tuple[list[PortEntry], ...]) -> None:
    assert notices(*lists) == []


def test_a_moved_range_is_one_warning() -> None:
    assert (
        len(
            notices(
                [entry(f"{n}:{n}") for n in range(6000, 6020)],
                [entry(f"{n + 100}:{n}") for n in range(6000, 6020)],
            )
        )
        == 1
    )
