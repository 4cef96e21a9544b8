"""Gunicorn's settings for both images. It finds this file in its working folder."""

import os

_host = os.environ.get("API_GATEWAY_HOST") or os.environ.get("FLASK_HOST") or "127.0.0.1"
_port = os.environ.get("API_GATEWAY_PORT") or os.environ.get("FLASK_PORT") or "5000"

bind = f"{_host}:{_port}"
workers = 1  # one process, one RabbitMQ consumer; threads serve the requests
threads = 64  # each stream of the board occupies one
graceful_timeout = 5  # Docker kills after ten seconds
# On a slow disk the heartbeat file would make gunicorn kill its worker.
worker_tmp_dir = "/dev/shm"  # noqa: S108 - see above
control_socket_disable = (
    True  # gunicorn 25 and newer would put it into a home folder, which this user lacks
)
