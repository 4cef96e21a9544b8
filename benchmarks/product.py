"""dartsctl as it is installed in one virtual environment: how it is started and timed."""

from __future__ import annotations

import contextlib
import os
import subprocess
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from install import python_of
from measure import Clock, Failed, Skipped, Timed, command, cpu, wall

_INSIDE = str(Path(__file__).with_name("inside.py"))
DEV_PORTS = 99
"""As many as the default dev range has."""
PORT_COUNT = 120
"""As many as one version of dartsctl needs: the dev range, production's, a small stack's."""


@dataclass(frozen=True, slots=True)
class Product:
    """One version of dartsctl, with a folder, a state and ports of its own.

    `environment` is its virtual environment. Its ports are `first_port` and the next ones.
    """

    name: str
    environment: Path
    folder: Path
    first_port: int
    clock: Clock = wall

    @property
    def script(self) -> str:
        """The command `dartsctl`."""
        return str(self.environment / "bin" / "dartsctl")

    @property
    def python(self) -> str:
        """The interpreter that has this version of dartsctl."""
        return python_of(self.environment)

    @property
    def last_dev_port(self) -> int:
        """The end of the dev range, which begins at `first_port`."""
        return self.first_port + DEV_PORTS - 1

    @property
    def production_port(self) -> int:
        """The one port that production has in `quiet_project`."""
        return self.first_port + DEV_PORTS

    @property
    def stack_port(self) -> int:
        """The first published port of a small stack."""
        return self.first_port + DEV_PORTS + 1

    @property
    def environ(self) -> dict[str, str]:
        """The environment variables of a user who has set none of dartsctl's."""
        return clean(os.environ) | {"DARTSCTL_STATE_DIR": str(self.folder / "state")}

    def place(self, name: str) -> Path:
        """Return a folder for one measurement, made if it is not there."""
        folder = self.folder / name
        folder.mkdir(parents=True, exist_ok=True)
        return folder

    def quiet_project(self) -> Path:
        """Return a project whose ports are free, whoever works on this machine."""
        folder = self.place("quiet")
        (folder / "dartsctl.toml").write_text(
            f'[ports]\ndev_range = "{self.first_port}-{self.last_dev_port}"\n'
            f"[ports.production]\nweb = {self.production_port}\n"
        )
        return folder

    def timed(self, *words: str, cwd: Path, good: Sequence[int] = (0,)) -> Timed:
        """Return a measurement of a whole command."""
        return self.program([self.script, *words], cwd=cwd, good=good)

    def program(
        self,
        argv: Sequence[str],
        *,
        cwd: Path | None = None,
        good: Sequence[int] = (0,),
        after: Timed | None = None,
    ) -> Timed:
        """Return a measurement of any program, with the same variables and clock."""
        return command(
            argv,
            cwd=cwd or self.folder,
            environ=self.environ,
            clock=self.clock,
            good=good,
            after=after,
        )

    def inside(self, *words: str, python: str = "") -> contextlib.AbstractContextManager[Timed]:
        """Measure inside a process that has this version of dartsctl, or another `python`."""
        clock = "cpu" if self.clock is cpu else "wall"
        argv = [python or self.python, "-P", _INSIDE, clock, *words]
        return _inside(argv, self.environ, log=self.folder / "inside.log")


def clean(environ: Mapping[str, str]) -> dict[str, str]:
    """Return the variables without those that change what Python, Compose or dartsctl does."""
    changing = ("PYTHON", "DARTSCTL_", "COMPOSE_", "VIRTUAL_ENV")
    return {name: value for name, value in environ.items() if not name.startswith(changing)}


@contextlib.contextmanager
def _inside(argv: Sequence[str], environ: Mapping[str, str], *, log: Path) -> Iterator[Timed]:
    """Run a measurement of inside.py in a process of its own, one round for each call.

    Raises Skipped if this version of dartsctl does not have what is measured.
    """
    with (
        log.open("w") as errors,
        subprocess.Popen(
            argv,
            env=environ,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=errors,
            text=True,
            process_group=0,
        ) as process,
    ):
        stdin, stdout = process.stdin, process.stdout
        if stdin is None or stdout is None:
            raise Failed("no pipe to inside.py")

        def answer() -> str:
            line = stdout.readline().strip()
            if not line:
                process.wait()
                reason = log.read_text().strip().rpartition("\n")[2]
                raise Failed(f"`{argv[4]}` in inside.py ended: {reason}")
            return line

        def once() -> float:
            stdin.write("\n")
            stdin.flush()
            return float(answer())

        first = answer()
        if first != "ready":
            raise Skipped(f"this version of dartsctl is measured differently ({first})")
        try:
            yield once
        finally:
            stdin.close()
