#!/bin/bash
# RABBITMQ_DEFAULT_USER, _PASS and _VHOST are read by the server itself. Any user, a read-only root.
set -e
if [ "$1" = rabbitmq-server ] && [ "$(id -u)" = 0 ]; then
  find /var/lib/rabbitmq ! -user rabbitmq -exec chown rabbitmq:rabbitmq {} +
  exec setpriv --reuid=rabbitmq --regid=rabbitmq --init-groups "$0" "$@"
fi
cookie=/var/lib/rabbitmq/.erlang.cookie
if [ "$1" = rabbitmq-server ] && [ ! -s $cookie ]; then # before a health check can make one that belongs to root
  (umask 077; printf %s "${RABBITMQ_ERLANG_COOKIE:-$(od -An -N16 -tx1 /dev/urandom | tr -d ' \n')}" >$cookie)
  chmod 400 $cookie
fi
ulimit -n 65536 2>/dev/null || true # the Erlang VM sizes a table by this limit: "unlimited" costs gigabytes
exec "$@"
