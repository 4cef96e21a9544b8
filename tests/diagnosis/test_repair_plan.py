"""From findings to a plan: the steps for each cause, their order, and what needs a person."""

from __future__ import annotations

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
from dartsctl.diagnosis.repair_plan import RepairPlan, make_plan, safe_plan, settling
from dartsctl.diagnosis.repairs import RepairAction
from dartsctl.records import replace

NOW = 1000.0
BIND = "failed to bind host port 127.0.0.1:5000/tcp: address already in use"


def container(service: str, state: str = "running", **more: object) -> ContainerFacts:
    name = f"demo-{service}-1"
    facts = ContainerFacts(service, name, f"id-{service}", state=state, started=NOW - 600)
    return replace(facts, **more)


def service(name: str, *containers: ContainerFacts, needs: tuple[str, ...] = ()) -> ServiceFacts:
    return ServiceFacts(name, containers, depends_on=needs)


def stack(*services: ServiceFacts, looked_up_once: bool = True, kind: str = "nginx") -> Facts:
    """A stack whose proxy is `web`; it passes everything on to `app`."""
    known = {service.name: service for service in services}
    route = Route(
        "/", "http", (Target("app", 5000),), dynamic=not looked_up_once, written="http://app:5000"
    )
    upstreams = (UpstreamFacts(Target("app", 5000), (route,), "app"),)
    proxy = None
    if "web" in known:
        proxy = ProxyFacts("web", kind, config=Config())  # type: ignore[arg-type]
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


def steps(plan: RepairPlan) -> list[tuple[str, str]]:
    return [(step.action.value, step.service) for step in plan.steps]


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
def test_the_steps_for_each_cause(
    cause: Cause, app: ContainerFacts, expected: list[tuple[str, str]]
) -> None:
    plan = make_plan([finding(cause, "app")], stack(service("app", app), WEB))
    assert steps(plan) == expected
    by_hand = not expected or cause is Cause.OUT_OF_MEMORY
    assert [row.finding.cause for row in plan.by_hand] == ([cause] if by_hand else []), (
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
def test_a_harmless_finding_is_left_to_a_person(cause: Cause) -> None:
    harmless = replace(finding(cause, "app", name_taken_by="x"), harmless=True)
    plan = make_plan([harmless], stack(service("app", container("app", health="unhealthy")), WEB))
    assert (plan.steps, [row.finding for row in plan.by_hand]) == ((), [harmless])


def test_every_cause_leads_to_steps_or_to_a_person() -> None:
    for cause in Cause:
        plan = make_plan([finding(cause, "app")], stack(service("app", GONE), WEB))
        assert plan.steps or plan.by_hand, cause


@pytest.mark.parametrize(
    ("cause", "app", "expected"),
    [
        (Cause.PORT_SQUATTER, NEVER, []),
        (Cause.OTHER_CONTAINER, NEVER, []),
        (Cause.OUT_OF_MEMORY, GONE, []),
        (Cause.CRASH_LOOP, container("app", "restarting"), []),
        (Cause.NEVER_STARTED, NEVER, ["recreate", "reload-proxy"]),
        (Cause.NO_PORTS, container("app"), ["recreate", "reload-proxy"]),
        (Cause.APP_EXITED, GONE, ["start", "reload-proxy"]),
        (Cause.STALE_UPSTREAM, container("app"), ["reload-proxy"]),
    ],
)
def test_a_safe_plan_frees_nothing_and_leaves_no_half_repair(
    cause: Cause, app: ContainerFacts, expected: list[str]
) -> None:
    plan = safe_plan([finding(cause, "app")], stack(service("app", app), WEB))
    assert [step.action.value for step in plan.steps] == expected
    assert plan.by_hand == ()


def test_a_safe_plan_leaves_out_whole_stacks_and_what_is_spared() -> None:
    gone = finding(Cause.APP_EXITED, "app")
    facts = stack(service("app", GONE), WEB)
    assert safe_plan([gone], facts, spared={"app"}).steps == ()
    nothing = stack(service("app"), service("web"))
    assert safe_plan([finding(Cause.NEVER_STARTED, "app")], nothing).steps == ()


def test_a_stack_without_containers_is_started_as_a_whole() -> None:
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
    plan = make_plan(
        [finding(Cause.NEVER_STARTED, "app", name_taken_by="darts-app")], stack(service("app"), WEB)
    )
    assert steps(plan) == [("free-ports", ""), ("start", "app"), ("reload-proxy", "web")]


def test_services_start_after_their_dependencies_and_the_proxy_last() -> None:
    down = "exited"
    facts = stack(
        service("web", container("web", down), needs=("app",)),
        service("app", container("app", down), needs=("db", "queue")),
        service("queue", container("queue", down), needs=("db",)),
        service("db", container("db", down)),
    )
    findings = [
        finding(Cause.PROXY_DOWN, "web"),
        *(finding(Cause.APP_EXITED, name) for name in ("app", "db", "queue")),
    ]
    assert steps(make_plan(findings, facts)) == [
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


def test_a_service_that_went_down_with_another_is_started_once() -> None:
    facts = stack(
        service("app", REFUSED),
        service("web", container("web", "exited")),
        service("api", container("api", "restarting")),
    )
    findings = [
        finding(Cause.PORT_SQUATTER, "app", followed_by=["web", "api", "app"]),
        finding(Cause.PROXY_DOWN, "web"),
    ]
    plan = make_plan(findings, facts)
    assert steps(plan) == [
        ("free-ports", ""),
        ("restart", "api"),
        ("recreate", "app"),
        ("start", "web"),
    ]
    assert (
        next(step for step in plan.steps if step.service == "api").reason == "it went down with app"
    )


def test_a_follower_that_runs_is_left_alone() -> None:
    facts = stack(service("app", GONE), service("api", container("api", health="unhealthy")), WEB)
    assert ("restart", "api") not in steps(
        make_plan([finding(Cause.APP_EXITED, "app", followed_by=["api"])], facts)
    )


def test_nginx_is_restarted_once_its_name_exists_but_not_with_a_wrong_configuration() -> None:
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
    plan = make_plan([wrong], facts)
    assert not plan.steps
    assert plan.by_hand[0].line.endswith(
        "by hand: correct nginx's configuration, then dartsctl prod up"
    )


def test_the_proxy_reloads_only_if_it_looks_the_name_up_once() -> None:
    app, findings = service("app", GONE), [finding(Cause.APP_EXITED, "app")]
    assert steps(make_plan(findings, stack(app, WEB, looked_up_once=False))) == [("start", "app")]
    assert steps(make_plan(findings, stack(app, WEB, kind="haproxy"))) == [("start", "app")]
    assert steps(make_plan(findings, stack(app))) == [("start", "app")], "no proxy"
    unread = replace(stack(app, WEB), proxy=ProxyFacts("web", "nginx"), upstreams=())
    assert steps(make_plan(findings, unread)) == [("start", "app"), ("reload-proxy", "web")], (
        "its configuration could not be read: to be safe"
    )
    other = stack(app, WEB, service("db", container("db", "exited")))
    assert steps(make_plan([finding(Cause.APP_EXITED, "db")], other)) == [("start", "db")], (
        "nginx does not ask for db"
    )


def test_a_stopped_engine_is_left_to_a_person() -> None:
    plan = make_plan(
        [finding(Cause.ENGINE_DOWN, "", command="sudo systemctl start docker")],
        Facts(EngineFacts("unix://x", problem="no answer"), NOW),
    )
    assert (plan.steps, plan.by_hand[0].finding.command) == ((), "sudo systemctl start docker")


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
def test_a_service_that_was_just_started_is_still_settling(
    app: ContainerFacts, young: bool
) -> None:  # edge-cases.md#75
    plan = make_plan([finding(Cause.APP_EXITED, "app")], stack(service("app", GONE), WEB))
    assert settling(
        plan, stack(service("app", app), service("web", container("web", started=NOW)))
    ) == (("app",) if young else ())


@pytest.mark.parametrize("action", list(RepairAction))
def test_every_action_has_an_imperative_line(action: RepairAction) -> None:
    facts = stack(service("app", GONE), WEB)
    step = replace(make_plan([finding(Cause.APP_EXITED, "app")], facts).steps[0], action=action)
    assert step.line
    assert step.line[0].islower()
