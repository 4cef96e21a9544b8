"""The table of causes: each cause is detected from an example, has words, and a repair or none."""

from __future__ import annotations

from pathlib import Path

import pytest

from dartsctl.diagnosis import causes
from dartsctl.diagnosis.causes.all_causes import CAUSES, MODULES, REPORTED_FIRST
from dartsctl.diagnosis.causes.base import CauseModule
from dartsctl.diagnosis.diagnose import diagnose
from dartsctl.diagnosis.facts import CertificateFacts, EngineFacts, Facts
from dartsctl.diagnosis.findings import Cause
from dartsctl.diagnosis.nginx.config import Listen
from dartsctl.diagnosis.nginx.log import NginxFailure
from dartsctl.diagnosis.repair_plan import make_plan
from dartsctl.diagnosis.repairs import NO_REPAIR, by_hand
from dartsctl.ports.holders import ForeignContainer
from dartsctl.records import replace
from dartsctl.stack.bindings import Endpoint
from dartsctl.stack.containers import Container
from fakes.route_faults import FAULTS, stack_with
from fakes.stack_facts import (
    FLASK,
    NOW,
    answer,
    conflict,
    container,
    down,
    facts,
    failed,
    failures,
    service,
)

ENGINE = EngineFacts("unix:///x", problem="no engine answers", hint="sudo systemctl start docker")
STRANGER = ForeignContainer(Container("9" * 64, "other-app-1", "app", "running"))
LOOPBACK = container("app", listening=(Endpoint(5000, "127.0.0.1"),))
EXPIRED = CertificateFacts("/srv/tls.crt", "/srv/tls.crt expired", refusing=True, source="file")
TLS_PROXY = replace(failures(), listens=(Listen(443, "", tls=True),))
UNKNOWN_NAME = failures(failed(NginxFailure.HOST_NOT_FOUND, "", name="app:5000"))
APART = container("app", networks={"shop_back": "10.9.0.2"})

ENDED = service("web", down("web", started=NOW - 2))
BAD_LINE = failures(
    replace(
        failed(NginxFailure.EMERGENCY, ""),
        example='unknown directive "prxy_pass" in /etc/nginx/conf.d/default.conf:3',
    )
)
LOCATIONS = {
    fault.cause: fault
    for fault in (make(1) for make in FAULTS.values())
    if fault.cause not in (Cause.UNHEALTHY, Cause.UNKNOWN)
}
"""The causes of single locations."""

EXAMPLES: dict[Cause, Facts] = {
    Cause.ENGINE_DOWN: Facts(ENGINE, NOW),
    Cause.ENTRY_PORT_TAKEN: facts(
        service("web", down("web"), conflicts=(conflict(FLASK, 80, "web"),))
    ),
    Cause.PORT_SQUATTER: facts(service("app", down(), conflicts=(conflict(FLASK),))),
    Cause.OTHER_CONTAINER: facts(service("app", down(), conflicts=(conflict(STRANGER),))),
    Cause.OUT_OF_MEMORY: facts(service("app", down(oom_killed=True))),
    Cause.CRASH_LOOP: facts(service("app", down(state="restarting", restart_count=9))),
    Cause.NEVER_STARTED: facts(service("app", down(state="created"))),
    Cause.APP_EXITED: facts(service("app", down())),
    Cause.NO_PORTS: facts(service("app", container("app", bound=())), http=(answer(502),)),
    Cause.LOOPBACK_ONLY: facts(service("app", LOOPBACK), http=(answer(502),)),
    Cause.UNHEALTHY: facts(
        service("app", container("app", health="unhealthy")), http=(answer(502),)
    ),
    Cause.OTHER_NETWORK: facts(service("app", APART), http=(answer(502),)),
    Cause.STALE_UPSTREAM: facts(proxy=failures(failed(NginxFailure.NO_ROUTE)), http=(answer(502),)),
    Cause.CERTIFICATE: facts(proxy=TLS_PROXY, certificates=(EXPIRED,)),
    Cause.PROXY_CANNOT_START: facts(
        service("web", down("web", started=NOW - 2)), proxy=UNKNOWN_NAME
    ),
    Cause.PROXY_DOWN: facts(service("web", down("web", 0))),
    Cause.UNKNOWN: facts(http=(answer(500),)),
    Cause.REVERSED_DEPENDENCY: facts(
        service("app", container("app"), depends_on=("web",)), ENDED, proxy=UNKNOWN_NAME
    ),
    Cause.NGINX_CONFIG: facts(ENDED, proxy=BAD_LINE),
    **{cause: stack_with(fault) for cause, fault in LOCATIONS.items()},
}

BY_HAND = {
    Cause.ENGINE_DOWN,
    Cause.CRASH_LOOP,
    Cause.LOOPBACK_ONLY,
    Cause.OTHER_NETWORK,
    Cause.CERTIFICATE,
    Cause.UNKNOWN,
    Cause.NGINX_CONFIG,
    *(cause for cause in LOCATIONS if cause is not Cause.NO_LIVE_UPSTREAMS),
}
"""The causes that only a person can repair."""


def name_of(module: CauseModule) -> str:
    return module.CAUSE.value


def test_every_cause_has_one_row_and_an_example() -> None:
    assert len(CAUSES) == len(MODULES)
    assert set(MODULES) == set(Cause) == set(EXAMPLES)
    assert set(REPORTED_FIRST) <= set(MODULES)


def test_every_module_of_the_package_is_in_the_table() -> None:
    folder = Path(next(iter(causes.__path__)))
    modules = {file.stem for file in folder.glob("*.py")} - {"__init__", "all_causes", "base"}
    assert modules == {name_of(module).replace("-", "_") for module in CAUSES}


@pytest.mark.parametrize("module", CAUSES, ids=name_of)
def test_a_cause_is_detected_alone_and_is_the_root_of_its_example(module: CauseModule) -> None:
    example = EXAMPLES[module.CAUSE]
    troubles = list(module.detect(example))
    assert [trouble.cause for trouble in troubles] == [module.CAUSE]
    assert [finding.cause for finding in diagnose(example).findings] == [module.CAUSE]


@pytest.mark.parametrize("module", CAUSES, ids=name_of)
def test_a_healthy_stack_has_no_trouble(module: CauseModule) -> None:
    assert list(module.detect(facts())) == []


@pytest.mark.parametrize("module", CAUSES, ids=name_of)
def test_a_cause_has_words(module: CauseModule) -> None:
    """A sentence without a full stop, a command or advice, and a chain that ends with the cause."""
    (finding,) = diagnose(EXAMPLES[module.CAUSE]).findings
    assert finding.sentence
    assert "\n" not in finding.sentence
    assert not finding.sentence.endswith(".")
    assert finding.command
    assert finding.chain[-1].name == "cause"
    assert finding.chain[-1].text == finding.sentence


@pytest.mark.parametrize("module", CAUSES, ids=name_of)
def test_a_cause_has_a_repair_or_says_that_it_has_none(module: CauseModule) -> None:
    example = EXAMPLES[module.CAUSE]
    (finding,) = diagnose(example).findings
    assert (module.repair is by_hand) == (module.CAUSE in BY_HAND)
    repair = module.repair(finding, example)
    plan = make_plan([finding], example)
    if module.CAUSE in BY_HAND:
        assert repair is NO_REPAIR
        assert [row.finding for row in plan.by_hand] == [finding]
        assert plan.steps == ()
    else:
        assert repair.action in {step.action for step in plan.steps}
        assert [row.finding for row in plan.by_hand] == [finding] * repair.is_partial
