"""Moved ports: the same numbers every time, and an override that Compose reads as these moves."""

from __future__ import annotations

import json
import subprocess
from pathlib import Path
from typing import Any

import pytest

from dartsctl.ports.moves import AnyMove, Move, NameMove, SharedMove
from dartsctl.ports.remapping import (
    FIRST,
    LAST,
    choose,
    override,
    stale_addresses,
    still_fit,
)
from dartsctl.stack.compose_model import read_stack
from dartsctl.stack.model import Network, Service, Stack

PORTS: list[dict[str, Any] | str] = [
    "8080:80",
    "127.0.0.1:5432:5432",
    {"target": 53, "published": "5353", "protocol": "udp", "host_ip": "127.0.0.1"},
    {"target": 53, "published": "5353", "protocol": "tcp"},
    "[::1]:9000-9003:9000",
    "7000",
    "127.0.0.1::7001",
]


def resolved(folder: Path, *files: str) -> dict[str, Any]:
    """What the real Compose makes of these files; it needs no engine for that."""
    flags = [word for file in files for word in ("-f", str(folder / file))]
    done = subprocess.run(
        ["docker", "compose", "-p", "moves", *flags, "config", "--format", "json"],
        capture_output=True,
        text=True,
        check=False,
        timeout=60,
        stdin=subprocess.DEVNULL,
    )
    assert done.returncode == 0, done.stderr
    model = json.loads(done.stdout)
    assert isinstance(model, dict)
    return model


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    services = {
        "web": {"image": "x", "ports": PORTS},
        "db": {"image": "x", "ports": ["6000:6000"], "container_name": "the-db"},
        "worker": {"image": "x"},
        "app": {
            "build": ".",
            "image": "shop/app:1",
            "volumes": ["data:/data", "theirs:/theirs"],
            "networks": {"back": {"ipv4_address": "172.29.1.5", "aliases": ["api"]}},
        },
        "queue": {"image": "shop/app:1", "networks": ["back"]},
    }
    more = {
        "volumes": {"data": {"name": "shop_data"}, "theirs": {"name": "t", "external": True}},
        "networks": {
            "back": {"name": "shop_back", "ipam": {"config": [{"subnet": "172.29.1.0/24"}]}}
        },
    }
    (tmp_path / "base.json").write_text(json.dumps({"services": services, **more}))
    return tmp_path


@pytest.fixture
def model(folder: Path) -> Stack:
    return read_stack(resolved(folder, "base.json"))


def apply(folder: Path, model: Stack, *moves: AnyMove) -> Stack:
    (folder / "moved.yml").write_text(override(model, moves))
    return read_stack(resolved(folder, "base.json", "moved.yml"))


def entries(stack: Stack, service: str) -> list[str]:
    return [str(entry) for entry in stack.services[service].ports]


def test_the_same_port_moves_to_the_same_number_every_time() -> None:
    first = choose(5432, is_free=lambda _: True, avoid=())
    assert first is not None
    assert FIRST <= first <= LAST
    assert choose(5432, is_free=lambda _: True, avoid=()) == first
    assert (
        len(
            {
                choose(port, is_free=lambda _: True, avoid=())
                for port in (80, 443, 5000, 5432, 5672, 8080, 9443, 15672)
            }
        )
        == 8
    )


def test_what_is_busy_or_to_be_avoided_is_passed_over() -> None:
    first = choose(5432, is_free=lambda _: True, avoid=()) or 0
    assert choose(5432, is_free=lambda port: port != first, avoid=()) == first + 1
    assert choose(5432, is_free=lambda _: True, avoid={first, first + 1}) == first + 2


def test_the_search_goes_round_and_ends() -> None:
    assert choose(5432, is_free=lambda port: port == FIRST, avoid=()) == FIRST
    assert choose(65535, is_free=lambda port: port == LAST, avoid=()) == LAST
    assert choose(5432, is_free=lambda _: False, avoid=()) is None
    assert choose(5432, is_free=lambda _: True, avoid=range(FIRST, LAST + 1)) is None


@pytest.mark.compose
def test_compose_reads_the_override_as_exactly_these_moves(folder: Path, model: Stack) -> None:
    after = apply(
        folder, model, Move("web", 80, "tcp", "8080", 18080), Move("web", 53, "udp", "5353", 18053)
    )
    before = entries(model, "web")
    changed = {"8080:80/tcp": "18080:80/tcp", "127.0.0.1:5353:53/udp": "127.0.0.1:18053:53/udp"}
    assert entries(after, "web") == [changed.get(entry, entry) for entry in before]
    assert len(set(before) & changed.keys()) == 2
    assert entries(after, "db") == entries(model, "db")
    assert after.services["worker"] == model.services["worker"]
    assert after.services.keys() == model.services.keys()


@pytest.mark.compose
def test_addresses_protocols_ranges_and_ephemeral_ports_stay_as_they_are(
    folder: Path, model: Stack
) -> None:
    after = apply(folder, model, Move("web", 80, "tcp", "8080", 18080))
    assert [entry for entry in entries(after, "web") if "18080" not in entry] == [
        entry for entry in entries(model, "web") if "8080" not in entry
    ]
    assert {"[::1]:9000-9003:9000/tcp", "7000/tcp", "127.0.0.1:7001/tcp", "5353:53/tcp"} <= set(
        entries(after, "web")
    )


@pytest.mark.compose
def test_a_range_is_pinned_to_one_number(folder: Path, model: Stack) -> None:
    after = apply(folder, model, Move("web", 9000, "tcp", "9000-9003", 19000))
    assert "[::1]:19000:9000/tcp" in entries(after, "web")


@pytest.mark.compose
def test_several_services_move_in_one_file(folder: Path, model: Stack) -> None:
    after = apply(
        folder, model, Move("web", 80, "tcp", "8080", 18080), Move("db", 6000, "tcp", "6000", 16000)
    )
    assert entries(after, "db") == ["16000:6000/tcp"]
    assert "18080:80/tcp" in entries(after, "web")


@pytest.mark.compose
def test_a_container_name_is_given_up_alone_or_with_ports(folder: Path, model: Stack) -> None:
    assert model.services["db"].container_name == "the-db"
    after = apply(folder, model, NameMove("db", "the-db"))
    assert after.services["db"].container_name == ""
    assert entries(after, "db") == entries(model, "db")
    both = apply(folder, model, NameMove("db", "the-db"), Move("db", 6000, "tcp", "6000", 16000))
    assert (both.services["db"].container_name, entries(both, "db")) == ("", ["16000:6000/tcp"])


SHARED = (
    SharedMove("volume", "data", "shop_data"),
    SharedMove("network", "back", "shop_back"),
    SharedMove("subnet", "back", "172.29.1.0/24"),
    SharedMove("image", "app", "shop/app:1"),
)


@pytest.mark.compose
def test_fixed_names_are_reset_for_all_their_users_and_external_ones_stay(  # edge-cases.md#89
    folder: Path, model: Stack
) -> None:
    after = apply(folder, model, *SHARED)
    assert after.fixed_volumes == {}
    assert after.external_volumes == {"theirs": "t"}
    assert (after.networks["back"].name, after.networks["back"].subnets) == ("moves_back", ())
    assert after.services["app"].fixed_addresses == {}
    assert [after.services[name].image for name in ("app", "queue")] == ["moves-app"] * 2
    networks = resolved(folder, "base.json", "moved.yml")["services"]["app"]["networks"]
    assert networks == {"back": {"aliases": ["api"]}}
    assert after.services["db"] == model.services["db"]


def test_a_variable_that_names_a_moved_port_of_this_host_is_told_without_its_value() -> None:
    environment = {
        "LOGIN_URL": "https://ann:secret@localhost:9443/oauth?back=http://127.0.0.1:5000/",
        "DATABASE_URL": "postgresql://db:9443/x",
        "OTHER": "http://localhost:94431/ http://mylocalhost:9443/",
        "BROKER": "amqp://[::1]:9443",
    }
    stack = Stack("shop-dev", {"app": Service("app", environment=environment)}, {})
    moves = (Move("idp", 9443, "tcp", "9443", 19443), NameMove("idp", "idp"))
    assert list(stale_addresses(stack, moves)) == [
        f"app: {name} still names port 9443 of this host; idp has it as 19443 here"
        for name in ("LOGIN_URL", "BROKER")
    ]


@pytest.mark.compose
def test_the_override_says_how_to_get_rid_of_it(model: Stack) -> None:
    assert (
        "--reset-ports" in override(model, [Move("db", 6000, "tcp", "6000", 16000)]).splitlines()[0]
    )


@pytest.mark.compose
@pytest.mark.parametrize(
    ("move", "fits"),
    [
        (Move("db", 6000, "tcp", "6000", 16000), True),
        (Move("db", 6000, "tcp", "6001", 16000), False),
        (Move("db", 6000, "udp", "6000", 16000), False),
        (Move("db", 6001, "tcp", "6000", 16000), False),
        (Move("gone", 6000, "tcp", "6000", 16000), False),
        (Move("web", 9000, "tcp", "9000-9003", 19000), True),
        (NameMove("db", "the-db"), True),
        (NameMove("db", "another"), False),
        (NameMove("gone", "the-db"), False),
        *((move, True) for move in SHARED),
        (SharedMove("volume", "data", "other"), False),
        (SharedMove("volume", "theirs", "t"), False),
        (SharedMove("network", "gone", "shop_back"), False),
        (SharedMove("subnet", "back", "172.29.2.0/24"), False),
        (SharedMove("image", "queue", "shop/app:1"), False),
    ],
)
def test_a_move_fits_as_long_as_its_entry_stands_in_the_files(
    model: Stack, move: AnyMove, fits: bool
) -> None:
    assert still_fit([move], model) == ((move,) if fits else ())


def test_a_network_that_moves_for_two_reasons_is_written_once() -> None:
    service = Service("web", fixed_addresses={"back": ("10.9.0.2",)})
    stack = Stack("demo", {"web": service}, {"back": Network("back")})
    moves = [SharedMove("subnet", "back", "10.9.0.0/24")] * 2
    assert override(stack, moves).count('"back":') == 2  # of the service, and of the networks
