"""What the sources of `watch` observe: the input of `step.step`."""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal

from dartsctl.records import record

if TYPE_CHECKING:
    from dartsctl.alerts.problem import Kind, Problem, Subject


@record
class Looked:
    """A look at everything of the kinds in `covers`: what is wrong there now, and nothing else."""

    problems: tuple[Problem, ...]
    covers: frozenset[Kind]


@record
class Exited:
    """A container ended. `planned`: somebody asked the engine to end it, by an event before."""

    service: str
    container: str
    problem: Problem
    """What the events say. A look that follows may know more."""
    planned: bool = False
    comes_back: bool = False
    """Its restart policy will start it again: it may end again at once (a crash loop)."""


@record
class Started:
    """A container of a service was started."""

    service: str
    container: str


@record
class WorkBegan:
    """A dartsctl verb changes the stack: what happens to `services` is planned until it ends."""

    verb: str
    """`up`, `down`, `restart`, `doctor --fix`."""
    services: frozenset[str] = frozenset()
    """Empty: all."""


@record
class WorkEnded:
    """The verb has ended, or was killed. Sources say so at their start too, if nothing goes on."""

    verb: str
    succeeded: bool = True


@record
class Silenced:
    """All silences that hold now: those before are replaced."""

    silences: tuple[Silence, ...]


@record
class Silence:
    """No message about a subject until a time."""

    subject: Subject | None
    """None: everything. Without a name: all of its kind."""
    until: float
    """Unix time."""
    reason: str = ""
    by: str = ""


@record
class Acknowledged:
    """A person knows of an episode: no reminders, no second channel."""

    episode: str


@record
class ClockJumped:
    """The wall clock was set: all times of the state move by these seconds."""

    seconds: float


@record
class Tick:
    """Time has passed, and nothing else has happened."""


Observation = (
    Looked | Exited | Started | WorkBegan | WorkEnded | Silenced | Acknowledged | ClockJumped | Tick
)
Occasion = Literal["opened", "updated", "recovered", "reminder", "summary", "test"]
"""Why a message is sent. `summary`: instead of many messages at once."""
