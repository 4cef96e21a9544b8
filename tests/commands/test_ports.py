"""`ports` on the real engine: the owner and the holder of each port."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING, Any

import pytest

from own_images import BUSYBOX

if TYPE_CHECKING:
    from live.stack import LiveStack, Said

pytest_plugins = ("live.stack",)
pytestmark = pytest.mark.engine


def production(result: Said) -> dict[int, tuple[str, str]]:
    """Return owner and state by port."""
    return {row["port"]: (row["owner"], row["state"]) for row in result.document["production"]}


def holders(result: Said, port: int) -> list[dict[str, Any]]:
    rows = [*result.document["production"], *result.document["dev_range"]["held"]]
    return next(row["holders"] for row in rows if row["port"] == port)


def test_every_port_has_its_owner_and_its_holder(live: LiveStack) -> None:
    from live.stack import sleeper

    web, db, cache, gone = live.ports[:4]
    live.compose(
        {
            "web": sleeper(f"{web}:80"),
            "db": sleeper(f"{db}:80"),
            "cache": sleeper(f"{cache}:80"),
            "gone": sleeper(f"{gone}:80"),
        }
    )
    live.settings(
        f"[ports.production]\nweb = {web}\ndb = {db}\ncache = {cache}\ngone = {gone}\n"
        f"[ports]\ndev_range = '{live.ports[4]}-{live.ports[7]}'\n"
    )
    live.compose({"web": sleeper(f"{web}:80")}, file="half.json")
    live.up("-f", "half.json")
    squatter = live.listen(db)
    rival = live.container("-p", f"127.0.0.1:{cache}:80", BUSYBOX, "sleep", "600")
    dev = live.listen(live.ports[5])
    result = live.run("ports", "--json")
    assert result.code == 0
    assert production(result) == {
        web: ("web", "held by its service"),
        db: ("db", "wrong owner"),
        cache: ("cache", "wrong owner"),
        gone: ("gone", "free"),
    }
    lines = [row["origin"] for row in result.document["production"]]
    assert lines == [f"dartsctl.toml:{number}" for number in (7, 8, 9, 10)]
    assert [holder["container"] for holder in holders(result, web)] == [f"{live.project}-web-1"]
    assert [holder["pid"] for holder in holders(result, db)] == [squatter]
    assert [holder["container"] for holder in holders(result, cache)] == [rival]
    assert result.document["dev_range"]["first"] == live.ports[4]
    assert [holder["pid"] for holder in holders(result, live.ports[5])] == [dev]

    people = live.run("ports")
    assert people.code == 0
    assert f"pid {squatter}" in people.out
    assert rival in people.out


def test_published_and_documented_ports_are_listed_together_and_drift_is_a_warning(
    live: LiveStack,
) -> None:
    from live.stack import sleeper

    live.compose({"web": sleeper(f"{live.ports[0]}:80")})
    live.settings(f"[ports.production]\ncache = {live.ports[1]}\n")
    result = live.run("ports", "--json")
    assert production(result) == {live.ports[0]: ("web", "free"), live.ports[1]: ("cache", "free")}
    assert [row["code"] for row in result.document["warnings"]] == ["drift", "drift"]


def test_a_server_on_a_leased_port_is_shown_with_its_checkout(live: LiveStack) -> None:
    from live.stack import until

    live.settings(
        f"[ports]\ndev_range = '{live.ports[0]}-{live.ports[3]}'\n"
        f"[ports.production]\nweb = {live.ports[4]}\n",
        files=(),
    )
    live.start("run", "--", sys.executable, "-m", "http.server", "--bind", "{host}", "{port}")

    def leased() -> list[dict[str, Any]]:
        held = live.run("ports", "--json").document["dev_range"]["held"]
        return held if held and held[0]["holders"][0]["kind"] == "dev-lease" else []

    (row,) = until(leased)
    assert row["port"] in live.ports[:4]
    assert row["holders"][0]["checkout"] == str(live.folder)
    people = live.run("ports")
    assert "leased" in people.out


def test_without_an_engine_the_sockets_are_shown_all_the_same(live: LiveStack) -> None:
    from live.stack import sleeper

    live.compose({"web": sleeper(f"{live.ports[0]}:80")})
    live.settings(f"[ports.production]\nweb = {live.ports[0]}\n")
    pid = live.listen(live.ports[0])
    result = live.run("ports", "--json", DOCKER_HOST=f"unix://{live.folder}/no-engine.sock")
    assert result.code == 0
    assert [holder["pid"] for holder in holders(result, live.ports[0])] == [pid]
    assert any("no Docker engine answers" in note for note in result.document["notes"])


def test_without_settings_the_documented_allocation_is_shown(live: LiveStack) -> None:
    result = live.run("ports", "--json")
    assert result.code == 0
    assert {5000, 8080, 5672, 15672, 9443, 80, 443} <= set(production(result))


def test_a_long_range_of_production_is_one_row(live: LiveStack) -> None:
    from live.stack import sleeper

    live.compose({"turn": sleeper("6000-6999:6000-6999")})
    live.settings("[ports.production]\nweb = 1\n")
    result = live.run("ports", "--json")
    (row,) = [row for row in result.document["production"] if row["owner"] == "turn"]
    assert (row["port"], row["count"], row["state"]) == (6000, 1000, "free")
    (drift,) = [warning for warning in result.document["warnings"] if warning["service"] == "turn"]
    assert drift["message"] == "ports 6000-6999 are published and not in [ports.production]"
