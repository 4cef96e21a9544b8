"""What `watch` knows, as the page of the dashboard: what is wrong comes first."""

from __future__ import annotations

import math
import time
from typing import TYPE_CHECKING

from dartsctl.edges.screen.page import Cell, Column, Glyphs, Line, Page, Row, Section
from dartsctl.text.phrases import duration, without_age
from dartsctl.workflows.watch.event_text import command_label, plural, subject_name

if TYPE_CHECKING:
    from collections.abc import Sequence

    from dartsctl.alerts.state import Episode
    from dartsctl.edges.screen.stream import Event
    from dartsctl.workflows.watch.view import PortView, ServiceView, View

CHECKS_SHOWN = 20
"""Characters of a sparkline, one for each of the latest checks."""
_LOWEST_BAR = 0.003
"""Seconds. The highest of eight bars is 10 s: the same scale for all services, by half decades."""
_STYLES = {"ok": "ok", "bad": "bad", "unknown": "warn", "dim": "dim", "": ""}
"""Marks of events -> styles of cells."""
_MARK = Column(gap=1)
_EPISODES = (_MARK, Column(least=16), Column(), Column(rank=1))
_SERVICES = (
    _MARK,
    Column("SERVICE", least=12),
    Column("STATE", least=7),
    Column("FOR", rank=1),
    Column("RESTARTS", rank=3),
    Column("CHECKS", rank=4, least=8, keeps_end=True),
    Column("LATEST", rank=2),
)
_PORTS = (_MARK, Column("PORT"), Column("SERVICE", rank=1, least=8), Column("HOLDER", least=10))
_EVENTS = (Column(least=5, gap=1), Column(gap=1), Column(least=10))


def page_of(view: View, events: Sequence[Event], glyphs: Glyphs) -> Page:
    """Return the page for a view and the latest events, the last one last."""
    sections = (
        Section("alerts", _EPISODES, _episodes(view, glyphs), title="ALERTS"),
        Section("services", _SERVICES, _services(view, glyphs)),
        Section("ports", _PORTS, tuple(_port(port, glyphs) for port in view.ports)),
        Section("notes", (Column(),), _notes(view), title="NOTES"),
        Section("events", _EVENTS, _events(events), title="EVENTS", is_tail=True),
    )
    clock = time.strftime("%H:%M:%S", time.localtime(view.now))
    return Page(_left(view, glyphs), clock, sections, footer="Ctrl-C ends the watch")


def sparkline(latencies: Sequence[float | None], glyphs: Glyphs) -> str:
    """Return a character for each check: the longer it took, the higher the bar."""
    highest = len(glyphs.bars) - 1
    text = ""
    for seconds in latencies[-CHECKS_SHOWN:]:
        if seconds is None:
            text += glyphs.failed
            continue
        level = round(2 * math.log10(max(seconds, _LOWEST_BAR) / _LOWEST_BAR))
        text += glyphs.bars[min(level, highest)]
    return text


def latency(seconds: float | None) -> str:
    """Return the latency of a check: `12 ms`, `1.4 s`, `failed`."""
    if seconds is None:
        return "failed"
    if seconds < 0.9995:
        return f"{max(1, round(seconds * 1000))} ms"
    return f"{seconds:.1f} s"


def _left(view: View, glyphs: Glyphs) -> Line:
    line = [Cell(view.environment, "strong")]
    if view.project and view.project != view.environment:
        line.append(Cell(f" ({view.project})", "strong", rank=1))
    line += [Cell(f" {glyphs.separator} ", "dim"), _summary(view)]
    if view.engine:
        line.append(Cell(f" {glyphs.separator} engine {view.engine}", "dim", rank=2))
    return tuple(line)


def _summary(view: View) -> Cell:
    counts = {"critical": 0, "warning": 0}
    for episode in view.episodes:
        if episode.phase != "pending":
            counts[episode.problem.severity] += 1
    texts = []
    for count, noun in zip(counts.values(), ("alert", "warning"), strict=True):
        if count:
            texts.append(plural(count, noun))
    text = f" {', '.join(texts)} "
    if counts["critical"]:
        return Cell(text, "alarm")
    if texts:
        return Cell(text, "caution")
    if view.episodes:
        return Cell(" not confirmed yet ", "caution")
    if not view.engine:
        return Cell("nothing is known yet", "dim")
    return Cell(" no alerts ", "calm")


def _episodes(view: View, glyphs: Glyphs) -> tuple[Row, ...]:
    return tuple(_episode(episode, view.now, glyphs) for episode in view.episodes)


def _episode(episode: Episode, now: float, glyphs: Glyphs) -> Row:
    problem = episode.problem
    mark = Cell(glyphs.bad, "bad")
    if problem.severity == "warning":
        mark = Cell(glyphs.warn, "warn")
    state = duration(now - episode.began)
    if episode.phase == "pending":
        mark, state = Cell(glyphs.warn, "warn"), "not confirmed yet"
    if episode.phase == "closing":
        mark, state = Cell(glyphs.ok, "ok"), "recovering"
    if episode.count > 1:
        state += f", {episode.count} times"
    if episode.acknowledged:
        state += ", acknowledged"
    details = [Cell(without_age(problem.sentence))]
    if problem.affected:
        names = ", ".join(map(subject_name, problem.affected))
        details.append(Cell(f"affects {names}", "dim"))
    if problem.command:
        details.append(Cell(f"{command_label(problem.command)}: {problem.command}", "strong"))
    name = Cell(subject_name(problem.subject), "strong")
    cells = (mark, name, Cell(state), Cell(problem.cause, "dim"))
    return Row(cells, tuple(details), weight=1)


def _services(view: View, glyphs: Glyphs) -> tuple[Row, ...]:
    return tuple(_service(service, view.now, glyphs) for service in view.services)


def _service(service: ServiceView, now: float, glyphs: Glyphs) -> Row:
    style, mark, weight = _condition(service, glyphs)
    since = ""
    if service.since is not None:
        since = duration(now - service.since)
    latest = Cell()
    if service.latencies:
        latest = Cell(latency(service.latencies[-1]), "dim")
        if service.latencies[-1] is None:
            latest = Cell("failed", "bad")
    restarts = Cell(str(service.restarts), "dim")
    if service.restarts:
        restarts = Cell(str(service.restarts), "warn")
    cells = (
        Cell(mark, style),
        Cell(service.name),
        Cell(_state(service), style),
        Cell(since),
        restarts,
        Cell(sparkline(service.latencies, glyphs), latest.style),
        latest,
    )
    return Row(cells, weight=weight)


def _state(service: ServiceView) -> str:
    """Return the health of a container that runs, else its state."""
    if service.state.startswith("running") and service.health not in ("", "none"):
        return service.health
    return service.state or "no container"


def _condition(service: ServiceView, glyphs: Glyphs) -> tuple[str, str, int]:
    """Return style, mark and weight of a service by its state and health."""
    if service.state.startswith("running"):
        if service.health == "unhealthy":
            return "bad", glyphs.bad, 3
        if service.health == "starting":
            return "warn", glyphs.warn, 2
        return "ok", glyphs.ok, 0
    if service.state in ("", "created"):
        return "dim", glyphs.none, 1
    if service.state == "exited (0)":
        return "dim", glyphs.none, 0
    return "bad", glyphs.bad, 3


def _port(port: PortView, glyphs: Glyphs) -> Row:
    style, mark, holder = "ok", glyphs.ok, port.holder
    if port.is_stranger:
        style, mark = "bad", glyphs.bad
    elif not port.holder:
        style, mark, holder = "dim", glyphs.none, "nobody"
    number = str(port.port)
    if port.protocol != "tcp":
        number += f"/{port.protocol}"
    cells = (Cell(mark, style), Cell(number), Cell(port.service), Cell(holder, style))
    return Row(cells, weight=int(port.is_stranger))


def _notes(view: View) -> tuple[Row, ...]:
    notes = []
    if view.work:
        notes.append(f"dartsctl works on the stack: {view.work}")
    for service, count in view.upstream_errors.items():
        if count:
            notes.append(f"{service}: {plural(count, 'upstream error')} since the watch began")
    return tuple(Row(details=(Cell(text),)) for text in (*notes, *view.notes))


def _events(events: Sequence[Event]) -> tuple[Row, ...]:
    rows = []
    for number, event in enumerate(events):
        cells = (Cell(event.clock, "dim"), Cell(event.label, _STYLES[event.mark]), Cell(event.text))
        rows.append(Row(cells, weight=number - len(events)))
    return tuple(rows)
