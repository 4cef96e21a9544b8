"""How a container ended, in words: what the engine's events say, and nothing that they do not."""

from __future__ import annotations

import signal

from dartsctl.alerts.problem import Problem, Subject
from dartsctl.records import record
from dartsctl.text.phrases import exact_duration

APP_EXITED = "app-exited"
OUT_OF_MEMORY = "out-of-memory"
"""As doctor names these causes."""
_HIGHEST_SIGNAL = 64


@record
class Exit:
    """The end of a container. Times by the engine's clock."""

    service: str
    container: str
    id: str
    code: int | None = None
    """None: unknown, because it runs again."""
    oom: bool = False
    """Whether the kernel has killed a process of it for memory, right before."""
    restart_policy: str = ""
    when: float | None = None
    ran: float | None = None
    """Seconds from its start to its end."""
    is_listed: bool = False
    """Whether only a list shows it: no event says whether somebody has asked for it."""
    planned: bool = False
    """Whether somebody has asked the engine for it."""
    with_engine: bool = False
    """Whether it has not survived a restart of the engine."""


def exit_problem(exit_: Exit, *, command: str) -> Problem:
    """Return an end as a problem. Of a planned one only the words count."""
    cause = APP_EXITED
    if exit_.oom and exit_.code in (137, None):
        cause = OUT_OF_MEMORY
    data: dict[str, object] = {"container": exit_.container, "container_id": exit_.id[:12]}
    if exit_.code is not None:
        data["exit_code"] = exit_.code
    if name := signal_name(exit_.code):
        data["signal"] = name
    data["out_of_memory"] = exit_.oom
    if exit_.restart_policy:
        data["restart_policy"] = exit_.restart_policy
    return Problem(
        Subject("service", exit_.service),
        cause,
        _sentence(exit_),
        command,
        evidence=tuple(_evidence(exit_)),
        since=exit_.when,
        data=data,
    )


def signal_name(code: int | None) -> str:
    """Return `SIGKILL` for exit code 137: by convention 128 and the signal. Empty for others."""
    if code is None or not 128 < code <= 128 + _HIGHEST_SIGNAL:
        return ""
    try:
        return signal.Signals(code - 128).name
    except ValueError:
        return f"signal {code - 128}"


def _sentence(exit_: Exit) -> str:
    text = f"{exit_.service} ended{_code_words(exit_.code)}"
    if exit_.planned:
        text = f"{exit_.service} was stopped or removed through the engine"
    elif exit_.with_engine:
        text = f"{exit_.service} ended while the engine was restarted, and was not started again"
    elif exit_.oom:
        text += ": the kernel killed a process of it for memory"
    elif exit_.is_listed and exit_.code is None:
        text += " and was started again while the engine's events could not be read"
    elif exit_.is_listed:
        text += " while the engine's events could not be read"
    elif signal_name(exit_.code):
        text += ", and nobody stopped it through the engine"
    else:
        text = f"{exit_.service} ended by itself{_code_words(exit_.code)}"
    return text


def _code_words(code: int | None) -> str:
    if code is None:
        return ""
    if name := signal_name(code):
        return f" with exit code {code} ({name})"
    return f" with exit code {code}"


def _evidence(exit_: Exit) -> list[str]:
    lines: list[str] = []
    if exit_.code is None:
        lines.append(f"{exit_.container}: exit code unknown")
    else:
        lines.append(f"{exit_.container}:{_code_words(exit_.code).removeprefix(' with')}")
    if exit_.oom:
        lines.append("the kernel killed a process of it for memory: `oom` event")
    if exit_.is_listed and not exit_.with_engine:
        lines.append("whether somebody stopped it is unknown")
    if exit_.ran is not None:
        lines.append(f"it ran for {exact_duration(exit_.ran)}")
    if exit_.restart_policy not in ("", "no"):
        lines.append(f"its restart policy: {exit_.restart_policy}")
    return lines
