"""No cause is mistaken for another: each fault alone, and any two of them in one stack.

The lines are those of edge-cases.md#88.
"""

from __future__ import annotations

from collections import Counter
from itertools import combinations

import pytest

from dartsctl.diagnosis.diagnose import diagnose
from dartsctl.diagnosis.findings import Cause
from dartsctl.diagnosis.repair_plan import make_plan
from fakes.route_faults import CONF, FAULTS, Fault, stack_with
from fakes.stack_facts import causes


def expected(*faults: Fault) -> Counter[tuple[Cause, str]]:
    return Counter((fault.cause, fault.blamed) for fault in faults)


@pytest.mark.parametrize("name", FAULTS)
def test_a_fault_of_one_location_has_its_cause_and_no_other(name: str) -> None:
    fault = FAULTS[name](1)
    stack = stack_with(fault)
    diagnosis = diagnose(stack)
    assert Counter(causes(diagnosis)) == expected(fault), diagnosis
    (finding,) = diagnosis.findings
    assert finding.chain[0].mark == "bad", "the symptom"
    assert finding.chain[0].text == fault.http[0].symptom
    assert finding.container
    assert finding.container == stack.services[fault.blamed].containers[0].name


def test_no_two_faults_in_one_stack_are_mistaken_for_each_other() -> None:
    wrong = []
    for (first, make_first), (second, make_second) in combinations(FAULTS.items(), 2):
        faults = make_first(1), make_second(2)
        found = Counter(causes(diagnose(stack_with(*faults))))
        if found != expected(*faults):
            wrong.append((first, second, dict(found)))
    assert not wrong, wrong


def test_all_faults_in_one_stack_are_told_apart() -> None:
    faults = [make(number) for number, make in enumerate(FAULTS.values(), 1)]
    diagnosis = diagnose(stack_with(*faults))
    assert Counter(causes(diagnosis)) == expected(*faults)
    shown = [url for finding in diagnosis.findings for url in finding.requests]
    assert Counter(shown) == Counter(
        http.url for fault in faults for http in fault.http if http.is_bad
    ), "each failed request belongs to one finding"


@pytest.mark.parametrize("name", FAULTS)
def test_advice_about_the_proxy_s_configuration_names_file_and_line(name: str) -> None:
    fault = FAULTS[name](1)
    (finding,) = diagnose(stack_with(fault)).findings
    if fault.blamed == "web" and fault.cause is not Cause.NO_LIVE_UPSTREAMS:
        assert f"{CONF}:1 of web" in finding.command
        assert "restart web" in finding.command


def test_only_the_reload_is_done_for_these_causes() -> None:
    for make in FAULTS.values():
        fault = make(1)
        stack = stack_with(fault)
        plan = make_plan(diagnose(stack).findings, stack)
        lines = [step.line for step in plan.steps]
        assert lines == (
            ["reload the configuration of web"] if fault.cause is Cause.NO_LIVE_UPSTREAMS else []
        )


@pytest.mark.parametrize(
    ("name", "words"),
    [
        ("published port", "`proxy_pass http://backend1xyz:80`"),
        ("published on loopback", "`proxy_pass http://backend1xyz:80`"),
        ("misspelled", "`proxy_pass http://backend1xyz:80`"),
        ("https to plain", "`proxy_pass http://backend1xyz:80`"),
        ("http to TLS", "`proxy_pass https://backend1xyz:443`"),
        ("uwsgi to http", "`proxy_pass http://backend1xyz:80`"),
        ("gRPC to http", "`proxy_pass http://backend1xyz:80`"),
        ("no resolver", "`resolver 127.0.0.11 valid=10s;`"),
        ("dead resolver", "`resolver 127.0.0.11 valid=10s;`"),
        ("wrong port", "(open: 80, 9000)"),
        ("wrong port of the app", "make backend1xyz listen on 8000"),
        ("big header", "`proxy_buffer_size 32k; proxy_buffers 8 32k;`"),
    ],
)
def test_advice_says_what_to_write(name: str, words: str) -> None:
    (finding,) = diagnose(stack_with(FAULTS[name](1))).findings
    assert words in finding.command
