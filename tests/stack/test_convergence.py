"""What `up` does with existing containers (engine-rules.md#own-containers)."""

from __future__ import annotations

import pytest

from dartsctl.stack.bindings import Endpoint, PortBinding
from dartsctl.stack.containers import Container
from dartsctl.stack.convergence import Convergence, converge, split_new_and_held
from dartsctl.stack.model import Service, Stack
from fakes.kernel import container

HASHES = {"web": "same", "db": "same"}
PORT = Endpoint(21000, "0.0.0.0")


def stack_of(**replicas: int) -> Stack:
    return Stack(
        "demo", {name: Service(name, replicas=count) for name, count in replicas.items()}, {}
    )


def names(containers: tuple[Container, ...]) -> list[str]:
    return [container.name for container in containers]


def sorted_out(answer: Convergence) -> tuple[list[str], list[str], list[str]]:
    return names(answer.kept), names(answer.released), names(answer.staying)


@pytest.mark.parametrize("state", ["running", "paused"])
def test_an_up_to_date_container_is_kept_with_its_ports(state: str) -> None:
    mine = container("demo", "web", PORT, state=state)
    answer = converge(stack_of(web=1), [mine], HASHES)
    assert sorted_out(answer) == (["demo-web-1"], [], ["demo-web-1"])
    assert answer.freed == frozenset()


def test_only_a_kept_paused_container_blocks_up() -> None:
    paused, changed = (
        container("demo", "web", state="paused"),
        container("demo", "db", state="paused", config_hash="other"),
    )
    answer = converge(stack_of(web=1, db=1), [paused, changed], HASHES)
    assert (names(answer.paused), names(answer.released)) == (["demo-web-1"], ["demo-db-1"])


@pytest.mark.parametrize("state", ["running", "paused"])
def test_a_changed_container_releases_its_ports_first(state: str) -> None:  # edge-cases.md#36
    answer = converge(
        stack_of(web=1), [container("demo", "web", PORT, state=state, config_hash="other")], HASHES
    )
    assert sorted_out(answer) == ([], ["demo-web-1"], [])
    assert answer.freed == {PORT}


def test_force_recreate_releases_up_to_date_containers_too() -> None:
    answer = converge(
        stack_of(web=1), [container("demo", "web", PORT)], HASHES, force_recreate=True
    )
    assert sorted_out(answer) == ([], ["demo-web-1"], [])


def test_a_container_without_an_expected_hash_is_replaced() -> None:
    answer = converge(stack_of(web=1), [container("demo", "web", PORT, config_hash="")], {})
    assert sorted_out(answer) == ([], ["demo-web-1"], [])


@pytest.mark.parametrize("state", ["exited", "created", "dead", "restarting"])
def test_an_up_to_date_container_without_ports_releases_nothing(
    state: str,
) -> None:  # edge-cases.md#32, edge-cases.md#34
    answer = converge(stack_of(web=1), [container("demo", "web", state=state)], HASHES)
    assert sorted_out(answer) == ([], [], [])


@pytest.mark.parametrize("scale", [0, 1, 2, 3])
def test_surplus_replicas_with_the_highest_numbers_are_released(scale: int) -> None:
    replicas = [
        container("demo", "web", Endpoint(21000 + number, "0.0.0.0"), number=number)
        for number in (3, 1, 2)
    ]
    answer = converge(stack_of(web=scale), replicas, HASHES)
    assert names(answer.kept) == ["demo-web-1", "demo-web-2", "demo-web-3"][:scale]
    assert set(names(answer.released)) == set(["demo-web-1", "demo-web-2", "demo-web-3"][scale:])
    assert answer.freed == {Endpoint(21000 + number, "0.0.0.0") for number in range(scale + 1, 4)}


def test_of_surplus_replicas_outdated_ones_are_released_first() -> None:
    first, second = (
        container("demo", "web", config_hash="other", number=1),
        container("demo", "web", number=2),
    )
    assert sorted_out(converge(stack_of(web=1), [first, second], HASHES)) == (
        ["demo-web-2"],
        ["demo-web-1"],
        ["demo-web-2"],
    )


def test_containers_of_another_project_stay() -> None:  # edge-cases.md#37
    answer = converge(
        stack_of(web=1),
        [container("demo-dev", "web", PORT, config_hash="other")],
        HASHES,
        force_recreate=True,
        remove_orphans=True,
    )
    assert sorted_out(answer) == ([], [], ["demo-dev-web-1"])


def test_a_container_without_labels_stays() -> None:
    bare = Container("1", "bare", "busybox", "running")
    assert converge(stack_of(web=1), [bare], HASHES, remove_orphans=True).staying == (bare,)


def test_an_orphan_stays_unless_orphans_are_removed() -> None:  # edge-cases.md#38
    orphan = container("demo", "gone", PORT)
    assert sorted_out(converge(stack_of(web=1), [orphan], HASHES)) == ([], [], ["demo-gone-1"])
    assert sorted_out(converge(stack_of(web=1), [orphan], HASHES, remove_orphans=True)) == (
        [],
        ["demo-gone-1"],
        [],
    )


def test_a_container_of_an_inactive_service_is_no_orphan() -> None:
    gone, idle = container("demo", "gone"), container("demo", "debugger")
    answer = converge(stack_of(web=1), [gone, idle], HASHES, inactive={"debugger"})
    assert answer.orphans == (gone,)


def test_remove_orphans_spares_inactive_services() -> None:
    # Measured with Compose 2.40.3 and engine 28.5.2: with the profile off, and with
    # `up a --remove-orphans` while other services run.
    idle = container("demo", "debugger", PORT)
    answer = converge(stack_of(web=1), [idle], HASHES, remove_orphans=True, inactive={"debugger"})
    assert sorted_out(answer) == ([], [], ["demo-debugger-1"])


def test_a_one_off_container_is_never_touched() -> None:  # edge-cases.md#39
    one_off = container("demo", "web", PORT, one_off=True, config_hash="other")
    answer = converge(stack_of(web=1), [one_off], HASHES, force_recreate=True, remove_orphans=True)
    assert sorted_out(answer) == ([], [], ["demo-web-1"])


def binding(service: str, replica: int, port: int = 21000) -> PortBinding:
    return PortBinding(service, replica, 80, "tcp", port, port, ("0.0.0.0", "::"))


def test_a_kept_container_needs_no_new_bind() -> None:
    answer = converge(stack_of(web=2, db=1), [container("demo", "web", PORT)], HASHES)
    wanted = [binding("web", 1), binding("web", 2), binding("db", 1, 21001)]
    assert split_new_and_held(wanted, answer) == (
        [binding("web", 2), binding("db", 1, 21001)],
        [binding("web", 1)],
    )


@pytest.mark.parametrize("state", ["exited", "created", "restarting"])
def test_a_stopped_container_needs_its_binds(state: str) -> None:
    answer = converge(stack_of(web=1), [container("demo", "web", state=state)], HASHES)
    assert split_new_and_held([binding("web", 1)], answer) == ([binding("web", 1)], [])


def test_a_recreated_container_needs_its_binds() -> None:
    answer = converge(
        stack_of(web=1), [container("demo", "web", PORT)], HASHES, force_recreate=True
    )
    assert split_new_and_held([binding("web", 1)], answer) == ([binding("web", 1)], [])
