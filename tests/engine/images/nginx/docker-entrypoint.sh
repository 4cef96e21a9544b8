#!/bin/sh
# As in the official image: /docker-entrypoint.d/*.sh, and /etc/nginx/templates/*.template filled in from the environment.
set -e
if [ "$1" = nginx ]; then
  for hook in /docker-entrypoint.d/*.sh; do
    if [ -x "$hook" ]; then "$hook"; fi
  done
  # shellcheck disable=SC2016  # envsubst wants the names with their dollar signs
  names=$(env | sed -n 's/^\([A-Za-z_][A-Za-z0-9_]*\)=.*/${\1}/p' | tr '\n' ' ')
  for template in /etc/nginx/templates/*.template; do
    output=/etc/nginx/conf.d/$(basename "$template" .template)
    if [ -f "$template" ]; then envsubst "$names" <"$template" >"$output"; fi
  done
fi
exec "$@"
