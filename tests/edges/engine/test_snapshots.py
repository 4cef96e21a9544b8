"""Containers as the engine describes them, for the comparison with its events."""

from __future__ import annotations

import signal
from dataclasses import dataclass
from typing import Any

import pytest

from dartsctl.diagnosis.facts import PublishedPort
from dartsctl.diagnosis.inspection import Inspection, listed
from dartsctl.edges.engine.snapshots import Snapshots, signal_number
from dartsctl.records import replace
from dartsctl.stack.bindings import Endpoint
from dartsctl.stack.containers import PROJECT_LABEL, Container


@dataclass
class Describes:
    """An engine with these containers. Those without a description are gone by then."""

    rows: tuple[Container, ...]
    described: dict[str, Inspection]

    def containers(self) -> tuple[Container, ...]:
        return self.rows

    def inspect(self, identity: str) -> Inspection | None:
        return self.described.get(identity)


def row(service: str, **labels: str) -> Container:
    own = {PROJECT_LABEL: "shop", "com.docker.compose.service": service}
    names = {f"com.docker.compose.{name}": value for name, value in labels.items()}
    return Container(service, f"shop-{service}-1", "image", "running", labels=own | names)


def snapshots(*rows: Container, **described: Inspection) -> dict[str, Any]:
    engine: Any = Describes(rows, {row.id: Inspection(listed(row)) for row in rows} | described)
    return {shot.service: shot for shot in Snapshots(engine, "shop").all()}


def test_only_the_project_s_own_containers_that_are_still_there() -> None:
    other = replace(row("other"), labels={PROJECT_LABEL: "other"})
    assert set(snapshots(row("app"), row("job", oneoff="True"), other)) == {"app"}
    gone: Any = Describes((row("app"),), {})
    assert Snapshots(gone, "shop").all() == []
    assert Snapshots(gone, "shop").of("app", "app") is None


def test_what_should_run_all_the_time() -> None:
    app = row("app", depends_on="db:service_healthy:false,migrate:service_completed_successfully:")
    web, check = row("web"), row("check")
    port = PublishedPort(80, Endpoint(8080, "0.0.0.0"))
    shots = snapshots(
        app,
        row("db"),
        row("migrate"),
        web,
        check,
        web=Inspection(replace(listed(web), wanted=(port,))),
        check=Inspection(replace(listed(check), health="starting")),
    )
    assert {name for name, shot in shots.items() if shot.is_needed} == {"db", "web", "check"}


@pytest.mark.parametrize(
    ("timeout", "seconds"), [(None, 10.0), (0, 0.0), (90, 90.0), (-1, 86_400.0)]
)
def test_the_time_that_a_stop_may_take(timeout: int | None, seconds: float) -> None:
    described = Inspection(listed(row("app")), stop_timeout=timeout, stop_signal="SIGQUIT")
    shot = snapshots(row("app"), app=described)["app"]
    assert (shot.stop_timeout, shot.stop_signal) == (seconds, 3)


@pytest.mark.parametrize(
    ("name", "number"),
    [
        ("", 15),
        ("SIGTERM", 15),
        ("quit", 3),
        ("28", 28),
        ("0", 15),
        ("99", 15),
        ("SIGWHAT", 15),
        ("SIGRTMIN+3", int(getattr(signal, "SIGRTMIN", 12)) + 3),
    ],
)
def test_the_signal_as_it_may_be_written(name: str, number: int) -> None:
    if "RTMIN" in name and not hasattr(signal, "SIGRTMIN"):
        pytest.skip("this system has no such signals")
    assert signal_number(name) == number
