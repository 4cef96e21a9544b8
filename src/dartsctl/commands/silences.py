"""`watch silence`, `watch silences`, `watch lift`."""

from __future__ import annotations

from contextlib import suppress
from typing import TYPE_CHECKING

from dartsctl.alerts.observations import Silence
from dartsctl.alerts.subjects import ALL, parse_subject, spelled
from dartsctl.edges.state.silence_book import LONGEST, SilenceBook
from dartsctl.edges.state.watch_lock import running_watch
from dartsctl.errors import Advice, DartsctlError, ExitCode, UsageError
from dartsctl.records import record
from dartsctl.stack.containers import of_project
from dartsctl.system.users import acting_user
from dartsctl.text.phrases import did_you_mean, duration, local_time, shell_command
from dartsctl.workflows.watch.json_lines import silence_fields

if TYPE_CHECKING:
    from dartsctl.alerts.problem import Subject
    from dartsctl.config.environment import Environment
    from dartsctl.workflows.deps import Deps

_LONGEST_REASON = 200


@record
class SilenceRequest:
    """What to silence, for how many seconds, and why."""

    environment: Environment
    subject: str
    seconds: float
    reason: str = ""
    dry_run: bool = False


def silence(request: SilenceRequest, *, deps: Deps) -> ExitCode:
    """Silence a subject. Raises UsageError for an unknown one, DartsctlError."""
    if request.seconds > LONGEST:
        raise UsageError(
            f"--for: a silence lasts at most {duration(LONGEST)}",
            hint=Advice("silence it again when that time is over"),
        )
    if len(request.reason) > _LONGEST_REASON:
        raise UsageError(
            f"--reason is longer than {_LONGEST_REASON} characters",
            hint=Advice("shorten it"),
        )
    subject = _subject(request, deps)
    now = deps.now()
    reason = _masked_reason(request, deps)
    new = Silence(subject, now + request.seconds, reason, acting_user())
    if not request.dry_run:
        aside = _book(request.environment, deps).silence(new, now)
        if aside:
            deps.screen.warn(aside)
    verb = "would silence" if request.dry_run else "silenced"
    document = {"ok": True, "exit_code": 0, "dry_run": request.dry_run, **silence_fields(new)}
    deps.screen.result(document, [f"{verb} {spelled(subject)} until {local_time(new.until)}"])
    _say_without_watch(request.environment, deps)
    return ExitCode.OK


def list_silences(environment: Environment, *, deps: Deps) -> ExitCode:
    """List the silences that hold."""
    page = _book(environment, deps).read(deps.now())
    if page.problem:
        deps.screen.warn(page.problem)
    rows = [
        [spelled(row.subject), local_time(row.until), row.by, row.reason] for row in page.silences
    ]
    document = {
        "ok": True,
        "exit_code": 0,
        "project": environment.project,
        "silences": [silence_fields(row) for row in page.silences],
    }
    deps.screen.result(document, [])
    deps.screen.table(("SUBJECT", "UNTIL", "BY", "REASON"), rows)
    if not rows:
        deps.screen.note(f"nothing of {environment.project} is silenced")
    return ExitCode.OK


def lift(environment: Environment, text: str, *, dry_run: bool, deps: Deps) -> ExitCode:
    """End the silence of a subject, or every one. Raises UsageError where nothing is silenced."""
    book, now = _book(environment, deps), deps.now()
    page = book.read(now)
    silences = page.silences
    if text != ALL:
        subject = parse_subject(text)
        silences = tuple(row for row in silences if row.subject == subject and subject)
    if not silences:
        raise _not_silenced(environment, text, [spelled(row.subject) for row in page.silences])
    if not dry_run:
        book.lift(silences, now)
    names = [spelled(row.subject) for row in silences]
    verb = "would lift the silence of" if dry_run else "lifted the silence of"
    document = {"ok": True, "exit_code": 0, "dry_run": dry_run, "lifted": names}
    deps.screen.result(document, [f"{verb} {', '.join(names)}"])
    return ExitCode.OK


def services_of(environment: Environment, *, deps: Deps) -> set[str]:
    """Return the services of the files, with their containers'; empty where nothing is known."""
    services: set[str] = set()
    try:
        if not environment.files_error:
            services |= set(deps.compose_on(environment).all_services())
    except DartsctlError:
        pass
    try:
        containers = of_project(deps.engine().containers(), environment.project)
    except DartsctlError:
        return services
    return services | {container.service for container in containers if container.service}


def _subject(request: SilenceRequest, deps: Deps) -> Subject | None:
    """Return what is to be silenced, None for everything."""
    text = request.subject
    if text == ALL:
        return None
    subject = parse_subject(text)
    if subject is None or len(text) > _LONGEST_REASON:
        text = text[:40]
        raise UsageError(
            f"neither a service nor a port nor another subject: {text!r}",
            hint=Advice("write a service, 5000, 5000/udp, engine, disk, site, certificate or all"),
        )
    if subject.kind != "service":
        return subject
    services = services_of(request.environment, deps=deps)
    if not services:
        deps.screen.warn(f"whether {subject.name} is a service is not known: no files, no engine")
    elif subject.name not in services:
        listed = ", ".join(sorted(services))
        hint = did_you_mean(subject.name, services)
        raise UsageError(
            f"no service of {request.environment.name}: {subject.name!r}",
            hint=hint or Advice(f"its services are {listed}"),
        )
    return subject


def _masked_reason(request: SilenceRequest, deps: Deps) -> str:
    """Return the reason without the secrets of the stack: it is stored, shown and recorded.

    Without its files, or where Compose refuses them, only the secrets of its env files are known.
    """
    environment = request.environment
    if request.reason and not environment.files_error:
        with suppress(DartsctlError):
            deps.compose_on(environment).config()
    return deps.screen.masker.mask(request.reason)


def _not_silenced(environment: Environment, text: str, names: list[str]) -> UsageError:
    hint: str = shell_command("dartsctl", "watch", "silences", "--env", environment.name)
    return UsageError(f"not silenced: {text!r}", hint=did_you_mean(text, names) or hint)


def _say_without_watch(environment: Environment, deps: Deps) -> None:
    if running_watch(deps.state, environment.project or "") is None:
        deps.screen.note("no watch runs now; the silence holds for one that starts meanwhile")


def _book(environment: Environment, deps: Deps) -> SilenceBook:
    return SilenceBook(deps.state, environment.project or environment.name)
