"""Metrics for Prometheus, on the loopback address. The only module that imports prometheus_client.

The families are made for each scrape from what is known then: a series whose service is gone is
gone from the next scrape.
"""

from __future__ import annotations

import errno
import importlib.util
from typing import TYPE_CHECKING, Any, Literal

from dartsctl.errors import Advice, DartsctlError, ExitCode, UsageError
from dartsctl.records import record
from dartsctl.text.install_command import install_command

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    from prometheus_client.metrics_core import Metric

ADDRESS = "127.0.0.1"
_CLOSING = 1.0


@record
class Family:
    """A metric: its series are label values and a number. Of a counter, `name` has no `_total`."""

    name: str
    text: str
    kind: Literal["gauge", "counter"]
    labels: tuple[str, ...]
    series: tuple[tuple[tuple[str, ...], float], ...]


class Exporter:
    """An HTTP server in threads of its own, from `start` to `close`."""

    def __init__(
        self,
        port: int,
        families: Callable[[], Sequence[Family]],
        *,
        shown: Callable[[str], str],
    ) -> None:
        """`shown` masks the values of labels."""
        self._port = port
        self._families = families
        self._shown = shown
        self._server: Any = None
        self._thread: Any = None

    def start(self) -> None:
        """Serve. Raises UsageError without the library, DartsctlError (3) if the port is in use."""
        require_prometheus()
        from prometheus_client import CollectorRegistry, start_http_server

        registry = CollectorRegistry()  # its own: nothing about this process or its Python
        registry.register(self)
        try:
            self._server, self._thread = start_http_server(
                self._port, addr=ADDRESS, registry=registry
            )
        except OSError as error:
            raise _cannot_listen(error, self._port) from None

    def collect(self) -> Iterator[Metric]:
        """Return the metrics of one scrape, as prometheus_client asks for them."""
        for family in self._families():
            yield _metric(family, self._shown)

    def close(self) -> None:
        """Release the port."""
        if self._server:
            self._server.shutdown()
            self._server.server_close()
            self._thread.join(_CLOSING)
            self._server = None


def require_prometheus() -> None:
    """Raise UsageError with the command that installs the extra, unless it is installed."""
    if importlib.util.find_spec("prometheus_client") is None:
        raise UsageError(
            "metrics need the library prometheus-client",
            hint=install_command("prometheus-client", "metrics"),
        )


def _metric(family: Family, shown: Callable[[str], str]) -> Metric:
    from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily

    make: type[CounterMetricFamily | GaugeMetricFamily] = GaugeMetricFamily
    if family.kind == "counter":
        make = CounterMetricFamily
    metric = make(family.name, family.text, labels=family.labels)
    for values, number in family.series:
        metric.add_metric([shown(value) for value in values], number)
    return metric


def _cannot_listen(error: OSError, port: int) -> DartsctlError:
    if error.errno == errno.EADDRINUSE:
        return DartsctlError(
            f"port {port} for metrics is in use",
            hint=f"sudo ss -tlnp 'sport = :{port}'",
            code=ExitCode.CONFLICT,
        )
    reason = (error.strerror or str(error)).lower()
    return DartsctlError(
        f"cannot serve metrics on {ADDRESS}:{port}: {reason}",
        hint=Advice("use a port above 1023"),
    )
