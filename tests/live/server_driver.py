"""dartsctl's `run` without the command line: `python server_driver.py REQUEST-JSON`, for tests that kill, signal and race real processes."""

from __future__ import annotations

import json
import os
import sys

from dartsctl.commands.run import run
from dartsctl.edges.host import processes, sockets
from dartsctl.edges.state.leases import LeaseBook
from dartsctl.errors import DartsctlError
from dartsctl.ports.allocation import Allocation, PortRange
from dartsctl.server.request import ServerRequest


class Lines:
    """A screen on stderr."""

    def detail(self, text: str) -> None:
        """Only with -v, which is not ours."""

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
        return run(
            request, leases=LeaseBook(), sockets=sockets, processes=processes, screen=Lines()
        )
    except DartsctlError as error:
        sys.stderr.write(f"error: {error.message}\nnext: {error.hint}\n")
        return int(error.code)


if __name__ == "__main__":
    raise SystemExit(main())
