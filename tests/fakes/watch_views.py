"""The incident of the README as `watch` sees it: darts-app is down, a `python run.py` has 5000."""

from __future__ import annotations

from dartsctl.alerts.problem import Problem, Subject
from dartsctl.alerts.state import Episode
from dartsctl.workflows.watch.view import PortView, ServiceView, View

NOW = 1795701731.0
DAY = 86400

SQUATTER = Problem(
    Subject("service", "darts-app"),
    "port-squatter",
    "darts-app is down because 127.0.0.1:5000/tcp is held by"
    " python (pid 19881: .venv/bin/python run.py)",
    "dartsctl doctor --fix",
    evidence=(
        "State.Error: failed to bind host port for 127.0.0.1:5000: address already in use",
        "https://127.0.0.1:443/ answers 502",
    ),
    affected=(Subject("service", "nginx"),),
    data={"port": 5000, "pid": 19881},
)
CERTIFICATE = Problem(
    Subject("certificate", "nginx/certs/server.crt"),
    "certificate-ends",
    "the certificate ends in 9 days",
    "dartsctl init",
    severity="warning",
)
_SLOWER = (0.012, 0.011, 0.014, 0.02, 0.013, 0.012, 0.06, 0.3, 1.2, 3.1)
_FAILED = (None,) * 8
_STEADY = tuple(0.016 + 0.006 * (number * 7 % 5) for number in range(20))


def episode(problem: Problem = SQUATTER, *, age: float = 132, **more: object) -> Episode:
    """Return an open episode that began `age` seconds ago."""
    fields: dict[str, object] = {"phase": "open", "opened": NOW - age + 2} | more
    return Episode(f"{problem.subject}@1", problem, NOW - age, **fields)  # type: ignore[arg-type]


def service(
    name: str, state: str = "running", health: str = "healthy", **more: object
) -> ServiceView:
    """Return a service that has been so for three days."""
    fields: dict[str, object] = {"since": NOW - 3 * DAY, "latencies": _STEADY} | more
    return ServiceView(name, state, health, **fields)  # type: ignore[arg-type]


def calm() -> View:
    """Return a stack on which all is well."""
    services = tuple(map(service, ("nginx", "darts-app", "api-gateway", "rabbitmq", "postgres")))
    ports = (PortView(443, "nginx", "nginx"), PortView(5000, "darts-app", "darts-app"))
    return View("prod", "darts", NOW, "28.5.2", services, ports)


def incident() -> View:
    """Return the incident, two minutes after it began."""
    return View(
        "prod",
        "darts",
        NOW,
        "28.5.2",
        (
            service("nginx", latencies=_SLOWER + _FAILED),
            service("darts-app", "exited (128)", "", since=NOW - 132, latencies=_SLOWER + _FAILED),
            service("api-gateway"),
            service("rabbitmq"),
            service(
                "wso2is",
                restarts=1,
                since=NOW - DAY,
                latencies=(*_STEADY[:12], 0.35, 0.3, 0.32, 0.31, 0.3, 0.31, 0.29, 0.31),
            ),
            service("postgres", latencies=()),
        ),
        (
            PortView(80, "nginx", "nginx"),
            PortView(443, "nginx", "nginx"),
            PortView(5000, "darts-app", "python run.py (pid 19881)", is_stranger=True),
            PortView(8080, "api-gateway", "api-gateway"),
            PortView(9443, "wso2is", "wso2is"),
            PortView(5432, "postgres", ""),
        ),
        (episode(), episode(CERTIFICATE, age=5 * 3600)),
        {"darts-app": 41},
        waiting={"mailto": 2},
        notes=(
            "silenced: wso2is until 14:30 (load test)",
            "channel mailto: 2 messages not taken yet",
        ),
    )
