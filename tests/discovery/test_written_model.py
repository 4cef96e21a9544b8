"""The services before variables are replaced: every form that Compose's merged model has."""

from __future__ import annotations

from pathlib import Path

from dartsctl.discovery.written_model import DataPlace, EnvFile, read_written, secret_variables_of


def test_every_form_of_a_service_is_read() -> None:
    model = {
        "services": {
            "db": {
                "image": "postgres:${V:-16}",
                "container_name": "shop-db",
                "networks": {"back": {"aliases": ["database"]}, "front": None},
                "environment": ["POSTGRES_PASSWORD=${PG:?}", "INHERITED"],
                "volumes": [
                    {"type": "volume", "source": "data", "target": "/var/lib/postgresql/data"},
                    {
                        "type": "bind",
                        "source": "/srv/init",
                        "target": "/docker-entrypoint-initdb.d",
                    },
                    {"type": "bind", "source": "/srv/pg", "target": "/var/lib/postgresql/old"},
                    {"type": "bind", "source": "${DIR}", "target": "/data"},
                    {"type": "bind", "source": "/srv/seed", "target": "/data", "read_only": True},
                    {"type": "tmpfs", "target": "/data/tmp"},
                ],
            },
            "web": {
                "build": {"context": "/srv/web", "dockerfile": "Dockerfile.prod"},
                "command": ["run", "--port", "5000"],
                "environment": {"DEBUG": True, "PORT": 5000, "NONE": None},
                "env_file": [{"path": "/srv/.env"}, {"path": "/srv/opt.env", "required": False}],
            },
            "remote": {
                "build": {"context": "https://github.com/a/b.git"},
                "env_file": "/srv/a.env",
            },
            "broken": "${X}",
        },
        "volumes": {"data": {"name": "shop_data"}},
    }
    services = read_written(model)
    assert services.keys() == {"db", "web", "remote"}
    db, web, remote = services["db"], services["web"], services["remote"]
    assert db.environment == {"POSTGRES_PASSWORD": "${PG:?}"}
    assert db.hosts == {"db", "shop-db", "database"}
    assert db.data == (DataPlace(volume="shop_data"), DataPlace(folder=Path("/srv/pg")))
    assert (web.is_built, web.context, web.dockerfile) == (
        True,
        Path("/srv/web"),
        "Dockerfile.prod",
    )
    assert web.environment == {"DEBUG": "true", "PORT": "5000"}
    assert web.command == " run --port 5000"
    assert web.env_files == (EnvFile(Path("/srv/.env")), EnvFile(Path("/srv/opt.env"), False))
    assert (remote.context, remote.env_files) == (None, (EnvFile(Path("/srv/a.env")),))


def test_secrets_are_the_variables_whose_file_they_are() -> None:
    model = {
        "services": {
            "db": {
                "environment": {"POSTGRES_PASSWORD_FILE": "/run/secrets/pw"},
                "secrets": [{"source": "pw"}, "token", {"source": "key", "target": "/etc/k.pem"}],
            },
            "web": {"secrets": "${X}"},
        },
        "secrets": {
            "pw": {"environment": "DB_PW"},
            "token": {"file": "/srv/token.txt"},
            "key": {"file": "${DIR}/key"},
            "unused": {"environment": "OTHER"},
        },
    }
    db = read_written(model)["db"]
    assert db.environment["POSTGRES_PASSWORD"] == "${DB_PW}"
    assert db.secret_files == {"token": Path("/srv/token.txt")}
    assert secret_variables_of(model) == {"DB_PW"}
