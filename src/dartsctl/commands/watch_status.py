"""`watch status`: what the running watch knows, from its files."""

from __future__ import annotations

from typing import TYPE_CHECKING

from dartsctl.alerts.subjects import spelled
from dartsctl.edges.state.project_work import project_work
from dartsctl.edges.state.silence_book import SilenceBook
from dartsctl.edges.state.watch_lock import running_watch
from dartsctl.edges.state.watch_state import WatchState
from dartsctl.errors import ExitCode
from dartsctl.text.phrases import exact_duration, local_time, shell_command
from dartsctl.workflows.watch.event_text import command_label
from dartsctl.workflows.watch.json_lines import episode_fields, silence_fields

if TYPE_CHECKING:
    from dartsctl.alerts.observations import Silence
    from dartsctl.alerts.state import Episode
    from dartsctl.config.environment import Environment
    from dartsctl.edges.state.watch_lock import Watching
    from dartsctl.workflows.deps import Deps


def status(environment: Environment, *, deps: Deps) -> ExitCode:
    """Show it. Asks neither the engine nor Compose, and changes nothing."""
    project, now = environment.project or environment.name, deps.now()
    watching = running_watch(deps.state, project)
    saved = WatchState(deps.state, project).peek()
    page = SilenceBook(deps.state, project).read(now)
    for problem in (saved.note, page.problem):
        if problem:
            deps.screen.warn(problem)
    episodes = [row for row in saved.state.episodes.values() if row.opened is not None]
    work = project_work(deps.state, project)
    verb = work.verb if work and work.goes_on else ""
    document = {
        "ok": True,
        "exit_code": 0,
        "environment": environment.name,
        "project": project,
        "watch": _watch_document(watching),
        "as_of": _time_or_none(saved.state.now),
        "work": verb,
        "episodes": [episode_fields(row) for row in episodes],
        "silences": [silence_fields(row) for row in page.silences],
        "waiting_messages": len(saved.outbox.waiting),
    }
    lines = [_first_line(watching, environment, project)]
    if verb:
        lines.append(f"{project} is being changed by `{verb}`")
    lines += _episode_lines(episodes, now)
    lines += [_silence_line(row) for row in page.silences]
    if saved.outbox.waiting:
        lines.append(f"messages that wait for their channel: {len(saved.outbox.waiting)}")
    deps.screen.result(document, lines)
    if watching is None:
        deps.screen.note(f"next: {shell_command('dartsctl', 'watch', environment.name)}")
    return ExitCode.OK


def _first_line(watching: Watching | None, environment: Environment, project: str) -> str:
    name = environment.name
    if project != name:
        name = f"{name} (project {project})"
    if watching is None:
        return f"no watch of {name} runs"
    return f"a watch of {name} runs: {watching.words}"


def _episode_lines(episodes: list[Episode], now: float) -> list[str]:
    if not episodes:
        return ["no open episode"]
    lines: list[str] = []
    for episode in episodes:
        remark = ""
        if episode.acknowledged:
            remark = ", acknowledged"
        if episode.phase == "closing":
            remark += ", nothing wrong now"
        age = exact_duration(now - episode.began)
        lines.append(f"{spelled(episode.subject)}: {episode.problem.sentence} (for {age}{remark})")
        if episode.problem.command:
            command = episode.problem.command
            lines.append(f"  {command_label(command)}: {command}")
    return lines


def _silence_line(silence: Silence) -> str:
    line = f"silenced: {spelled(silence.subject)} until {local_time(silence.until)}"
    if silence.by:
        line += f" by {silence.by}"
    if silence.reason:
        line += f": {silence.reason}"
    return line


def _watch_document(watching: Watching | None) -> dict[str, object] | None:
    if watching is None:
        return None
    return {"pid": watching.pid, "since": _time_or_none(watching.since)}


def _time_or_none(moment: float | None) -> str | None:
    if not moment:
        return None
    return local_time(moment)
