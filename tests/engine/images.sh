#!/usr/bin/env bash
# images.sh - local stand-ins for the images that the tests and compose/ name, made of Debian packages: nothing is pulled.
#
#   images.sh tiny      dartsctl-test/busybox:1, dartsctl-test/nginx:1 (real nginx, 22 MB)
#   images.sh stack     the images of compose/prod.yml, under their own names (see below)
#   images.sh remove    take all of them out of the engine again
#
# They go to the engine that DOCKER_HOST names. What is there already and up to date is left alone, and so is an image of
# that name which is not a stand-in. Each says in the label org.dartsctl.standin what it really is. Needs root (file owners).
set -euo pipefail
here=$(cd "$(dirname "$0")" && pwd)
# shellcheck source=debs.sh
. "$here/debs.sh"

NGINX=${STANDIN_NGINX:-nginx:1.28-alpine}
POSTGRES=${STANDIN_POSTGRES:-postgres:16-alpine}
RABBITMQ=${STANDIN_RABBITMQ:-rabbitmq:3.13-management-alpine}
WSO2IS=${STANDIN_WSO2IS:-wso2/wso2is:7.0.0}
PYTHON=${STANDIN_PYTHON:-python:3.12-slim}

ROOTS=$CACHE/roots # root file systems, <name>-<hash of the recipe>.tar: what takes the time, so it is kept
AUTHORITIES=/etc/ssl/certs/ca-certificates.crt

# ---- what goes into each: root_<folder> fills $root; the rest is in images/<folder>/Dockerfile --------------------------

root_busybox() {
  unpack trixie "" "$work/tree" busybox-static
  mkdir -p "$root"/{etc,proc,sys,dev,root,run,tmp,www,usr/bin,usr/sbin,usr/lib,usr/lib64,var}
  for name in bin sbin lib lib64; do ln -s "usr/$name" "$root/$name"; done
  ln -s ../run "$root/var/run"
  chmod 1777 "$root/tmp"
  cp "$work/tree/usr/bin/busybox" "$root/bin/"
  for name in $("$root/bin/busybox" --list); do [ -e "$root/bin/$name" ] || ln -s busybox "$root/bin/$name"; done
  printf '%s\n' root:x:0:0:root:/root:/bin/sh www-data:x:33:33::/:/bin/false nginx:x:101:101::/:/bin/false nobody:x:65534:65534::/:/bin/false >"$root/etc/passwd"
  printf '%s\n' root:x:0: www-data:x:33: nginx:x:101: nogroup:x:65534: nobody:x:65534: >"$root/etc/group"
  echo 'hosts: files dns' >"$root/etc/nsswitch.conf"
  echo ok >"$root/www/index.html"
}

root_nginx_tiny() { # paths, users and defaults as in the official Alpine image; nginx of Debian 13, which knows "http2 on"
  root_busybox
  unpack trixie "" "$work/tree" nginx curl gettext-base
  borrow "$work/tree" usr/sbin/nginx usr/bin/curl usr/bin/envsubst
  mkdir -p "$root"/{etc/nginx/conf.d,etc/nginx/templates,docker-entrypoint.d,usr/share/nginx/html,var/log/nginx,var/cache/nginx,var/lib}
  cp "$work/tree/etc/nginx/mime.types" "$root/etc/nginx/"
  cp "$here/images/nginx_tiny/nginx.conf" "$root/etc/nginx/"
  cp "$here/images/nginx_tiny/default.conf" "$root/etc/nginx/conf.d/"
  echo '<html><title>nginx</title>stand-in</html>' | tee "$root/usr/share/nginx/html/50x.html" >"$root/usr/share/nginx/html/index.html"
  ln -s ../cache/nginx "$root/var/lib/nginx" # Debian's and the official place of its temporary files
  ln -s /dev/stdout "$root/var/log/nginx/access.log"
  ln -s /dev/stderr "$root/var/log/nginx/error.log"
}

root_debian() {
  unpack bookworm "" "$root" bash coreutils sed grep findutils util-linux passwd adduser login libc-bin base-files base-passwd dash hostname \
    tar gzip mawk debianutils procps netbase tzdata libstdc++6 busybox-static ca-certificates openssl curl
  mkdir -p "$root"/{proc,sys,dev,run/lock,tmp,root,home,usr/local/bin,usr/local/lib,var/log,var/tmp,etc/ssl/certs}
  chmod 1777 "$root/tmp" "$root/var/tmp" "$root/run/lock"
  chmod 700 "$root/root"
  rm -rf "$root/var/run" "$root/var/lock"
  ln -s /run "$root/var/run"
  ln -s /run/lock "$root/var/lock"
  # what the maintainer scripts would have done
  cp "$root/usr/share/base-passwd/passwd.master" "$root/etc/passwd"
  cp "$root/usr/share/base-passwd/group.master" "$root/etc/group"
  printf '%s\n' 'passwd: files' 'group: files' 'shadow: files' 'hosts: files dns' >"$root/etc/nsswitch.conf"
  ln -s mawk "$root/usr/bin/awk"
  ln -s which.debianutils "$root/usr/bin/which"
  for name in auth account password session; do echo "$name required pam_unix.so" >"$root/etc/pam.d/common-$name"; done
  # small programs that are in the official images and not here
  for name in wget nc vi less ping ip; do [ -e "$root/usr/bin/$name" ] || ln -s busybox "$root/usr/bin/$name"; done
}

root_postgres() { # without just-in-time compilation (libllvm: 140 MB) and Debian's cluster tools (perl)
  unpack bookworm "$(as_if_installed libllvm14 libz3-4 perl postgresql-common postgresql-client-common ssl-cert locales)" "$root" postgresql-15
  rm -rf "$root"/usr/lib/postgresql/15/lib/{bitcode,llvmjit*}
  sed -i "s/^#listen_addresses = 'localhost'/listen_addresses = '*'/" "$root/usr/share/postgresql/15/postgresql.conf.sample"
}

root_rabbitmq() {
  unpack bookworm "$(as_if_installed perl libfile-find-rule-perl usrmerge logrotate cron python3)" "$root" rabbitmq-server
}

root_python() {
  unpack bookworm "" "$root" python3 python3-pip python3-venv
}

# ---- how they are made ------------------------------------------------------------------------------------------------

# unpack SUITE EXTRA-STATUS ROOT PACKAGES...: with what they need beyond EXTRA-STATUS and, for those that build on it, Debian's basic tools.
unpack() {
  local suite=$1 debs=$work/debs-$RANDOM root_=$3
  : >"$work/status"
  if [ "$base" = debian ]; then cat "$(root_file debian .status)" >"$work/status"; fi
  if [ -n "$2" ]; then echo "$2" >>"$work/status"; fi
  mkdir -p "$root_"
  shift 3
  get_debs "$suite" "$work/status" "$debs" "$@"
  say "  $(find "$debs" -name '*.deb' | wc -l) packages, $(du -sm "$debs" | cut -f 1) MB downloaded"
  unpack_debs "$debs" "$root_"
  as_installed "$debs" >"$work/installed"
  rm -rf "$debs"
}

borrow() { # borrow TREE PROGRAMS...: copy programs and the libraries they load from TREE to $root, without everything else
  local tree=$1 loader paths file
  shift
  loader=$(find "$tree"/usr/lib64 "$tree"/usr/lib -maxdepth 1 -name 'ld-linux*' | head -n 1)
  paths=$(find "$tree/usr/lib" -maxdepth 1 -name '*-linux-gnu*')
  {
    echo "${loader#"$tree"/}"
    printf '%s\n' "$@"
    for file in "$@"; do "$loader" --library-path "$paths" --list "$tree/$file"; done | sed -n "s#.* => $tree/\([^ ]*\) .*#\1#p"
  } | sort -u | while read -r file; do
    mkdir -p "$root/$(dirname "$file")"
    cp -L "$tree/$file" "$root/$file"
  done
}

root_file() { # root_file FOLDER SUFFIX
  local key
  key=$({ declare -f unpack unpack_debs borrow root_busybox root_debian "root_$1"; } | sha256sum | cut -c 1-12)
  echo "$ROOTS/$1-$key$2"
}

make_root() { # make_root FOLDER BASE: its root file system as a tar file, unless it is there
  local tar base=$2 root
  tar=$(root_file "$1" .tar)
  [ ! -e "$tar" ] || return 0
  say "$1: unpacking Debian packages"
  root=$work/root-$1
  mkdir -p "$root" "$ROOTS"
  "root_$1"
  rm -f "$ROOTS/$1"-*
  mv "$work/installed" "$(root_file "$1" .status)"
  tar -C "$root" --numeric-owner -cf "$tar.part" .
  mv "$tar.part" "$tar"
  rm -rf "$root" "$work/tree"
}

declare -A recipes
build() { # build TAG FOLDER BASE WHAT-IT-REALLY-IS
  local tag=$1 folder=$2 base=$3 there context=$work/context tar=''
  if declare -F "root_$folder" >/dev/null; then tar=$(root_file "$folder" .tar); fi
  rm -rf "$context"
  cp -r "$here/images/$folder" "$context"
  case $folder in
    debian) cp "$AUTHORITIES" "$context/" ;;
    python) pip_settings >"$context/pip.conf" ;;
  esac
  recipes[$folder]=$({ cat "$context"/*; echo "$@" "${tar##*/}" "${base:+${recipes[$base]}}"; } | sha256sum | cut -c 1-16)

  there=$(docker image inspect -f '{{index .Config.Labels "org.dartsctl.standin"}}|{{index .Config.Labels "org.dartsctl.recipe"}}' "$tag" 2>/dev/null || echo none)
  case $there in
    *"|${recipes[$folder]}") return 0 ;;
    "|" | "<no value>|"*) say "$tag is there and is not a stand-in: left alone"; return 0 ;;
  esac
  if [ -n "$tar" ]; then
    make_root "$folder" "$base"
    ln "$tar" "$context/root.tar"
  fi
  DOCKER_BUILDKIT=0 docker build -q -t "$tag" --build-arg "PYTHON=$PYTHON" --network none \
    --label "org.dartsctl.recipe=${recipes[$folder]}" --label "org.dartsctl.standin=$4" "$context" >"$work/log" 2>&1 || {
    cat "$work/log" >&2
    die 1 "$tag could not be built"
  }
  say "$tag ($(($(docker image inspect -f '{{.Size}}' "$tag") / 1000000)) MB): $4"
}

pip_settings() { # as on this machine: who vouches for the index, and where it is
  local index
  index=${PIP_INDEX_URL:-$(python3 -m pip config get global.index-url 2>/dev/null || true)}
  printf '[global]\ncert = %s\ntimeout = 180\ndisable-pip-version-check = true\nroot-user-action = ignore\n' "$AUTHORITIES"
  case $index in http*) echo "index-url = $index" ;; esac
}

tiny() {
  build dartsctl-test/busybox:1 busybox '' "busybox of Debian 13"
  build dartsctl-test/nginx:1 nginx_tiny '' "nginx of Debian 13 on busybox"
}

stack() {
  build dartsctl-test/nginx:1 nginx_tiny '' "nginx of Debian 13 on busybox"
  build "$NGINX" nginx nginx_tiny "nginx of Debian 13 on busybox, not the Docker official image"
  build dartsctl-test/debian:12 debian '' "basic tools of Debian 12"
  build "$PYTHON" python debian "Python 3.11 of Debian 12, not the Docker official image"
  build "$WSO2IS" wso2is python "a 150-line HTTPS server, not WSO2 Identity Server"
  build "$POSTGRES" postgres debian "PostgreSQL 15 of Debian 12, not the Docker official image"
  build "$RABBITMQ" rabbitmq debian "RabbitMQ 3.10 of Debian 12, not the Docker official image"
}

remove() {
  docker image ls -q --filter label=org.dartsctl.standin | awk '!seen[$0]++' | xargs -r docker image rm -f >/dev/null # the youngest first: they stand on the others
}

case ${1:-} in
  tiny | stack | remove) ;;
  *) sed -n '2,9s/^# \{0,1\}//p' "$0"; exit 2 ;;
esac
# an engine that is in daily use must not get a "postgres:16-alpine" that is none, just because somebody tried this script
[ -n "${DOCKER_HOST:-}" ] || [ "${CI:-}" = true ] || die 2 "set DOCKER_HOST (see engine.sh env): stand-ins do not belong into an engine in daily use"
docker version >/dev/null || die 5 "no Docker engine answers"
mkdir -p "$CACHE"
exec 9>"$CACHE/images.lock"
flock 9
work=$(mktemp -d "$CACHE/work.XXXXXX")
trap 'rm -rf "$work"' EXIT
"$1"
docker image prune -f --filter label=org.dartsctl.standin >/dev/null # those that newer ones have replaced
say "$1: done"
