"""`check`, `up` and `config` of a stack that cannot start, with nothing in its way."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from live.stack import LiveStack

pytest_plugins = ("live.stack",)
pytestmark = pytest.mark.engine


def test_missing_externals_are_all_named_before_anything_is_done(live: LiveStack) -> None:
    from live.stack import docker, sleeper

    network, volume = f"{live.project}-net", f"{live.project}-data"
    pid = live.listen(live.ports[0])
    live.compose(
        {
            "web": sleeper(
                f"{live.ports[0]}:80",
                networks=["shared"],
                volumes=["data:/data"],
                pull_policy="never",
            ),
            "tool": sleeper(networks=["tools"], profiles=["tools"]),
        },
        networks={
            "shared": {"name": network, "external": True},
            "tools": {"name": f"{network}-tools", "external": True},
        },
        volumes={"data": {"name": volume, "external": True}},
    )
    live.settings(environment="dev")
    create = f"docker network create {network} && docker volume create {volume}"

    checked = live.run("dev", "check")
    assert checked.code == 3, "a conflict goes first, and the missing ones are named with it"
    for text in (f"(pid {pid}", f"`docker network create {network}`", f"next: {create}"):
        assert text in checked.err
    assert f"{network}-tools" not in checked.text, "its service is behind a profile"

    refused = live.run("dev", "up", "--on-conflict", "stop", "--yes")
    assert refused.code == 3
    assert f"next: {create}" in refused.err
    assert os.waitpid(pid, os.WNOHANG) == (0, 0), "nobody is stopped for such a stack"
    live.end(pid)
    result = live.run("dev", "up", "--json")
    assert result.code == result.document["exit_code"] == 1
    assert result.document["ok"] is False
    assert result.document["hint"] == create
    kinds = [(row["kind"], row["name"]) for row in result.document["collisions"]]
    assert kinds == [("missing-network", network), ("missing-volume", volume)]
    with_profile = live.run("dev", "check", "--profile", "tools")
    assert with_profile.code == 1
    assert f"external network {network}-tools of tool does not exist" in with_profile.err
    assert live.leftovers() == []

    docker("network", "create", network)
    docker("volume", "create", volume)
    try:
        assert live.run("dev", "check").code == 0
    finally:
        docker("network", "rm", network)
        docker("volume", "rm", volume)


def test_a_stack_behind_profiles_says_which_and_how_to_start_it(live: LiveStack) -> None:
    from live.stack import sleeper

    live.compose({"web": sleeper(profiles=["app"]), "db": sleeper(profiles=["app", "data"])})
    live.settings(environment="dev")
    needs = "nothing to start: db needs --profile app or data, web needs --profile app"
    checked = live.run("dev", "check")
    assert checked.code == 1
    assert needs in checked.err
    assert "next: dartsctl dev check --profile app" in checked.err
    for verb in ("up", "restart"):
        result = live.run("dev", verb)
        assert result.code == 1
        assert needs in result.err
        assert "next: dartsctl dev up --profile app" in result.err
    config = live.run("dev", "config")
    assert config.code == 0
    assert needs in config.err
    assert live.run("dev", "check", "--profile", "data").code == 0
    plain = live.run("check", "-f", "compose.json")
    assert plain.code == 1
    assert "next: dartsctl check --file" in plain.err


def test_a_fixed_address_that_another_container_has_is_explained_before_and_after(
    live: LiveStack,
) -> None:
    from live.stack import sleeper

    subnet, address = free_subnet()
    live.compose(
        {
            "first": sleeper(networks=["n"]),
            "fixed": sleeper(networks={"n": {"ipv4_address": address}}, depends_on=["first"]),
        },
        networks={"n": {"ipam": {"config": [{"subnet": subnet}]}}},
    )
    live.settings(environment="dev")
    warned = live.run("dev", "check")
    assert warned.code == 0, "which one starts first is not certain"
    assert f"its address {address} on {live.project}_n may be given to first first" in warned.err

    taken = f"fixed cannot have the address {address} on {live.project}_n"
    holder = f"container {live.project}-first-1 has it"
    failed = live.run("dev", "up")
    assert failed.code == 3
    assert f"{taken}: {holder}" in failed.err
    assert "hint: to keep fixed addresses free, set `ip_range`" in failed.err

    assert live.run("dev", "up", "first").code == 0
    found = live.run("dev", "up", "fixed", "--json")
    assert found.code == 3
    (row,) = found.document["collisions"]
    assert (row["kind"], row["address"]) == ("address", address)
    assert row["container"] == f"{live.project}-first-1"


def free_subnet() -> tuple[str, str]:
    """Return a small subnet that no network of the engine has, and its first dynamic address."""
    from live.stack import docker

    names = docker("network", "ls", "-q").split()
    words = ("network", "inspect", *names, "--format", "{{json .IPAM.Config}}")
    taken = docker(*words, check=False)  # one of another test may be gone by now
    for third in range(1, 255):
        if f"10.213.{third}." not in taken:
            return f"10.213.{third}.0/28", f"10.213.{third}.2"
    raise AssertionError("no subnet is free")
