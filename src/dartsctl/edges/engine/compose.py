"""Compose: each method is one call of the plugin's own binary.

`docker compose` would start that binary twice.
"""

from __future__ import annotations

import os
from contextlib import suppress
from functools import partial
from pathlib import Path

from dartsctl import spawn
from dartsctl.edges.engine.compose_call import ComposeCall, Resolving
from dartsctl.edges.engine.compose_refusals import Refusals
from dartsctl.edges.engine.early_config import plain_environ
from dartsctl.edges.engine.file_questions import FileQuestions
from dartsctl.edges.engine.installation import VERSION_DEADLINE, NothingKnown, find_compose
from dartsctl.edges.engine.kept_models import Answered, KeptModels
from dartsctl.edges.engine.known_answers import NothingAnswered
from dartsctl.errors import DartsctlError
from dartsctl.records import record
from dartsctl.stack.compose_errors import unset_variables, without_env_text
from dartsctl.stack.compose_model import MODEL, read_stack
from dartsctl.stack.long_ports import wrong_port
from dartsctl.stack.model import ComposeVariable
from dartsctl.system import bounded_file
from dartsctl.text.masker import Masker
from dartsctl.text.strict_json import Cursor, Source, parse_json, read_json

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
    from typing import Any

    from dartsctl.config.env_value import EnvValue
    from dartsctl.config.environment import Environment
    from dartsctl.edges.engine.installation import KnownVersions
    from dartsctl.edges.engine.known_answers import KnownAnswers
    from dartsctl.edges.engine.remembered_calls import RememberedCalls, Remembering

CONFIG_DEADLINE = 60.0
"""Seconds for resolving the files."""
_SECRET_LIMIT = 1 << 16
"""Bytes that are read of a secret's file."""


@record
class Resolved:
    """Compose's resolved JSON model, and the unset variables that it replaced by nothing."""

    model: Mapping[str, Any]
    unset_variables: tuple[str, ...]


class Compose:
    """Compose for one environment's files. Raises DockerUnavailable if there is no usable Compose.

    `masker` learns the secrets of every resolved model. `known` saves a call for the version.
    `deadline`: seconds for resolving the files. `variables`: what the env files set, with the place
    of each; asked only for an error about the files. `kept`: models that were resolved before.
    `answers`: what was asked about these files in earlier runs. `memory`: what was asked in this
    one, until the files change. `note_early`: keeps what early_config reads in the next run.
    """

    def __init__(
        self,
        environment: Environment,
        *,
        masker: Masker | None = None,
        known: KnownVersions | None = None,
        deadline: float = CONFIG_DEADLINE,
        variables: Callable[[], Mapping[str, EnvValue]] = dict,
        kept: KeptModels | None = None,
        answers: KnownAnswers | None = None,
        memory: RememberedCalls | None = None,
        note_early: Callable[[bytes], None] | None = None,
    ) -> None:
        self._kept = kept or KeptModels()
        self._masker = masker or Masker()
        command = find_compose(
            os.environ, known or NothingKnown(), deadline=min(deadline, VERSION_DEADLINE)
        ).command
        self._call = ComposeCall(command, environment, deadline, memory, note_early)
        self._refusals = Refusals(self._call, variables, self._learn)
        self._hashing: spawn.Running | Answered | Remembering | None = None
        self._questions = FileQuestions(
            self._call, self._kept, answers or NothingAnswered(), self.required_variables
        )

    def argv(self, *words: str) -> list[str]:
        """Return the command line of a Compose call. Raises the error about the files."""
        return self._call.argv(*words)

    def is_complete(self) -> bool:
        """Return whether the files need no other one beside them: see FileQuestions."""
        return self._questions.is_complete()

    def has_own_profile(self) -> bool:
        """Return whether a service has the environment's first profile: see FileQuestions."""
        return self._questions.has_profile()

    def start_config(
        self,
        services: Sequence[str] = (),
        *,
        whole: bool = True,
        placeholders: Mapping[str, str] | None = None,
    ) -> spawn.Running | Resolving | Answered | Remembering:
        """Start resolving the model. `finish_config` returns the result.

        `whole`: False for a part of the files, which need not be consistent without the others.
        `placeholders`: values for variables that nothing sets, so that a model can be had.
        """
        flags = () if whole else ("--no-consistency",)
        argv = self.argv("config", "--format", "json", *flags, *services)
        if placeholders:
            return spawn.start(argv, environment=plain_environ() | dict(placeholders))
        return self._kept.take(argv) or self._call.start(argv)

    def finish_config(
        self, running: spawn.Running | Resolving | Answered | Remembering
    ) -> Resolved:
        """Return the resolved model. Raises DartsctlError with Compose's own message and a hint."""
        self._masker.read_sources()  # while Compose is at work
        done = running.result(deadline=self._call.deadline)
        if done.code != 0:
            raise self._refusals.error_of(done)
        model = parse_json(done.stdout, MODEL)
        if not isinstance(model, dict):
            raise MODEL.mistake("the answer is not a mapping")
        self._learn(model)
        if wrong := wrong_port(model):
            raise self._refusals.wrong_port(wrong, done.stderr)
        return Resolved(model, unset_variables(done.stderr))

    def _learn(self, model: Mapping[str, Any]) -> None:
        """Teach the masker the model's secrets: inline values, and the contents of secrets."""
        self._masker.learn_model(model)
        secrets = model.get("secrets")
        if not isinstance(secrets, dict):
            return
        for secret in secrets.values():
            if not isinstance(secret, dict):
                continue
            content = str(secret.get("content") or "")
            variable = str(secret.get("environment"))
            self._masker.learn_values([content, os.environ.get(variable, "")])
            if file := secret.get("file"):
                self._masker.learn_later(partial(self._learn_file, str(file)))

    def spare(self, names: Iterable[str]) -> None:
        """Show these names of projects, services and containers, even if a password equals one."""
        self._masker.spare(names)

    def _learn_file(self, path: str) -> None:
        with suppress(OSError):  # Compose, or the engine, reports what is wrong with the file
            self._masker.learn_values([bounded_file.read_text(Path(path), limit=_SECRET_LIMIT)])

    def config(self, services: Sequence[str] = ()) -> Resolved:
        """Return the resolved model: `start_config` and `finish_config`."""
        return self.finish_config(self.start_config(services))

    def variables(self) -> tuple[ComposeVariable, ...]:
        """Return the variables of the files, set or not, by name.

        Empty with a Compose that cannot list them (before 2.28).
        """
        done = self._call.ask("config", "--variables", "--format", "json")
        variables: list[ComposeVariable] = []
        with suppress(DartsctlError):
            for name, variable in read_json(done.stdout, Source("Compose's variables")).entries():
                default = variable.at("DefaultValue").text()
                variables.append(ComposeVariable(name, default, variable.at("Required").flag()))
        return tuple(sorted(variables, key=lambda variable: variable.name))

    def required_variables(self) -> tuple[str, ...]:
        """Return every variable that the files require, set or not: see `variables`."""
        return tuple(variable.name for variable in self.variables() if variable.is_required)

    def written_environments(self) -> dict[tuple[str, str], str]:
        """Return service and variable -> the text in the Compose files, before it is interpolated.

        The variables of `env_file` are left out. Empty with a Compose that cannot show it.
        """
        texts: dict[tuple[str, str], str] = {}
        with suppress(DartsctlError):
            for service, body in self._written_services():
                for name, text in body.at("environment").entries():
                    if text.value is not None:
                        texts[service, name] = text.text_or_number()
        return texts

    def written_model(self) -> Mapping[str, Any]:
        """Return the merged files of all profiles, before variables are replaced.

        Unlike the resolved model it can be had while an env file or a value is missing.
        """
        words = ("config", "--no-interpolate", "--no-env-resolution", "--format", "json")
        done = self._call.ask("--profile", "*", *words)
        if done.code != 0:
            raise self._refusals.error_of(done)
        model = parse_json(done.stdout, MODEL)
        if not isinstance(model, dict):
            raise MODEL.mistake("the answer is not a mapping")
        return model

    def required_env_files(self) -> dict[str, tuple[Path, ...]]:
        """Return service -> the files of `env_file` without which Compose reads nothing.

        A path may contain variables, as it is written. Empty with a Compose that cannot show it.
        """
        files: dict[str, tuple[Path, ...]] = {}
        with suppress(DartsctlError):
            for service, body in self._written_services():
                entries = [
                    item for item in body.at("env_file").items() if item.at("required").flag()
                ]
                if entries:
                    files[service] = tuple(Path(entry.at("path").text()) for entry in entries)
        return files

    def _written_services(self) -> Iterator[tuple[str, Cursor]]:
        """Yield the services before interpolation. Raises DartsctlError for what is no JSON."""
        done = self._call.ask(
            "config", "--no-interpolate", "--no-env-resolution", "--format", "json"
        )
        if done.code == 0:
            yield from read_json(done.stdout, MODEL).at("services").entries()

    def start_hashes(self) -> None:
        """Start asking for the hashes of all services, while `config` runs: see `hashes`."""
        self._hashing = self._call.start_plainly(self.argv("config", "--hash", "*"))

    def end_hashes(self) -> None:
        """End what `start_hashes` has started, if nobody has asked for it."""
        if self._hashing:
            self._hashing.abandon()

    def hashes(self, services: Sequence[str]) -> dict[str, str]:
        """Return the config hash of each service.

        It equals the label of a container that `up` would keep.
        """
        if started := self._hashing:
            self._hashing = None
            done = started.result(deadline=self._call.deadline)
            known = _hashes_in(done) if done.code == 0 else {}
            if known.keys() >= set(services):
                return {service: known[service] for service in services}
        done = self._call.ask("config", "--hash", ",".join(services))
        if done.code != 0:
            raise self._refusals.error_of(done)
        return _hashes_in(done)

    def all_services(self) -> frozenset[str]:
        """Return every service of the files, those of inactive profiles too.

        `--remove-orphans` does not remove their containers.
        """
        done = self._call.ask("--profile", "*", "config", "--services")
        if done.code != 0:
            raise self._refusals.error_of(done)
        return frozenset(done.stdout.split())

    def profiles(self) -> dict[str, tuple[str, ...]]:
        """Return the profiles of every service, disabled ones too.

        Empty where Compose cannot tell: a disabled service may need a file that is not there.
        """
        done = self._call.ask("--profile", "*", "config", "--format", "json")
        if done.code != 0:
            return {}
        stack = read_stack(parse_json(done.stdout, MODEL))
        return {service.name: service.profiles for service in stack.services.values()}

    def stream(self, *words: str, on_tick: Callable[[], None]) -> spawn.Stream:
        """Start a Compose call with plain progress lines. `on_tick` is called while it runs."""
        argv = self.argv("--progress", "plain", *words)
        return spawn.Stream(argv, environment=plain_environ(), on_tick=on_tick)

    def logs(self, *words: str, color: bool, on_error: Callable[[str], None]) -> spawn.Stream:
        """Start `logs` with `words`, in colour or not. Lines of stderr go to `on_error`."""
        argv = self.argv("--ansi", "always" if color else "never", "logs", *words)
        return spawn.Stream(argv, environment=plain_environ(), on_error=on_error)

    def lines(self, stream: spawn.Stream) -> Iterator[str]:
        """Yield a stream's lines, without the text that Compose quotes of a broken env file."""
        return map(without_env_text, stream.lines())


def _hashes_in(done: spawn.Completed) -> dict[str, str]:
    """Return the rows of `config --hash`: a service and its hash."""
    rows = [line.split() for line in done.stdout.splitlines() if line.strip()]
    if any(len(row) != 2 for row in rows):
        raise Source("Compose's hashes").mistake("expected a service and its hash on each line")
    return dict(rows)
