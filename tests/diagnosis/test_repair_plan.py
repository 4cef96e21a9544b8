"""From findings to a plan: what is done about each cause, in which order, and what is left to a person."""

from __future__ import annotations

from dataclasses import replace

import pytest

from dartsctl.diagnosis.facts import (
    ContainerFacts,
    EngineFacts,
    Facts,
    ProxyFacts,
    ServiceFacts,
    UpstreamFacts,
)
from dartsctl.diagnosis.findings import Cause, Finding
from dartsctl.diagnosis.nginx.config import Config, Route, Target
from dartsctl.diagnosis.repair_plan import RepairPlan, make_plan, settling
from dartsctl.diagnosis.repairs import RepairAction

NOW = 1000.0
BIND = "failed to bind host port 127.0.0.1:5000/tcp: address already in use"


def container(service: str, state: str = "running", **more: object) -> ContainerFacts:
    name = f"demo-{service}-1"
    facts = ContainerFacts(service, name, f"id-{service}", state=state, started=NOW - 600)
    return replace(facts, **more)  # type: ignore[arg-type]


def service(name: str, *containers: ContainerFacts, needs: tuple[str, ...] = ()) -> ServiceFacts:
    return ServiceFacts(name, containers, depends_on=needs)


def stack(*services: ServiceFacts, looked_up_once: bool = True, kind: str = "nginx") -> Facts:
    """A stack whose proxy is `web`; it passes everything on to `app`."""
    known = {one.name: one for one in services}
    route = Route(
        "/", "http", (Target("app", 5000),), dynamic=not looked_up_once, written="http://app:5000"
    )
    upstreams = (UpstreamFacts(Target("app", 5000), (route,), "app"),)
    proxy = ProxyFacts("web", kind, config=Config()) if "web" in known else None  # type: ignore[arg-type]
    return Facts(EngineFacts("unix://x"), NOW, "prod", "demo", known, proxy, upstreams)


def finding(
    cause: Cause,
    name: str,
    *,
    command: str = "dartsctl doctor --fix",
    fixable: bool = True,
    **data: object,
) -> Finding:
    return Finding(
        cause,
        name,
        f"demo-{name}-1",
        (),
        f"{name}: {cause.value}",
        command,
        "certain",
        data,
        fixable=fixable,
    )


def steps(made: RepairPlan) -> list[tuple[str, str]]:
    return [(one.action.value, one.service) for one in made.steps]


WEB = service("web", container("web"))
GONE = container("app", "exited", exit_code=137)
REFUSED = container("app", "exited", exit_code=137, error=BIND)
NEVER = container("app", "created", error=BIND)


@pytest.mark.parametrize(
    ("cause", "app", "expected"),
    [
        (
            Cause.PORT_SQUATTER,
            GONE,
            [("free-ports", ""), ("start", "app"), ("reload-proxy", "web")],
        ),
        (
            Cause.PORT_SQUATTER,
            REFUSED,
            [("free-ports", ""), ("recreate", "app"), ("reload-proxy", "web")],
        ),
        (
            Cause.PORT_SQUATTER,
            container("app"),
            [("free-ports", ""), ("recreate", "app"), ("reload-proxy", "web")],
        ),
        (
            Cause.OTHER_CONTAINER,
            NEVER,
            [("free-ports", ""), ("recreate", "app"), ("reload-proxy", "web")],
        ),
        (Cause.NEVER_STARTED, NEVER, [("recreate", "app"), ("reload-proxy", "web")]),
        (
            Cause.NEVER_STARTED,
            container("app", "created"),
            [("start", "app"), ("reload-proxy", "web")],
        ),
        (Cause.NEVER_STARTED, container("app", "created", error="exec: no such file"), []),
        (Cause.APP_EXITED, GONE, [("start", "app"), ("reload-proxy", "web")]),
        (Cause.OUT_OF_MEMORY, GONE, [("start", "app"), ("reload-proxy", "web")]),
        (Cause.OUT_OF_MEMORY, container("app", "restarting"), []),
        (Cause.CRASH_LOOP, container("app", "restarting"), []),
        (Cause.NO_PORTS, container("app"), [("recreate", "app"), ("reload-proxy", "web")]),
        (
            Cause.UNHEALTHY,
            container("app", health="unhealthy"),
            [("restart", "app"), ("reload-proxy", "web")],
        ),
        (Cause.UNHEALTHY, container("app"), []),
        (Cause.STALE_UPSTREAM, container("app"), [("reload-proxy", "web")]),
        (Cause.LOOPBACK_ONLY, container("app"), []),
        (Cause.OTHER_NETWORK, container("app"), []),
        (Cause.CERTIFICATE, container("app"), []),
        (Cause.UNKNOWN, container("app", "paused"), []),
    ],
)
def test_what_is_done_about_a_cause(
    cause: Cause, app: ContainerFacts, expected: list[tuple[str, str]]
) -> None:
    made = make_plan([finding(cause, "app")], stack(service("app", app), WEB))
    assert steps(made) == expected
    by_hand = not expected or cause is Cause.OUT_OF_MEMORY
    assert [one.finding.cause for one in made.by_hand] == ([cause] if by_hand else []), (
        "what no step removes is a person's to do"
    )


@pytest.mark.parametrize(
    "cause",
    [
        Cause.PORT_SQUATTER,
        Cause.OTHER_CONTAINER,
        Cause.NO_PORTS,
        Cause.UNHEALTHY,
        Cause.STALE_UPSTREAM,
    ],
)
def test_what_does_no_harm_is_a_person_s(cause: Cause) -> None:
    harmless = replace(finding(cause, "app", name_taken_by="x"), harmless=True)
    made = make_plan([harmless], stack(service("app", container("app", health="unhealthy")), WEB))
    assert (made.steps, [one.finding for one in made.by_hand]) == ((), [harmless])


def test_every_cause_is_answered_by_steps_or_by_what_a_person_does() -> None:
    for cause in Cause:
        made = make_plan([finding(cause, "app")], stack(service("app", GONE), WEB))
        assert made.steps or made.by_hand, cause


def test_a_stack_of_which_nothing_is_there_is_started_as_a_whole() -> None:
    nothing = stack(service("app"), service("web"))
    assert steps(
        make_plan(
            [finding(Cause.NEVER_STARTED, "app"), finding(Cause.NEVER_STARTED, "web")], nothing
        )
    ) == [("up", "")]
    assert steps(make_plan([finding(Cause.PORT_SQUATTER, "app")], nothing)) == [
        ("free-ports", ""),
        ("up", ""),
    ]


def test_a_taken_name_is_freed_first() -> None:
    made = make_plan(
        [finding(Cause.NEVER_STARTED, "app", name_taken_by="darts-app")], stack(service("app"), WEB)
    )
    assert steps(made) == [("free-ports", ""), ("start", "app"), ("reload-proxy", "web")]


def test_services_come_after_what_they_need_and_the_proxy_last() -> None:
    down = "exited"
    facts = stack(
        service("web", container("web", down), needs=("app",)),
        service("app", container("app", down), needs=("db", "queue")),
        service("queue", container("queue", down), needs=("db",)),
        service("db", container("db", down)),
    )
    found = [
        finding(Cause.PROXY_DOWN, "web"),
        *(finding(Cause.APP_EXITED, name) for name in ("app", "db", "queue")),
    ]
    assert steps(make_plan(found, facts)) == [
        ("start", "db"),
        ("start", "queue"),
        ("start", "app"),
        ("start", "web"),
    ]


def test_a_circle_in_depends_on_does_not_hang() -> None:
    facts = stack(
        service("a", container("a", "exited"), needs=("b",)),
        service("b", container("b", "exited"), needs=("a",)),
    )
    assert (
        len(
            make_plan([finding(Cause.APP_EXITED, "a"), finding(Cause.APP_EXITED, "b")], facts).steps
        )
        == 2
    )


def test_what_went_down_with_another_service_is_started_too_and_once() -> None:
    facts = stack(
        service("app", REFUSED),
        service("web", container("web", "exited")),
        service("api", container("api", "restarting")),
    )
    found = [
        finding(Cause.PORT_SQUATTER, "app", followed_by=["web", "api", "app"]),
        finding(Cause.PROXY_DOWN, "web"),
    ]
    made = make_plan(found, facts)
    assert steps(made) == [
        ("free-ports", ""),
        ("restart", "api"),
        ("recreate", "app"),
        ("start", "web"),
    ]
    assert next(one for one in made.steps if one.service == "api").reason == "it went down with app"


def test_a_follower_that_runs_is_left_alone() -> None:
    facts = stack(service("app", GONE), service("api", container("api", health="unhealthy")), WEB)
    assert ("restart", "api") not in steps(
        make_plan([finding(Cause.APP_EXITED, "app", followed_by=["api"])], facts)
    )


def test_nginx_dies_of_a_missing_name_and_is_started_once_it_is_there_but_not_with_a_wrong_configuration() -> (
    None
):
    facts = stack(
        service("app", container("app")), service("web", container("web", "exited", exit_code=1))
    )
    assert steps(make_plan([finding(Cause.PROXY_CANNOT_START, "web")], facts)) == [
        ("restart", "web")
    ]
    wrong = finding(
        Cause.PROXY_CANNOT_START,
        "web",
        command="correct nginx's configuration, then dartsctl prod up",
        fixable=False,
    )
    made = make_plan([wrong], facts)
    assert not made.steps
    assert made.by_hand[0].line.endswith(
        "by hand: correct nginx's configuration, then dartsctl prod up"
    )


def test_the_proxy_is_reloaded_only_where_it_has_looked_the_name_up_once() -> None:
    app, found = service("app", GONE), [finding(Cause.APP_EXITED, "app")]
    assert steps(make_plan(found, stack(app, WEB, looked_up_once=False))) == [("start", "app")]
    assert steps(make_plan(found, stack(app, WEB, kind="haproxy"))) == [("start", "app")]
    assert steps(make_plan(found, stack(app))) == [("start", "app")], "no proxy"
    unread = replace(stack(app, WEB), proxy=ProxyFacts("web", "nginx"), upstreams=())
    assert steps(make_plan(found, unread)) == [("start", "app"), ("reload-proxy", "web")], (
        "its configuration could not be read: to be safe"
    )
    other = stack(app, WEB, service("db", container("db", "exited")))
    assert steps(make_plan([finding(Cause.APP_EXITED, "db")], other)) == [("start", "db")], (
        "nginx does not ask for db"
    )


def test_an_engine_that_is_down_is_a_persons_to_start() -> None:
    made = make_plan(
        [finding(Cause.ENGINE_DOWN, "", command="sudo systemctl start docker")],
        Facts(EngineFacts("unix://x", problem="no answer"), NOW),
    )
    assert (made.steps, made.by_hand[0].finding.command) == ((), "sudo systemctl start docker")


def test_a_healthy_stack_has_an_empty_plan() -> None:
    assert make_plan([], stack(service("app", container("app")), WEB)) == RepairPlan()


@pytest.mark.parametrize(
    ("app", "young"),
    [
        (container("app", started=NOW - 0.5), True),
        (container("app", started=NOW - 2), False),
        (container("app", started=NOW - 60, health="starting"), True),
        (container("app", started=NOW - 0.5, health="healthy"), False),
        (GONE, False),
    ],
)
def test_what_was_just_started_may_still_come_to_nothing(
    app: ContainerFacts, young: bool
) -> None:  # edge-cases.md#75
    made = make_plan([finding(Cause.APP_EXITED, "app")], stack(service("app", GONE), WEB))
    assert settling(
        made, stack(service("app", app), service("web", container("web", started=NOW)))
    ) == (("app",) if young else ())


@pytest.mark.parametrize("action", list(RepairAction))
def test_every_action_is_an_order(action: RepairAction) -> None:
    facts = stack(service("app", GONE), WEB)
    step = replace(make_plan([finding(Cause.APP_EXITED, "app")], facts).steps[0], action=action)
    assert step.line
    assert step.line[0].islower()
