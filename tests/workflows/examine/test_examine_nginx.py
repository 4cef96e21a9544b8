"""Which files of a container are nginx's configuration."""

from __future__ import annotations

import io
import tarfile
from dataclasses import dataclass
from typing import Any, cast

import pytest

from dartsctl.workflows.examine.nginx import configuration, main_file
from fakes.stack_facts import container


@dataclass
class OneFile:
    """An engine with one container without nginx's program, and one file in its folder."""

    name: str
    text: str

    def execute(self, _identity: str, _argv: list[str]) -> None:
        return None

    def archive(self, _identity: str, _folder: str) -> bytes:
        packed = io.BytesIO()
        with tarfile.open(fileobj=packed, mode="w") as tar:
            member = tarfile.TarInfo(self.name)
            member.size = len(self.text)
            tar.addfile(member, io.BytesIO(self.text.encode()))
        return packed.getvalue()


@pytest.mark.parametrize(
    ("text", "is_nginxs"),
    [
        ("events {}\nhttp { server { listen 80; } }\n", True),
        ("worker_processes 1; events { worker_connections 64; }\n", True),
        ("include parts/*.conf;\n", True),
        ("P:/:app:8000/\n", False),
        ("bind = '0.0.0.0:80'\n# events {}\n", False),
        ("<VirtualHost *:80>\nProxyPass / http://app:8000/\n</VirtualHost>\n", False),
    ],
)
def test_the_file_of_another_program_is_no_configuration_of_nginx(
    text: str, is_nginxs: bool
) -> None:
    engine = cast("Any", OneFile("main.conf", text))
    reading = configuration(container("web"), ["nginx", "-c", "/etc/main.conf"], engine)
    assert (reading.config is not None) is is_nginxs


@pytest.mark.parametrize(
    ("command", "path"),
    [
        (["nginx", "-g", "daemon off;"], ""),
        (["nginx", "-c", "/cfg/a.conf", "-g", "daemon off;"], "/cfg/a.conf"),
        (["/docker-entrypoint.sh", "/usr/sbin/nginx", "-g", "daemon off;", "-c", "/a"], "/a"),
        (["nginx", "-c/cfg/a.conf"], "/cfg/a.conf"),
        (["sh", "-c", "envsubst < /t > /etc/nginx/nginx.conf && exec nginx -g 'daemon off;'"], ""),
        (["/bin/sh", "-c", "echo start; exec nginx -g 'daemon off;' -c '/cfg/a'"], "/cfg/a"),
        (["sh", "-c", "nginx -t; sh -c /run.sh"], ""),
        (["bash", "-c", "nginx & tail -c 1 /log"], ""),
        (["sh", "-c"], ""),
    ],
)
def test_only_the_option_of_nginx_names_its_file(command: list[str], path: str) -> None:
    assert main_file(command) == path
