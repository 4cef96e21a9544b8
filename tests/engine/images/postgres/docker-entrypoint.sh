#!/bin/bash
# The part of the official entrypoint that compose files rely on: POSTGRES_USER, _PASSWORD, _DB (each also as _FILE),
# POSTGRES_INITDB_ARGS, POSTGRES_HOST_AUTH_METHOD, PGDATA, /docker-entrypoint-initdb.d, any user, a read-only root.
set -eo pipefail

from_file() { # from_file NAME DEFAULT: NAME, or what the file NAME_FILE says
  local file=$1_FILE
  if [ -n "${!1:-}" ] && [ -n "${!file:-}" ]; then echo "error: both $1 and $file are set" >&2; exit 1; fi
  if [ -n "${!file:-}" ]; then printf -v "$1" %s "$(<"${!file}")"; fi
  printf -v "$1" %s "${!1:-$2}"
  unset "$file"
}

initialise() {
  from_file POSTGRES_PASSWORD ''
  from_file POSTGRES_USER postgres
  from_file POSTGRES_DB "$POSTGRES_USER"
  if [ -z "$POSTGRES_PASSWORD" ] && [ "$POSTGRES_HOST_AUTH_METHOD" != trust ]; then
    echo 'Error: Database is uninitialized and superuser password is not specified.' >&2
    exit 1
  fi
  local sql=(psql -v ON_ERROR_STOP=1 --no-psqlrc -U "$POSTGRES_USER") file
  # shellcheck disable=SC2016  # eval, as in the official one: the arguments may be quoted
  eval 'initdb -D "$PGDATA" -U "$POSTGRES_USER" --pwfile=<(printf "%s\n" "$POSTGRES_PASSWORD") \
    -E UTF8 --locale=C.UTF-8 --auth-local=trust --auth-host=scram-sha-256 '"$POSTGRES_INITDB_ARGS"
  echo "host all all all ${POSTGRES_HOST_AUTH_METHOD:-scram-sha-256}" >>"$PGDATA/pg_hba.conf"
  pg_ctl -D "$PGDATA" -o "-c listen_addresses=''" -w start
  if [ "$POSTGRES_DB" != postgres ]; then "${sql[@]}" -d postgres -v db="$POSTGRES_DB" <<<'CREATE DATABASE :"db"'; fi
  for file in /docker-entrypoint-initdb.d/*; do
    # shellcheck disable=SC1090
    case $file in
      *.sh) echo "running $file"; if [ -x "$file" ]; then "$file"; else . "$file"; fi ;;
      *.sql) echo "running $file"; "${sql[@]}" -d "$POSTGRES_DB" -f "$file" ;;
      *.sql.gz) echo "running $file"; gunzip -c "$file" | "${sql[@]}" -d "$POSTGRES_DB" ;;
    esac
  done
  pg_ctl -D "$PGDATA" -m fast -w stop
  echo 'PostgreSQL init process complete; ready for start up.'
}

if [ "${1:0:1}" = - ]; then set -- postgres "$@"; fi
if [ "$1" = postgres ]; then
  mkdir -p "$PGDATA"
  if [ "$(id -u)" = 0 ]; then
    find "$PGDATA" /run/postgresql ! -user postgres -exec chown postgres:postgres {} +
    chmod 700 "$PGDATA"
    exec env HOME=/var/lib/postgresql setpriv --reuid=postgres --regid=postgres --init-groups "$0" "$@"
  fi
  chmod 700 "$PGDATA" || true
  if [ ! -s "$PGDATA/PG_VERSION" ]; then initialise; fi
fi
exec "$@"
