"""One call of Compose: its command line for an environment's files, and its answer."""

from __future__ import annotations

from dartsctl import spawn
from dartsctl.edges.engine import early_config
from dartsctl.edges.engine.early_config import plain_environ
from dartsctl.edges.engine.kept_models import Answered
from dartsctl.records import record

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence
    from pathlib import Path
    from typing import TypeVar

    from dartsctl.config.environment import Environment
    from dartsctl.edges.engine.remembered_calls import RememberedCalls, Remembering

    T = TypeVar("T", bound="spawn.Running | Resolving")

_BY_PROJECT = frozenset({"down", "restart", "logs"})
"""What Compose does by the labels of a project's containers, without any file."""


@record
class ComposeCall:
    """How Compose is called for `environment`: its program, and the seconds it has to answer.

    `memory`: answers that count until the files change. `note_early`: see Resolving.
    """

    command: Sequence[str]
    environment: Environment
    deadline: float
    memory: RememberedCalls | None = None
    note_early: Callable[[bytes], None] | None = None

    def argv(self, *words: str) -> list[str]:
        """Return the command line of a Compose call.

        Raises the error about the environment's files for a call that needs them: without them,
        Compose would take those of the working folder.
        """
        error = self.environment.files_error
        if error and words and _BY_PROJECT.isdisjoint(words):
            raise error
        return self.with_files(self.environment.files, *words)

    def options(self, files: Sequence[Path]) -> list[str]:
        """Return the options that name the files, the project and the profiles."""
        environment = self.environment
        argv: list[str] = []
        for file in files:
            argv += ["--file", str(file)]
        for file in environment.env_files:
            argv += ["--env-file", str(file)]
        if environment.project:
            argv += ["--project-name", environment.project]
        for profile in environment.profiles:
            argv += ["--profile", profile]
        return argv

    def with_files(self, files: Sequence[Path], *words: str) -> list[str]:
        """Return the command line of a call with other files than the environment's."""
        return [*self.command, *self.options(files), *words]

    def ask(self, *words: str) -> spawn.Completed:
        """Return Compose's answer about the environment's files."""
        return self.run(self.argv(*words))

    def run(
        self, argv: Sequence[str], variables: Mapping[str, str] | None = None
    ) -> spawn.Completed:
        """Return the answer to a command line; `variables` are set besides ours."""
        environment = plain_environ() | dict(variables or {})
        memory = self.memory
        if memory is None or variables:
            return spawn.run(argv, deadline=self.deadline, environment=environment)
        if known := memory.take(argv, self.environment):
            return known
        stamp = memory.stamp(self.environment)
        done = spawn.run(argv, deadline=self.deadline, environment=environment)
        memory.keep(argv, done, stamp)
        return done

    def start(self, argv: Sequence[str]) -> Resolving | Answered | Remembering:
        """Start a `config` call; without a process where its answer is known."""
        return self._begin(argv, lambda: Resolving(argv, self.note_early))

    def start_plainly(self, argv: Sequence[str]) -> spawn.Running | Answered | Remembering:
        """Start a call about the files that does not show their variables."""
        return self._begin(argv, lambda: spawn.start(argv, environment=plain_environ()))

    def _begin(self, argv: Sequence[str], start: Callable[[], T]) -> T | Answered | Remembering:
        if self.memory is None:
            return start()
        if known := self.memory.take(argv, self.environment):
            return Answered(known)
        return self.memory.remembering(start(), argv, self.environment)


class Resolving:
    """A `config` call that runs, perhaps since before it was known that it is needed.

    `note_early` gets what early_config should read in the next run.
    """

    def __init__(self, argv: Sequence[str], note_early: Callable[[bytes], None] | None) -> None:
        self.argv = tuple(argv)
        self._note_early = note_early
        environ = early_config.config_environ(self.argv)
        if child := early_config.take(self.argv, environ):
            self._running = spawn.Running(self.argv, child)
        else:
            self._running = spawn.start(self.argv, environment=environ)

    def result(self, *, deadline: float) -> spawn.Completed:
        """Return the output, as `spawn.Running` does."""
        done = self._running.result(deadline=deadline)
        if early_config.RARELY in done.stdout or early_config.RARELY in done.stderr:
            # an included file uses the variable of Go's garbage collector
            done = spawn.run(self.argv, deadline=deadline, environment=plain_environ())
        if done.code == 0 and self._note_early:
            text = early_config.new_text(self.argv)
            if text is not None:
                self._note_early(text)
        return done

    def abandon(self) -> None:
        """End the process."""
        self._running.abandon()
