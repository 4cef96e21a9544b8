"""One call of Compose: its command line for an environment's files, and its answer."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from dartsctl import spawn
from dartsctl.edges.engine.kept_models import Answered

if TYPE_CHECKING:
    from dartsctl.config.environment import Environment
    from dartsctl.edges.engine.remembered_calls import RememberedCalls, Remembering

_BY_PROJECT = frozenset({"down", "restart", "logs"})
"""What Compose does by the labels of a project's containers, without any file."""


@dataclass(frozen=True, slots=True)
class ComposeCall:
    """How Compose is called for `environment`: its program, and the seconds it has to answer.

    `memory`: answers that count until the files change.
    """

    command: Sequence[str]
    environment: Environment
    deadline: float
    memory: RememberedCalls | None = None

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
        memory.keep(argv, self.environment, done, stamp)
        return done

    def start(self, argv: Sequence[str]) -> spawn.Running | Answered | Remembering:
        """Start a call; without a process where its answer is known."""
        if self.memory is None:
            return spawn.start(argv, environment=plain_environ())
        if known := self.memory.take(argv, self.environment):
            return Answered(known)
        running = spawn.start(argv, environment=plain_environ())
        return self.memory.remembering(running, argv, self.environment)


def plain_environ() -> dict[str, str]:
    """Return our environment for a Compose call whose output is read: no colours, no menu."""
    return {**os.environ, "COMPOSE_ANSI": "never", "COMPOSE_MENU": "0"}
