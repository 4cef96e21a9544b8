"""Which files of the host say what an nginx on the host's network binds.

Source: edge-cases.md#53.
"""

from __future__ import annotations

import os
from pathlib import Path

from dartsctl.stack.model import Mount, Service, Stack
from dartsctl.workflows.preflight.host_ports import with_listens


def ports(service: Service) -> list[str]:
    """Return the host ports of a stack of one service, as its files say them."""
    stack = with_listens(Stack("demo", {service.name: service}, {}))
    return [f"{entry.host_ip}:{entry.published}" for entry in stack.services["web"].listens]


def write(path: Path, text: str) -> str:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text)
    return str(path)


def test_files_folders_configs_and_templates_are_read(tmp_path: Path) -> None:
    site = write(tmp_path / "site.conf", "server { listen 127.0.0.1:81; }")
    write(tmp_path / "conf.d/more.conf", "server { listen 82; }")
    template = write(tmp_path / "t", "server { listen ${WEB_PORT}; listen ${OTHER}; }")
    config = write(tmp_path / "config", "server { listen 84; }")
    mounts = (
        Mount(site, "/etc/nginx/conf.d/default.conf"),
        Mount(str(tmp_path / "conf.d"), "/etc/nginx/http.d"),
        Mount(template, "/etc/nginx/templates/web.conf.template"),
    )
    configs = (Mount(config, "/etc/nginx/sites-enabled/x"),)
    service = Service(
        "web",
        network_mode="host",
        mounts=mounts,
        config_files=configs,
        environment={"WEB_PORT": "83"},
    )
    assert sorted(ports(service)) == ["0.0.0.0:82", "0.0.0.0:83", "0.0.0.0:84", "127.0.0.1:81"]


def test_a_text_in_the_compose_file_is_read_too() -> None:
    texts = {"/etc/nginx/conf.d/a.conf": "server { listen 87; }", "/srv/b": "server { listen 88; }"}
    assert ports(Service("web", network_mode="host", config_texts=texts)) == ["0.0.0.0:87"]


def test_a_main_file_may_be_mounted_anywhere(tmp_path: Path) -> None:
    main = write(tmp_path / "nginx.conf", "events {} http { server { listen 85; } }")
    service = Service("web", network_mode="host", mounts=(Mount(main, "/app/nginx.conf"),))
    assert ports(service) == ["0.0.0.0:85"]


def test_other_files_and_other_networks_say_nothing(tmp_path: Path) -> None:
    site = write(tmp_path / "site.conf", "server { listen 86; }")
    other = (Mount(site, "/srv/site.conf"), Mount(str(tmp_path), "/srv"))
    assert ports(Service("web", network_mode="host", mounts=other)) == []
    mounts = (Mount(site, "/etc/nginx/conf.d/default.conf"),)
    assert ports(Service("web", mounts=mounts)) == []


def test_what_cannot_be_read_is_skipped(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe.conf")
    mounts = (
        Mount(str(tmp_path / "pipe.conf"), "/etc/nginx/conf.d/pipe.conf"),
        Mount(str(tmp_path / "missing.conf"), "/etc/nginx/conf.d/missing.conf"),
        Mount(str(tmp_path), "/etc/nginx/conf.d"),
    )
    assert ports(Service("web", network_mode="host", mounts=mounts)) == []
