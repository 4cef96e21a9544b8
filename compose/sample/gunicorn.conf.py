"""Gunicorn's settings for both images; it finds this file in its working folder."""

import os

_host = os.environ.get("API_GATEWAY_HOST") or os.environ.get("FLASK_HOST") or "127.0.0.1"
_port = os.environ.get("API_GATEWAY_PORT") or os.environ.get("FLASK_PORT") or "5000"

bind = f"{_host}:{_port}"
workers = 1  # one process has one RabbitMQ consumer; threads serve the requests
threads = 64  # a stream of the board keeps one
graceful_timeout = 5  # below the ten seconds after which Docker kills
worker_tmp_dir = "/dev/shm"  # noqa: S108 - a heartbeat file on a slow disk makes gunicorn kill its worker
control_socket_disable = True  # from 25 on: a file in a home folder, which this user has not
