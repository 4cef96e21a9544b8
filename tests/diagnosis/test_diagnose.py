"""From facts to root causes, without an engine; test_doctor.py breaks real stacks."""

from __future__ import annotations

from pathlib import Path

import pytest

from dartsctl.diagnosis import inspection
from dartsctl.diagnosis.diagnose import diagnose
from dartsctl.diagnosis.facts import (
    CertificateFacts,
    ContainerFacts,
    EngineFacts,
    Facts,
    LoggedLine,
    ProxyFacts,
    PublishedPort,
)
from dartsctl.diagnosis.findings import Cause
from dartsctl.diagnosis.nginx.config import Listen
from dartsctl.diagnosis.nginx.log import NginxFailure
from dartsctl.ports.holders import ForeignContainer, Unknown
from dartsctl.records import replace
from dartsctl.stack.bindings import Endpoint
from dartsctl.stack.containers import Container
from dartsctl.text.strict_json import Source, read_json
from fakes.stack_facts import (
    FLASK,
    NOW,
    answer,
    causes,
    conflict,
    container,
    down,
    facts,
    failed,
    failures,
    service,
)

DATA = Path(__file__).parents[1] / "data/engine"
# --- health -----------------------------------------------------------------------------------


def test_a_healthy_stack_has_no_finding() -> None:
    diagnosis = diagnose(facts())
    assert diagnosis.healthy
    assert diagnosis.symptoms == ()


def test_yesterday_s_failures_in_the_log_are_no_finding_today() -> None:
    proxy = failures(
        failed(NginxFailure.REFUSED, when=NOW - 86400, count=400),
        failed(NginxFailure.HOST_NOT_FOUND, name="app:5000", when=NOW - 90000),
    )
    assert diagnose(facts(proxy=proxy)).healthy


def test_a_one_shot_that_has_done_its_work_is_no_finding() -> None:
    """edge-cases.md#74."""
    migrate = down("migrate", 0, wanted=(), restart_policy="no")
    assert diagnose(facts(service("migrate", migrate, published=()))).healthy
    assert causes(
        diagnose(facts(service("migrate", replace(migrate, exit_code=1), published=())))
    ) == [(Cause.APP_EXITED, "migrate")]


def test_a_database_that_was_stopped_ends_with_0_and_is_missed() -> None:
    """edge-cases.md#74."""
    db = down("db", 0, wanted=(), restart_policy="no", health="unhealthy")
    alone = service("db", db, published=())
    assert causes(diagnose(facts(alone))) == [(Cause.APP_EXITED, "db")]
    waiting = service("web", container("web"), waits_for_end_of=("db",))
    assert diagnose(facts(alone, waiting)).healthy, "it was a one-shot with a health check"


def test_a_service_scaled_to_zero_is_not_missed() -> None:
    assert diagnose(facts(service("off", replicas=0))).healthy


def test_a_container_that_restarted_long_ago_is_no_crash_loop() -> None:
    assert diagnose(facts(service("app", container("app", restart_count=12)))).healthy
    assert diagnose(
        facts(service("app", container("app", restart_count=12, started=NOW - 5, health="healthy")))
    ).healthy


def test_a_conflict_about_a_bound_port_is_no_finding() -> None:
    assert diagnose(facts(service("app", container("app"), conflicts=(conflict(FLASK),)))).healthy


# --- ports ------------------------------------------------------------------------------------


def test_a_squatter_is_named_with_pid_command_and_port_and_no_secret() -> None:
    stack = facts(service("app", down(code=137), conflicts=(conflict(FLASK),)), http=(answer(502),))
    (finding,) = diagnose(stack).findings
    assert (finding.cause, finding.confidence) == (Cause.PORT_SQUATTER, "certain")
    assert "pid 1234" in finding.sentence
    assert "app.py" in finding.sentence
    assert "127.0.0.1:5000" in finding.sentence
    assert "canary" not in repr(finding)
    assert finding.data["port"] == 5000
    assert finding.data["pid"] == 1234
    assert [link.name for link in finding.chain] == [
        "symptom",
        "proxy",
        "upstream",
        "container",
        "port",
        "holder",
        "cause",
    ]
    assert finding.command == "dartsctl doctor --fix"


def test_a_squatter_of_the_proxy_s_port_is_a_taken_entry() -> None:
    stack = facts(
        service("web", down("web", 0), conflicts=(conflict(FLASK, 80, "web"),)),
        http=(answer(None),),
    )
    assert causes(diagnose(stack)) == [(Cause.ENTRY_PORT_TAKEN, "web")]


def test_a_foreign_container_is_told_from_a_process() -> None:
    holder = ForeignContainer(
        Container(
            "9" * 64,
            "other-app-1",
            "app",
            "running",
            labels={"com.docker.compose.project": "other"},
        )
    )
    (finding,) = diagnose(facts(service("app", down(), conflicts=(conflict(holder),)))).findings
    assert finding.cause is Cause.OTHER_CONTAINER
    assert "container other-app-1 of project other" in finding.sentence


def test_an_invisible_holder_is_unknown_and_likely() -> None:
    (finding,) = diagnose(
        facts(service("app", down(), conflicts=(conflict(Unknown(0, "sudo ss -ltnp")),)))
    ).findings
    assert (finding.cause, finding.confidence) == (Cause.PORT_SQUATTER, "likely")
    assert "sudo ss -ltnp" in finding.sentence


def test_the_forwarder_of_a_crash_loop_is_no_squatter() -> None:
    """Between two looks it was up, and the forwarder that held its port has gone with it."""
    looping = down("app", 2, state="restarting", restart_count=4)
    stack = facts(service("app", looping, conflicts=(conflict(Unknown(0, "ss")),)))
    assert causes(diagnose(stack)) == [(Cause.CRASH_LOOP, "app")]
    stack = facts(service("app", looping, conflicts=(conflict(FLASK),)))
    assert causes(diagnose(stack)) == [(Cause.PORT_SQUATTER, "app")]


def test_running_without_ports_is_detected_in_a_recorded_answer() -> None:
    """edge-cases.md#33.

    The tested engines do not show it (28.5.2, 26.1.5, 20.10.24): this is the answer of 28.5.2
    without what is missing in moby#51758.
    """
    answers = [
        read_json((DATA / f"{name}.json").read_text(), Source("the engine"))
        for name in ("running", "running-without-ports")
    ]
    whole, bare = (inspection.read(answer).of_service("app") for answer in answers)
    assert causes(diagnose(facts(service("app", replace(whole, name="a")), upstreams=()))) == []
    (finding,) = diagnose(facts(service("app", bare), upstreams=())).findings
    assert finding.cause is Cause.NO_PORTS
    assert "127.0.0.1:24999/tcp" in finding.sentence
    assert "no network" in finding.sentence
    assert finding.data["port"] == 24999


def test_an_ephemeral_port_is_missed_only_when_none_was_bound() -> None:
    wish, got = (
        PublishedPort(5000, Endpoint(0, "0.0.0.0")),
        PublishedPort(5000, Endpoint(32768, "0.0.0.0")),
    )
    assert diagnose(facts(service("app", container("app", wanted=(wish,), bound=(got,))))).healthy
    assert causes(diagnose(facts(service("app", container("app", wanted=(wish,), bound=()))))) == [
        (Cause.NO_PORTS, "app")
    ]


@pytest.mark.parametrize(
    ("app", "status", "harmless"),
    [
        (container("app", health="unhealthy"), 200, True),
        (container("app", health="unhealthy"), 502, False),
        (container("app", bound=()), 200, True),
        (container("app", bound=()), 502, False),
        (down(), 200, False),
    ],
    ids=[
        "answered",
        "not answered",
        "answered without its port",
        "not answered without its port",
        "missing",
    ],
)
def test_harmless_means_no_failed_request_and_no_missing_container(
    app: ContainerFacts, status: int, harmless: bool
) -> None:
    (finding,) = diagnose(facts(service("app", app), http=(answer(status),))).findings
    assert finding.harmless == harmless
    assert (finding.chain[0].mark == "bad") == (status == 502)
    if harmless:
        assert finding.command != "dartsctl doctor --fix", "which would leave it alone"


def test_a_squatter_of_a_service_that_runs_and_is_reached_is_harmless() -> None:
    stack = facts(service("app", container("app", bound=()), conflicts=(conflict(FLASK),)))
    (finding,) = diagnose(stack).findings
    assert (finding.cause, finding.harmless, finding.command) == (
        Cause.PORT_SQUATTER,
        True,
        "dartsctl prod up",
    )


def test_a_squatter_of_a_host_networks_port_is_found_although_the_container_runs() -> None:
    taken = conflict(FLASK)
    on_host = replace(taken, binding=replace(taken.binding, on_host=True))
    (finding,) = diagnose(facts(service("app", container("app"), conflicts=(on_host,)))).findings
    assert finding.cause is Cause.PORT_SQUATTER
    assert finding.sentence.startswith("app runs without its port because 127.0.0.1:5000/tcp")
    assert any("cannot listen on the host's 127.0.0.1:5000" in link.text for link in finding.chain)


# --- containers -------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("app", "cause"),
    [
        (down(code=1), Cause.APP_EXITED),
        (down(code=137), Cause.APP_EXITED),
        (down(code=137, oom_killed=True, memory_limit=2**26), Cause.OUT_OF_MEMORY),
        (down(state="restarting", code=1, restart_count=9), Cause.CRASH_LOOP),
        (down(state="restarting", code=137, restart_count=9, oom_killed=True), Cause.OUT_OF_MEMORY),
        (container("app", restart_count=5, started=NOW - 1), Cause.CRASH_LOOP),
        (container("app", restart_count=5, started=NOW - 1, health="unhealthy"), Cause.CRASH_LOOP),
        (
            down(
                state="created",
                code=128,
                error="Bind for 127.0.0.1:5000 failed: port is already allocated",
                finished=None,
            ),
            Cause.NEVER_STARTED,
        ),
        (down(state="created", code=0, finished=None), Cause.NEVER_STARTED),
        (down(state="dead"), Cause.APP_EXITED),
        (container("app", health="unhealthy", health_output="curl: not found"), Cause.UNHEALTHY),
        (container("app", listening=()), Cause.UNHEALTHY),
        (
            container("app", listening=(Endpoint(5000, "127.0.0.1"), Endpoint(5000, "::1"))),
            Cause.LOOPBACK_ONLY,
        ),
        (down(state="paused"), Cause.PAUSED),
    ],
)
def test_each_state_of_a_container_has_its_cause(app: ContainerFacts, cause: Cause) -> None:
    """edge-cases.md#76."""
    assert causes(diagnose(facts(service("app", app)))) == [(cause, "app")]


def test_unknown_facts_are_no_finding() -> None:
    """Sockets inside it that may not be read, a host network, a log that is kept nowhere."""
    assert diagnose(facts(service("app", container("app", listening=None, log=None)))).healthy
    assert diagnose(
        facts(
            service(
                "app",
                container("app", listening=(Endpoint(5000, "127.0.0.1"),), network_mode="host"),
            )
        )
    ).healthy
    (finding,) = diagnose(facts(service("app", down(log=None)))).findings
    assert any("log cannot be read" in line for link in finding.chain for line in link.evidence)


def test_an_app_that_listens_on_one_more_address_than_loopback_is_reachable() -> None:
    assert diagnose(
        facts(
            service(
                "app",
                container(
                    "app", listening=(Endpoint(5000, "127.0.0.1"), Endpoint(5000, "10.0.0.2"))
                ),
            )
        )
    ).healthy


def test_the_last_log_lines_are_evidence() -> None:
    lines = tuple(LoggedLine(f"line {number}") for number in range(9))
    (finding,) = diagnose(facts(service("app", down(log=lines)))).findings
    (link,) = [link for link in finding.chain if link.name == "container"]
    assert link.evidence[-1] == "end of its log: line 8"
    assert "end of its log: line 3" not in link.evidence


NOISE = (
    LoggedLine("Traceback (most recent call last):"),
    LoggedLine("OSError: libespeak.so.1: cannot open shared object file"),
    LoggedLine("ERROR: no speech, going on without it: connection refused"),
)


def test_a_traceback_in_the_log_of_a_service_that_serves_is_no_evidence() -> None:
    assert diagnose(facts(service("app", container("app", log=NOISE)))).healthy


def test_words_in_a_log_name_no_cause() -> None:
    """The end of the log is shown as such, next to a cause that was found without it."""
    ended = down(code=137, log=NOISE)
    (finding,) = diagnose(facts(service("app", ended), http=(answer(502),))).findings
    assert finding.cause is Cause.APP_EXITED
    assert finding.sentence == (
        "app has ended with exit code 137: killed (SIGKILL: a stop that took too long, "
        "`docker kill`, or a kill on the host), 1 min ago"
    )
    named = [line for link in finding.chain for line in link.evidence if "espeak" in line]
    assert named == ["end of its log: OSError: libespeak.so.1: cannot open shared object file"]


def test_a_stack_without_containers_is_one_finding() -> None:
    stack = facts(service("app"), service("web"), http=(answer(None),))
    (finding,) = diagnose(stack).findings
    assert (finding.cause, finding.sentence) == (
        Cause.NEVER_STARTED,
        "shop is not up: it has no containers",
    )
    stack = facts(service("app", conflicts=(conflict(FLASK),)), service("web"))
    assert causes(diagnose(stack)) == [(Cause.PORT_SQUATTER, "app")], (
        "but the port that keeps it from starting comes first"
    )


# --- what follows from what -------------------------------------------------------------------


def test_a_service_that_waits_for_another_is_no_root_cause() -> None:
    created = down("app", 0, state="created", finished=None)
    stack = facts(
        service("app", created, depends_on=("db",)),
        service("db", down("db", 1)),
        http=(answer(502),),
    )
    (finding,) = diagnose(stack).findings
    assert (finding.cause, finding.service) == (Cause.APP_EXITED, "db")
    assert finding.data["followed_by"] == ["app"]
    assert any("app was created and never started" in line for line in finding.chain[0].evidence)


def test_a_crash_loop_is_a_root_cause_only_if_its_dependency_runs() -> None:
    looping = service("app", down(state="restarting", restart_count=5), depends_on=("db",))
    assert causes(diagnose(facts(looping, service("db", down("db"))))) == [(Cause.APP_EXITED, "db")]
    assert causes(diagnose(facts(looping, service("db", container("db"))))) == [
        (Cause.CRASH_LOOP, "app")
    ]


def test_services_that_wait_for_each_other_do_not_hide_each_other() -> None:
    first, second = (
        service("app", down(), depends_on=("db",)),
        service("db", down("db"), depends_on=("app",)),
    )
    assert {name for _, name in causes(diagnose(facts(first, second)))} == {"app", "db"}


def test_a_stopped_service_does_not_follow_from_another() -> None:
    stack = facts(service("app", down(code=143), depends_on=("db",)), service("db", down("db")))
    assert {name for _, name in causes(diagnose(stack))} == {"app", "db"}


def test_a_proxy_that_misses_a_name_follows_from_the_service_of_that_name() -> None:
    """edge-cases.md#71."""
    proxy = failures(failed(NginxFailure.HOST_NOT_FOUND, "", name="app:5000"))
    dead = service("web", down("web", started=NOW - 2))
    assert causes(diagnose(facts(service("app", down()), dead, proxy=proxy))) == [
        (Cause.APP_EXITED, "app")
    ]
    assert causes(diagnose(facts(dead, proxy=proxy))) == [(Cause.PROXY_CANNOT_START, "web")]


# --- the proxy --------------------------------------------------------------------------------


def test_log_lines_of_a_former_run_do_not_count_for_a_stopped_proxy() -> None:
    proxy = failures(failed(NginxFailure.HOST_NOT_FOUND, "", name="app:5000", when=NOW - 7200))
    assert causes(
        diagnose(facts(service("web", down("web", 0, started=NOW - 3600)), proxy=proxy))
    ) == [(Cause.PROXY_DOWN, "web")]


def test_a_proxy_without_a_readable_configuration_is_judged_by_its_container() -> None:
    """HAProxy, Traefik, Caddy: recognised, not read."""
    for kind in ("haproxy", "traefik", "caddy"):
        proxy = ProxyFacts("web", kind)
        assert diagnose(facts(proxy=proxy, upstreams=())).healthy
        (finding,) = diagnose(
            facts(service("web", down("web")), proxy=proxy, upstreams=())
        ).findings
        assert finding.cause is Cause.PROXY_DOWN
        (finding,) = diagnose(
            facts(service("app", down()), proxy=proxy, upstreams=(), http=(answer(503, ""),))
        ).findings
        assert [link.name for link in finding.chain] == ["symptom", "proxy", "container", "cause"]


def test_a_stack_without_a_proxy_is_diagnosed() -> None:
    stack = replace(facts(service("app", down())), proxy=None, upstreams=(), http=())
    (finding,) = diagnose(stack).findings
    assert (finding.cause, finding.chain[0].mark) == (Cause.APP_EXITED, "unknown")


def test_a_certificate_is_a_finding_only_if_the_proxy_has_tls() -> None:
    expired = (
        CertificateFacts(
            "/srv/tls.crt", "/srv/tls.crt expired on 2026-11-22", True, "file: /srv/tls.crt"
        ),
    )
    assert diagnose(facts(certificates=expired)).healthy
    tls = replace(failures(), listens=(Listen(443, "", True),))
    listening = service("web", container("web", "10.0.0.3", listening=(Endpoint(443, "0.0.0.0"),)))
    assert causes(diagnose(facts(listening, proxy=tls, certificates=expired))) == [
        (Cause.CERTIFICATE, "web")
    ]
    soon = (replace(expired[0], refusing=False),)
    assert diagnose(facts(listening, proxy=tls, certificates=soon)).healthy


# --- the way to a service ---------------------------------------------------------------------


def test_services_without_a_common_network_are_a_finding() -> None:
    apart = service("app", container("app", networks={"shop_back": "10.9.0.2"}))
    assert causes(diagnose(facts(apart, http=(answer(502),)))) == [(Cause.OTHER_NETWORK, "app")]
    host = service("web", container("web", networks={"host": ""}, network_mode="host"))
    assert diagnose(facts(apart, host)).healthy, (
        "a proxy on the host's network reaches every bridge"
    )


@pytest.mark.parametrize(
    ("failure", "cause"),
    [
        (NginxFailure.HANDSHAKE, Cause.CERTIFICATE),
        (NginxFailure.CONNECT, Cause.UNKNOWN),
    ],
)
def test_an_unexplained_answer_is_classified_by_the_log_and_never_certain(
    failure: NginxFailure, cause: Cause
) -> None:
    (finding,) = diagnose(
        facts(proxy=failures(failed(failure, "10.0.0.2:5000")), http=(answer(504),))
    ).findings
    assert finding.cause is cause
    assert finding.confidence != "certain"
    assert failure.value in finding.sentence


def test_a_starting_service_is_reported_as_starting() -> None:
    stack = facts(
        service("app", container("app", health="starting", listening=(), started=NOW - 3)),
        http=(answer(502),),
    )
    (finding,) = diagnose(stack).findings
    assert (finding.cause, finding.confidence) == (Cause.UNHEALTHY, "possible")
    assert "still starting" in finding.sentence


def test_an_error_of_the_app_itself_is_unknown() -> None:
    (finding,) = diagnose(facts(http=(answer(500),))).findings
    assert (finding.cause, finding.confidence) == (Cause.UNKNOWN, "possible")


@pytest.mark.parametrize("status", [None, 502])
def test_a_killed_worker_of_nginx_explains_only_a_request_without_an_answer(
    status: int | None,
) -> None:
    killed = replace(
        failed(NginxFailure.WORKER_KILLED, ""), example="worker process 7 exited on signal 9"
    )
    stack = facts(proxy=failures(killed), http=(answer(status),))
    (finding,) = diagnose(stack).findings
    if status is None:
        assert (finding.cause, finding.container) == (Cause.WORKER_KILLED, "shop-web-1")
        assert "worker process 7 exited on signal 9" in finding.sentence
    else:
        assert finding.cause is Cause.UNKNOWN


def test_an_upload_that_is_too_large_is_the_client_s_fault() -> None:
    assert diagnose(facts(http=(answer(413),))).healthy


def test_a_request_to_a_host_outside_the_stack_names_that_host() -> None:
    http = replace(answer(502, ""), target="api.example.org:443")
    (finding,) = diagnose(facts(http=(http,))).findings
    assert (finding.cause, finding.service) == (Cause.UNKNOWN, "web")
    assert "when web passes it on to api.example.org:443" in finding.sentence


# --- the engine -------------------------------------------------------------------------------


def test_an_engine_that_is_down_is_the_only_finding() -> None:
    engine = EngineFacts(
        "unix:///x",
        problem="no Docker engine answers at unix:///x",
        hint="sudo systemctl start docker",
    )
    (finding,) = diagnose(Facts(engine, NOW)).findings
    assert (finding.cause, finding.command) == (Cause.ENGINE_DOWN, "sudo systemctl start docker")


def test_a_port_of_which_nothing_is_visible_is_not_called_free() -> None:
    """Without a bind, a udp socket or one that is only bound does not tell."""
    error = (
        "failed to set up container networking: driver failed programming external connectivity on "
        "endpoint shop-app-1: failed to bind host port 127.0.0.1:5000/tcp: address already in use"
    )
    refused = down(state="created", code=0, finished=None, error=error)
    (finding,) = diagnose(facts(service("app", refused))).findings
    assert finding.sentence.endswith("; the port is free now")
    (finding,) = diagnose(facts(service("app", refused, unsure_ports=(5000,)))).findings
    assert finding.sentence.endswith("; whether the port is free now is not visible")
