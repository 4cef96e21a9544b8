"""`watch test`: send one test alert through every channel."""

from __future__ import annotations

import hashlib
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING, Any

from dartsctl.edges.notify import channels as apprise_channels
from dartsctl.errors import Advice, ExitCode, UsageError
from dartsctl.records import record
from dartsctl.workflows.watch.channels import channels_of, writer_of

if TYPE_CHECKING:
    from collections.abc import Sequence

    from dartsctl.alerts.notice import Notice
    from dartsctl.workflows.deps import Deps
    from dartsctl.workflows.watch.delivery import Channel, Send
    from dartsctl.workflows.watch.request import WatchRequest

_AT_ONCE = 8
"""Channels that are sent to at the same time."""


@record
class _Result:
    channel: Channel
    problem: str
    seconds: float

    @property
    def line(self) -> str:
        outcome = f"delivered in {self.seconds:.1f} s"
        if self.problem:
            outcome = f"FAILED: it {self.problem}"
        return f"{self.channel.role:8}  {self.channel.label}  {outcome}"

    @property
    def document(self) -> dict[str, Any]:
        return {
            "role": self.channel.role,
            "channel": self.channel.label,
            "delivered": not self.problem,
            "problem": self.problem or None,
            "seconds": round(self.seconds, 3),
        }


def send_test(
    request: WatchRequest,
    *,
    deps: Deps,
    send: Send = apprise_channels.send,
    dry_run: bool = False,
) -> ExitCode:
    """Send it, and say which channel failed. Raises UsageError without channels."""
    channels = channels_of(request.settings, request.environment, deps=deps)
    if not channels:
        raise UsageError(
            "no channels to test",
            hint=Advice(
                "write notify = [...] into [watch] of the settings, or set DARTSCTL_WATCH_NOTIFY"
            ),
        )
    if dry_run:
        return _name(channels, deps=deps)
    identifier = hashlib.sha256(f"test {deps.now()}".encode()).hexdigest()[:12]
    notice = writer_of(request.environment, deps=deps).test(identifier)
    results = _send_all(channels, notice, deps=deps, send=send)
    failed = [result for result in results if result.problem]
    code = ExitCode.OK
    lines = [result.line for result in results]
    if failed:
        code = ExitCode.FAILED
        lines.append(f"{len(failed)} of {len(results)} channels failed")
    document = {
        "ok": not failed,
        "exit_code": int(code),
        "dry_run": False,
        "message": identifier,
        "channels": [result.document for result in results],
    }
    deps.screen.result(document, lines)
    return code


def _name(channels: Sequence[Channel], *, deps: Deps) -> ExitCode:
    """Say where the test would be sent."""
    document = {
        "ok": True,
        "exit_code": 0,
        "dry_run": True,
        "message": None,
        "channels": [{"role": row.role, "channel": row.label} for row in channels],
    }
    lines = [f"would send a test to {row.role} {row.label}" for row in channels]
    deps.screen.result(document, lines)
    return ExitCode.OK


def _send_all(
    channels: Sequence[Channel], notice: Notice, *, deps: Deps, send: Send
) -> list[_Result]:
    def send_to(channel: Channel) -> _Result:
        began = deps.monotonic()
        problem = send(channel.url, notice)
        return _Result(channel, problem, deps.monotonic() - began)

    with ThreadPoolExecutor(min(_AT_ONCE, len(channels))) as pool:
        return list(pool.map(send_to, channels))
