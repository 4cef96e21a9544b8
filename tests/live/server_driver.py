"""dartsctl's `run` without the command line: `python server_driver.py REQUEST-JSON`.

For tests that kill, signal and race real processes.
"""

from __future__ import annotations

import json
import os
import sys

from dartsctl.cli.deps import Common, deps_of
from dartsctl.commands.run import run
from dartsctl.edges.screen.output import Screen
from dartsctl.errors import DartsctlError
from dartsctl.ports.allocation import Allocation, PortRange
from dartsctl.records import replace
from dartsctl.server.request import ServerRequest


class Lines(Screen):
    """A screen that marks every line on stderr with its kind."""

    def note(self, text: str) -> None:
        sys.stderr.write(f"note: {text}\n")
        sys.stderr.flush()

    def warn(self, text: str) -> None:
        sys.stderr.write(f"warn: {text}\n")
        sys.stderr.flush()


def main() -> int:
    given = json.loads(sys.argv[1])
    given["command"] = tuple(given["command"])
    given["dev_range"] = PortRange(*given["dev_range"])
    given["allocation"] = Allocation(
        {int(port): owner for port, owner in given.pop("production", {}).items()}
    )
    request = ServerRequest(environment=dict(os.environ), **given)
    try:
        return run(request, deps=replace(deps_of(Common()), screen=Lines()))
    except DartsctlError as error:
        sys.stderr.write(f"error: {error.message}\nnext: {error.hint}\n")
        return int(error.code)


if __name__ == "__main__":
    raise SystemExit(main())
