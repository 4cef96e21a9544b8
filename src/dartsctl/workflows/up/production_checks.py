"""The step that judges what production would run with: env files, required variables, inline secrets, certificates (DESIGN 5). Changes nothing.

A refusal of this kind is exit code 4 and stands above a port conflict (3), which is told with it: freeing the ports would not make the stack start,
so nobody is asked to stop anything for it. Env files are read while Compose resolves the model, so that a preflight takes no longer for it.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from dartsctl.config import certificates, secrets
from dartsctl.config.environment import Environment
from dartsctl.config.secrets import Objection, Variable
from dartsctl.edges.project import certificate_files, env_files
from dartsctl.errors import Refused, UsageError
from dartsctl.stack.engine_rules import EngineRules
from dartsctl.stack.model import Stack


@dataclass(frozen=True, slots=True)
class ProductionEnvFiles:
    """What the env files say, and what is wrong with them. `variables` have the values that count: the process's own environment overrides."""

    variables: tuple[Variable, ...]
    objections: tuple[Objection, ...]
    environ: Mapping[str, str] = field(repr=False)
    examples: Mapping[str, str] = field(repr=False)
    """What the example files beside them show."""

    def lacks(self, name: str) -> bool:
        """Whether neither a file nor the environment gives `name` a value."""
        return not self.environ.get(name) and not any(
            one.name == name and one.value for one in self.variables
        )


def read_env_files(environment: Environment, environ: Mapping[str, str]) -> ProductionEnvFiles:
    """Read and judge the env files. A broken one becomes an objection: Compose's parser may take what ours does not."""
    examples = env_files.shown_values(environment.env_files, (environment.directory,))
    variables: tuple[Variable, ...] = ()
    found: list[Objection] = []
    regular = []
    for path in environment.env_files:
        mode = env_files.mode(path)
        if mode is not None:
            found += secrets.judge_mode(str(path), mode)
            regular.append(path)
    try:
        values = env_files.read(regular, environ=environ)
        variables = tuple(
            Variable(name, environ[name], "the environment")
            if name in environ
            else Variable(name, one.value, one.origin)
            for name, one in values.items()
        )
    except UsageError as error:
        found.append(secrets.unread(str(regular[-1]), error.message))
    objections = (*secrets.judge(variables, examples), *found)
    return ProductionEnvFiles(variables, objections, environ, examples)


def objections_to(
    files: ProductionEnvFiles, stack: Stack, engine: EngineRules, *, now: float
) -> tuple[Objection, ...]:
    """Everything that is wrong with this production stack at `now`, the env files' part first."""
    settled = secrets.secrets_among({one.name: one.value for one in files.variables})
    inline = secrets.judge_model(stack, settled, files.examples, files.environ)
    return (*files.objections, *inline, *_certificates(stack, engine, now))


def _certificates(stack: Stack, engine: EngineRules, now: float) -> tuple[Objection, ...]:
    doors = certificates.https_mounts(stack)
    if engine.kind == "remote":
        where = engine.endpoint
        return tuple(
            Objection(
                "unchecked",
                name,
                where,
                f"{name}: its certificate is on the engine's host, {where}, and was not checked",
            )
            for name in doors
        )
    objections: list[Objection] = []
    for name, mounts in doors.items():
        scan = certificate_files.look(mounts)
        objections += certificates.judge(name, mounts, scan, stack=stack, now=now)
    return tuple(objections)


def unsafe_error(objections: Sequence[Objection], others: Sequence[str] = ()) -> Refused:
    """The error that names all of `objections`, and `others`: lines about what else is in the way."""
    count = len(objections)
    advice = next((one.advice for one in objections if one.advice), "")
    return Refused(
        f"production would not be safe: {count} thing{'' if count == 1 else 's'} to put right; nothing was changed",
        details=(*(one.sentence for one in objections), *others),
        hint=advice or 'correct what is named above (a try-out: [prod] unsafe = "warn")',
    )
