"""Judge what production would run with: env files, required variables, secrets, certificates.

It changes nothing. What is unsafe ends with exit code 4 and goes before a port conflict (3): free
ports would not make the stack start, so no one is asked to stop anything for it.
"""

from __future__ import annotations

from dartsctl.config import certificates, secrets
from dartsctl.config.secrets import Objection, Variable
from dartsctl.edges.project import certificate_files, env_files
from dartsctl.errors import Advice, Refused, UsageError
from dartsctl.records import field, record

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence
    from pathlib import Path

    from dartsctl.config.env_value import EnvValue
    from dartsctl.config.environment import Environment
    from dartsctl.stack.engine_rules import EngineRules
    from dartsctl.stack.model import Stack

_UNSAFE_HINT = Advice(
    'correct these problems, or set unsafe = "warn" in [prod] to start all the same'
)


@record
class ProductionEnvFiles:
    """The env files' variables, and what is wrong with them.

    `variables` have the values that count: the process's own environment overrides a file.
    """

    variables: tuple[Variable, ...]
    objections: tuple[Objection, ...]
    environ: Mapping[str, str] = field(repr=False)
    examples: Mapping[str, str] = field(repr=False)
    """The values in the example files beside them."""

    def is_unset(self, name: str) -> bool:
        """Return whether neither a file nor the environment gives `name` a value."""
        if self.environ.get(name):
            return False
        return not any(variable.name == name and variable.value for variable in self.variables)


def read_env_files(environment: Environment, environ: Mapping[str, str]) -> ProductionEnvFiles:
    """Read and judge the env files.

    A file that cannot be read is an objection, not an error: Compose's parser may accept it.
    """
    examples = env_files.shown_values(environment.env_files, (environment.directory,))
    objections: list[Objection] = []
    regular = []
    for path in environment.env_files:
        mode = env_files.mode(path)
        if mode is not None:
            objections += secrets.judge_mode(str(path), mode)
            regular.append(path)
    readable, unread = _sorted_by_reading(regular, environ)
    objections += unread
    values = env_files.read(readable, environ=environ)
    variables = tuple(_variable(name, value, environ) for name, value in values.items())
    judged = secrets.judge(variables, examples)
    return ProductionEnvFiles(variables, (*judged, *objections), environ, examples)


def _sorted_by_reading(
    paths: Sequence[Path], environ: Mapping[str, str]
) -> tuple[list[Path], list[Objection]]:
    """Return the files that can be read, and objections to the others."""
    readable: list[Path] = []
    objections: list[Objection] = []
    for path in paths:
        try:
            env_files.read((path,), environ=environ)
        except UsageError as error:
            objections.append(secrets.unread(str(path), error.message))
        else:
            readable.append(path)
    return readable, objections


def _variable(name: str, value: EnvValue, environ: Mapping[str, str]) -> Variable:
    if name in environ:
        return Variable(name, environ[name], "the environment")
    return Variable(name, value.value, value.origin, value.uses)


def objections_to(
    files: ProductionEnvFiles,
    stack: Stack,
    engine: EngineRules,
    *,
    written: Callable[[], Mapping[tuple[str, str], str]],
    now: float,
) -> tuple[Objection, ...]:
    """Return everything that is wrong with this production stack at `now`, env files first.

    `written` returns what the Compose files themselves say about the containers' variables.
    """
    judged = {variable.name: variable.value for variable in files.variables}
    known = secrets.secrets_among(judged)
    inline = secrets.judge_model(stack, known, files.examples, files.environ, written)
    return (*files.objections, *inline, *_certificates(stack, engine, now))


def _certificates(stack: Stack, engine: EngineRules, now: float) -> list[Objection]:
    objections: list[Objection] = []
    for name, mounts in certificates.https_mounts(stack).items():
        if engine.kind == "remote":
            where = engine.endpoint
            sentence = f"{name}: its certificate is on the engine's host, {where}; not checked"
            objections.append(Objection("unchecked", name, where, sentence))
        else:
            scan = certificate_files.look(mounts)
            objections += certificates.judge(name, mounts, scan, stack=stack, now=now)
    return objections


def unsafe_error(objections: Sequence[Objection], others: Sequence[str] = ()) -> Refused:
    """Return the error that names all `objections`, and `others`: lines about conflicts."""
    count = len(objections)
    advice = [objection.advice for objection in objections if objection.advice]
    hint = advice[0] if advice else _UNSAFE_HINT
    problems = "1 problem" if count == 1 else f"{count} problems"
    lines: list[str] = []
    for objection in objections:
        line = objection.sentence
        if objection.advice and objection.advice != hint:
            line += f": `{objection.advice}`"
        lines.append(line)
    return Refused(
        f"production is unsafe: {problems}; nothing was changed",
        details=(*lines, *others),
        hint=hint,
    )
