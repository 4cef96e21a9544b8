"""Compose: one call of the plugin's own binary each, which `docker` would start twice."""

from __future__ import annotations

import os
import re
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

from dartsctl import spawn
from dartsctl.config.environment import Environment
from dartsctl.edges.engine.installation import (
    VERSION_DEADLINE,
    KnownVersions,
    NothingKnown,
    find_compose,
)
from dartsctl.errors import DartsctlError
from dartsctl.stack.compose_errors import config_hint, plain, unset_variables, without_env_text
from dartsctl.stack.model import MODEL
from dartsctl.system import bounded_file
from dartsctl.text.masker import Masker
from dartsctl.text.strict_json import Source, parse_json, read_json

CONFIG_DEADLINE = 60.0
_SECRET_LIMIT = 1 << 16  # bytes of a secret's file


@dataclass(frozen=True, slots=True)
class Resolved:
    """Compose's answer: its JSON model, and the variables that it replaced by nothing."""

    model: Mapping[str, Any]
    unset_variables: tuple[str, ...]


class MissingVariable(DartsctlError):
    """A file requires a variable (`${NAME:?}`) that nothing sets; Compose names one of them, and another one the next time."""

    def __init__(self, name: str, message: str, hint: str) -> None:
        super().__init__(message, hint=hint)
        self.name = name


class Compose:
    """Compose on one environment's files. Raises DockerUnavailable where no usable Compose is here.

    `masker` learns the secrets of every model that is resolved. `known` saves asking for its version.
    `deadline`: seconds that it may take to resolve the files.
    """

    def __init__(
        self,
        environment: Environment,
        *,
        masker: Masker | None = None,
        known: KnownVersions | None = None,
        deadline: float = CONFIG_DEADLINE,
    ) -> None:
        self._command = find_compose(
            os.environ, known or NothingKnown(), deadline=min(deadline, VERSION_DEADLINE)
        ).command
        self._deadline = deadline
        self._environment = environment
        self._masker = masker or Masker()

    def argv(self, *words: str) -> list[str]:
        """The whole command line of a Compose call."""
        environment = self._environment
        argv = list(self._command)
        for file in environment.files:
            argv += ["--file", str(file)]
        for file in environment.env_files:
            argv += ["--env-file", str(file)]
        if environment.project:
            argv += ["--project-name", environment.project]
        for profile in environment.profiles:
            argv += ["--profile", profile]
        return [*argv, *words]

    def start_config(self, services: Sequence[str] = ()) -> spawn.Running:
        """Begin to resolve the model; `finish_config` takes the answer."""
        return spawn.start(
            self.argv("config", "--format", "json", *services), environment=_plain_environ()
        )

    def finish_config(self, running: spawn.Running) -> Resolved:
        """The resolved model. Raises DartsctlError with Compose's own sentence and what to do."""
        done = running.result(deadline=self._deadline)
        if done.code != 0:
            raise self._config_error(done)
        model = parse_json(done.stdout, MODEL)
        if not isinstance(model, dict):
            raise MODEL.mistake("the answer is no mapping")
        self._learn(model)
        return Resolved(model, unset_variables(done.stderr))

    def _learn(self, model: Mapping[str, Any]) -> None:
        """Its secrets become known: inline values, and the contents of secrets."""
        self._masker.learn_model(model)
        secrets = model.get("secrets")
        for secret in secrets.values() if isinstance(secrets, dict) else ():
            if not isinstance(secret, dict):
                continue
            self._masker.learn_values(
                [
                    str(secret.get("content") or ""),
                    os.environ.get(str(secret.get("environment")), ""),
                ]
            )
            if file := secret.get("file"):
                self._masker.learn_later(partial(self._learn_file, str(file)))

    def spare(self, names: Iterable[str]) -> None:
        """Names of projects, services and containers, which are shown even where a password is the same word."""
        self._masker.spare(names)

    def _learn_file(self, path: str) -> None:
        with suppress(OSError):  # Compose, or the engine, says what is wrong with it
            self._masker.learn_values([bounded_file.read_text(Path(path), limit=_SECRET_LIMIT)])

    def config(self, services: Sequence[str] = ()) -> Resolved:
        """`start_config` and `finish_config` in one."""
        return self.finish_config(self.start_config(services))

    def required_variables(self) -> tuple[str, ...]:
        """Every variable that the files require, set or not; nothing from a Compose that cannot say it (before 2.28)."""
        done = self._ask("config", "--variables", "--format", "json")
        try:
            variables = read_json(done.stdout, Source("Compose's variables"))
            return tuple(
                sorted(
                    name for name, variable in variables.entries() if variable.at("Required").flag()
                )
            )
        except DartsctlError:
            return ()

    def hashes(self, services: Sequence[str]) -> dict[str, str]:
        """Compose's config hash of each of `services`: equal to a container's label where `up` would keep it."""
        done = self._ask("config", "--hash", ",".join(services))
        if done.code != 0:
            raise self._config_error(done)
        rows = [line.split() for line in done.stdout.splitlines() if line.strip()]
        if any(len(row) != 2 for row in rows):
            raise Source("Compose's hashes").mistake("expected a service and its hash on each line")
        return dict(rows)

    def all_services(self) -> frozenset[str]:
        """Every service of the files, those of inactive profiles included: `--remove-orphans` spares their containers."""
        done = self._ask("--profile", "*", "config", "--services")
        if done.code != 0:
            raise self._config_error(done)
        return frozenset(done.stdout.split())

    def _ask(self, *words: str) -> spawn.Completed:
        return spawn.run(self.argv(*words), deadline=self._deadline, environment=_plain_environ())

    def stream(self, *words: str, seconds: float) -> spawn.Stream:
        """Start a Compose call whose plain progress lines are read as they come, for `seconds` at most."""
        return spawn.Stream(
            self.argv("--progress", "plain", *words), environment=_plain_environ(), seconds=seconds
        )

    def logs(self, *words: str, color: bool, on_error: Callable[[str], None]) -> spawn.Stream:
        """Start `logs` with `words`, in Compose's colours or without; its own complaints go to `on_error`."""
        ansi = "always" if color else "never"
        return spawn.Stream(
            self.argv("--ansi", ansi, "logs", *words),
            environment=_plain_environ(),
            on_error=on_error,
        )

    def lines(self, stream: spawn.Stream) -> Iterator[str]:
        """A stream's lines, without what Compose quotes of a broken env file."""
        return map(without_env_text, stream.lines())

    def _config_error(self, done: spawn.Completed) -> DartsctlError:
        lines = [
            plain(line)
            for line in done.stderr.splitlines()
            if line.strip() and "level=warning" not in line
        ]
        line = without_env_text(lines[-1]) if lines else f"exit code {done.code}"
        named = ", ".join(str(file) for file in self._environment.files) or "the Compose files"
        where = "" if any(str(file) in line for file in self._environment.files) else f" {named}:"
        if required := re.search(r"required variable (\w+) is missing", line):
            return MissingVariable(
                required[1], f"Compose cannot read{where} {line}", config_hint(line)
            )
        return DartsctlError(
            f"Compose cannot read{where} {line}", hint=self._meant(line) or config_hint(line)
        )

    def _meant(self, line: str) -> str:
        """The service that was probably meant by one that Compose does not know."""
        from dartsctl.text.suggestion import nearest

        name = line.partition("no such service: ")[2]
        if not name:
            return ""
        done = self._ask("config", "--services")
        near = nearest(name, done.stdout.split()) if done.code == 0 else None
        return f"did you mean {near}?" if near else ""


def _plain_environ() -> dict[str, str]:
    """Our environment for a Compose call whose output is read: no colours, no menu."""
    return {**os.environ, "COMPOSE_ANSI": "never", "COMPOSE_MENU": "0"}
