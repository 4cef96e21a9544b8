"""Prometheus scrapes what is known then, from the loopback address alone."""

from __future__ import annotations

import socket
import urllib.request
from collections.abc import Iterator, Sequence

import pytest
from prometheus_client.parser import text_string_to_metric_families

from dartsctl.edges.metrics.exporter import Exporter, Family
from dartsctl.errors import DartsctlError, ExitCode
from dartsctl.text.masker import Masker
from own_ports import free_ports


def up(*services: str) -> Family:
    series = tuple(((name,), 1.0) for name in services)
    return Family("dartsctl_service_up", "Whether it is up.", "gauge", ("service",), series)


class Stack:
    """What an exporter answers with, which a test may replace."""

    def __init__(self) -> None:
        self.families: Sequence[Family] = [up("web")]
        self.port = free_ports(1)[0]
        masker = Masker()
        masker.learn({"DB_PASSWORD": "canary-5f1d0c"})
        self.exporter = Exporter(self.port, lambda: self.families, shown=masker.line)

    def scrape(self) -> str:
        with urllib.request.urlopen(f"http://127.0.0.1:{self.port}/metrics", timeout=30) as answer:
            return str(answer.read().decode())

    def samples(self) -> dict[str, dict[str, float]]:
        """Return metric -> label values -> number, as the library's own parser reads them."""
        samples: dict[str, dict[str, float]] = {}
        for family in text_string_to_metric_families(self.scrape()):
            for sample in family.samples:
                samples.setdefault(sample.name, {})[",".join(sample.labels.values())] = sample.value
        return samples


@pytest.fixture
def stack() -> Iterator[Stack]:
    made = Stack()
    made.exporter.start()
    yield made
    made.exporter.close()


def test_a_scrape_has_what_is_known_and_nothing_else(stack: Stack) -> None:
    errors = Family("dartsctl_errors", "Errors.", "counter", ("service",), ((("web",), 3.0),))
    stack.families = [up("web", "db"), errors]
    assert stack.samples() == {
        "dartsctl_service_up": {"web": 1.0, "db": 1.0},
        "dartsctl_errors_total": {"web": 3.0},
    }


def test_a_series_whose_service_is_gone_is_gone(stack: Stack) -> None:
    stack.families = [up("web", "db")]
    assert set(stack.samples()["dartsctl_service_up"]) == {"web", "db"}
    stack.families = [up("db")]
    assert set(stack.samples()["dartsctl_service_up"]) == {"db"}


def test_labels_from_outside_break_nothing_and_show_no_secret(stack: Stack) -> None:
    stack.families = [up('evil"} 1\nfake_metric 7', "back\\slash", "canary-5f1d0c", "\x1b[2J")]
    text = stack.scrape()
    assert "canary" not in text
    assert "\x1b" not in text
    assert list(stack.samples()) == ["dartsctl_service_up"]
    assert len(stack.samples()["dartsctl_service_up"]) == 4


def test_only_the_loopback_address_is_served(stack: Stack) -> None:
    with socket.socket() as other, pytest.raises(ConnectionRefusedError):
        other.connect(("127.0.0.2", stack.port))


def test_a_port_in_use_is_a_conflict() -> None:
    stack = Stack()
    with socket.socket() as holder:
        holder.bind(("127.0.0.1", stack.port))
        holder.listen()
        with pytest.raises(
            DartsctlError, match=f"port {stack.port} for metrics is in use"
        ) as raised:
            stack.exporter.start()
    assert raised.value.code == ExitCode.CONFLICT
    assert raised.value.hint == f"sudo ss -tlnp 'sport = :{stack.port}'"
    stack.exporter.close()


def test_after_the_end_the_port_is_free_at_once(stack: Stack) -> None:
    stack.scrape()
    stack.exporter.close()
    with socket.socket() as other:
        other.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        other.bind(("127.0.0.1", stack.port))
    again = Stack()
    again.port = stack.port
    again.exporter = Exporter(stack.port, lambda: [up("web")], shown=str)
    again.exporter.start()
    assert again.samples() == {"dartsctl_service_up": {"web": 1.0}}
    again.exporter.close()
