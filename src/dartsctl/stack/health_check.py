"""HealthCheck: when the engine calls a container unhealthy, as a Compose file or an image says it.

Source: engine-rules.md#health-checks.
"""

from __future__ import annotations

from dartsctl.records import record
from dartsctl.text.patterns import regex

TYPE_CHECKING = False
if TYPE_CHECKING:
    from dartsctl.text.strict_json import Cursor

DEFAULT_INTERVAL = 30.0
DEFAULT_TIMEOUT = 30.0
DEFAULT_RETRIES = 3
"""What the engine uses where neither the Compose file nor the image says anything else."""

_UNITS = {"ns": 1e-9, "us": 1e-6, "ms": 1e-3, "s": 1.0, "m": 60.0, "h": 3600.0}
_PART = regex(r"(?a)(\d{1,19}(?:\.\d{0,19})?|\.\d{1,19})(ns|us|ms|s|m|h)")
_MICRO = ("\u00b5", "\u03bc")
"""The micro sign, and the Greek letter: Go writes the first and reads both."""


@record
class HealthCheck:
    """A declared health check. Times are in seconds; 0 and an empty `test` are not declared."""

    test: tuple[str, ...] = ()
    interval: float = 0.0
    timeout: float = 0.0
    start_period: float = 0.0
    retries: int = 0

    @property
    def is_disabled(self) -> bool:
        """Whether it says that there is none, whatever the image declares."""
        return self.test == ("NONE",)

    @property
    def runs(self) -> bool:
        """Whether it has a command that is run."""
        return bool(self.test) and not self.is_disabled

    def over(self, image: HealthCheck) -> HealthCheck:
        """Return the check of a container: where this one is silent, its image's counts."""
        if self.is_disabled:
            return self
        return HealthCheck(
            self.test or image.test,
            self.interval or image.interval,
            self.timeout or image.timeout,
            self.start_period or image.start_period,
            self.retries or image.retries,
        )

    @property
    def longest(self) -> float:
        """Seconds that a container may take until the engine calls it unhealthy; 0 without one."""
        if not self.runs:
            return 0.0
        attempt = (self.interval or DEFAULT_INTERVAL) + (self.timeout or DEFAULT_TIMEOUT)
        return self.start_period + (self.retries or DEFAULT_RETRIES) * attempt


NO_HEALTH_CHECK = HealthCheck()


def read_health_check(check: Cursor) -> HealthCheck:
    """Return the `healthcheck` of a service in Compose's model."""
    if check.value is None:
        return NO_HEALTH_CHECK
    if check.at("disable").flag():
        return HealthCheck(("NONE",))
    return HealthCheck(
        check.at("test").texts(),
        _seconds(check.at("interval")),
        _seconds(check.at("timeout")),
        _seconds(check.at("start_period")),
        check.at("retries").integer(0),
    )


def read_image_check(check: Cursor) -> HealthCheck:
    """Return the `Healthcheck` of an image's configuration, as the engine describes it."""
    return HealthCheck(
        check.at("Test").texts(),
        _seconds(check.at("Interval")),
        _seconds(check.at("Timeout")),
        _seconds(check.at("StartPeriod")),
        check.at("Retries").integer(0),
    )


def _seconds(value: Cursor) -> float:
    """Return a duration as Compose (`1m30s`) or the engine (nanoseconds) writes it."""
    if not isinstance(value.value, str):
        return value.integer(0) / 1e9
    seconds = parse_duration(value.text())
    if seconds is None:
        raise value.mistake("expected a duration, such as 1m30s")
    return seconds


def parse_duration(text: str) -> float | None:
    """Return the seconds of a duration in Go's notation, None for any other text."""
    if text in ("", "0"):
        return 0.0
    for sign in _MICRO:
        text = text.replace(sign, "u")
    seconds = 0.0
    position = 0
    while position < len(text):
        part = _PART.match(text, position)
        if part is None:
            return None
        seconds += float(part[1]) * _UNITS[part[2]]
        position = part.end()
    return seconds
