"""`dartsctl watch` on a real nginx whose certificate expires, and is renewed."""

from __future__ import annotations

import textwrap
from typing import TYPE_CHECKING

import pytest

from signing import make_pair

if TYPE_CHECKING:
    from live.stack import LiveStack
    from live.watched import Watched

pytest_plugins = ("live.stack", "live.watched")
pytestmark = pytest.mark.engine

NGINX = """
    events {}
    http {
        access_log off;
        server {
            listen 443 ssl;
            ssl_certificate /tls/tls.crt;
            ssl_certificate_key /tls/tls.key;
            location / { return 204; }
        }
    }
"""


def test_an_expired_certificate_is_one_alert_and_its_renewal_the_recovery(
    live: LiveStack, watched: Watched
) -> None:
    from live.stack import docker, sleeper
    from live.watched import Failure

    def renew(days: int) -> None:
        make_pair(live.folder / "tls", days=days)
        docker("restart", "-t", "0", f"{live.project}-web-1")  # planned; it wants a look at once

    (live.folder / "tls").mkdir()
    make_pair(live.folder / "tls", days=365)
    (live.folder / "nginx.conf").write_text(textwrap.dedent(NGINX))
    web = sleeper(
        f"127.0.0.1:{live.ports[0]}:443",
        image="dartsctl-test/nginx:1",
        volumes=["./nginx.conf:/etc/nginx/nginx.conf:ro", "./tls:/tls:ro"],
    )
    del web["command"]
    live.compose({"web": web})
    live.settings("[watch]\ninterval = 1\nopen_after = 2\nclose_after = 1\n")
    live.up()
    watched.start()
    alerts = watched.alerts(Failure(lambda: renew(-1), lambda: renew(365)))
    ((subject, alert),) = alerts.items()
    assert subject.startswith(("certificate:", "service:web"))
    assert alert["cause"] == "certificate"
    assert "expired" in alert["sentence"]
