"""What `up` cannot start without: external networks and volumes, a service that is enabled."""

from __future__ import annotations

from dartsctl.ports import unmet_needs
from dartsctl.ports.unmet_needs import (
    MissingExternal,
    NothingToStart,
    missing_externals,
    next_command,
)
from dartsctl.stack.compose_model import read_stack
from dartsctl.stack.model import Stack


def stack_of(services: dict[str, object]) -> Stack:
    """A stack whose files name three external networks and two external volumes."""
    networks = {
        "front": {"name": "company front", "external": True},
        "back": {"name": "back", "external": True},
        "unused": {"name": "unused", "external": True},
        "own": {"name": "shop_own"},
    }
    volumes = {"data": {"name": "company-data", "external": True}, "cache": {"name": "shop_cache"}}
    return read_stack(
        {"name": "shop", "services": services, "networks": networks, "volumes": volumes}
    )


def missing(stack: Stack, *existing: str) -> list[MissingExternal]:
    def exists(name: str) -> bool:
        return name in existing

    return list(missing_externals(stack, has_network=exists, has_volume=exists))


WEB = {
    "networks": {"front": None, "own": None},
    "volumes": [
        {"type": "volume", "source": "data", "target": "/data"},
        {"type": "volume", "source": "cache", "target": "/cache"},
        {"type": "volume", "target": "/anonymous"},
        {"type": "bind", "source": "/srv/data", "target": "/files"},
    ],
}


def test_externals_that_nobody_created_are_named_by_the_engines_name_with_their_services() -> None:
    stack = stack_of({"web": WEB, "db": {"networks": {"front": None, "back": None}}})
    assert missing(stack) == [
        MissingExternal("network", "company front", ("web", "db")),
        MissingExternal("network", "back", ("db",)),
        MissingExternal("volume", "company-data", ("web",)),
    ]
    assert missing(stack, "back", "company-data", "company front") == []


def test_externals_that_no_service_uses_are_not_looked_for() -> None:
    assert missing(stack_of({"web": {"network_mode": "host"}})) == []


def test_each_missing_external_names_the_command_that_creates_it() -> None:
    needs = missing(stack_of({"web": WEB}))
    assert needs[0].line == (
        "external network company front of web does not exist:"
        " `docker network create 'company front'`"
    )
    assert needs[1].line == (
        "external volume company-data of web does not exist: `docker volume create company-data`"
    )
    assert next_command(needs, "dartsctl dev up") == (
        "docker network create 'company front' && docker volume create company-data"
    )
    assert unmet_needs.summary(needs) == "2 external networks and volumes are missing"
    assert unmet_needs.summary(needs[:1]) == "an external network is missing"
    assert needs[0].document() == {
        "kind": "missing-network",
        "name": "company front",
        "wanted_by": ["web"],
        "command": "docker network create 'company front'",
    }


def test_a_stack_behind_profiles_names_them_and_the_command_with_one() -> None:
    need = NothingToStart({"adminer": ("tools",), "web": ("app", "my tools")})
    assert need.line == (
        "nothing to start: adminer needs --profile tools, web needs --profile app or my tools"
    )
    assert next_command([need], "dartsctl prod up") == "dartsctl prod up --profile tools"
    assert next_command([need], "dartsctl dev") == "dartsctl dev up --profile tools"
    assert need.document()["profiles"] == {"adminer": ["tools"], "web": ["app", "my tools"]}


def test_a_profile_that_enables_nothing_is_named() -> None:
    need = NothingToStart({"web": ("app",)}, enabled=("ap",))
    assert need.line == "nothing to start with the profile ap: web needs --profile app"


def test_without_any_service_no_command_is_made_up() -> None:
    need = NothingToStart({})
    assert need.line == "nothing to start: no service of the Compose files is enabled"
    assert next_command([need], "dartsctl dev up") == ""
