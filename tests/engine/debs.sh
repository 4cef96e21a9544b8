# shellcheck shell=bash
# debs.sh - unpack Debian packages of any suite into a folder, without installing anything on the machine.
#
# Sourced by engine.sh and images.sh. apt resolves against a dpkg status that we write ourselves (empty: everything
# is wanted), dpkg-deb unpacks; no chroot, no maintainer scripts, nothing is registered on the machine.

CACHE=${DARTSCTL_TEST_CACHE:-${XDG_CACHE_HOME:-$HOME/.cache}/dartsctl-tests}
SECONDS=0

say() { printf '[%3ss] %s\n' "$SECONDS" "$*" >&2; }
die() { # die CODE MESSAGE
  printf '%s: %s\n' "${0##*/}" "$2" >&2
  exit "$1"
}

# The Debian mirror this machine is configured for: the first URI that ends in .../debian, from deb822 or one-line sources.
mirror() {
  local files uri
  if [ -n "${DARTSCTL_TEST_MIRROR:-}" ]; then
    echo "$DARTSCTL_TEST_MIRROR"
    return
  fi
  files=$(find /etc/apt/sources.list /etc/apt/sources.list.d -name '*.sources' -o -name '*.list' 2>/dev/null || true)
  # shellcheck disable=SC2086  # one path a word
  uri=$(sed -n -e 's/^URIs:[[:space:]]*//p' -e 's/^deb[[:space:]]*\(\[[^]]*\][[:space:]]*\)\{0,1\}\([^[:space:]]*\).*/\2/p' $files |
    tr ' ' '\n' | grep -E -m1 '/debian(/|\.list|$)') || die 2 "no Debian mirror in the machine's apt sources; name one: DARTSCTL_TEST_MIRROR=http://..."
  echo "$uri"
}

# apt_for SUITE ARGUMENTS...: apt-get with folders of its own, which sees only that suite. Package lists are kept for half a day.
apt_for() {
  local home=$CACHE/apt/$1
  shift
  DEBIAN_FRONTEND=noninteractive apt-get -qq -o Dir::State="$home" -o Dir::State::Lists="$home/lists" -o Dir::Cache="$home/cache" \
    -o Dir::Etc::sourcelist="$home/sources.list" -o Dir::Etc::sourceparts=/dev/null -o Dir::Etc::preferences=/dev/null \
    -o Dir::Etc::preferencesparts=/dev/null -o APT::Install-Recommends=false -o APT::Sandbox::User=root -o Acquire::Languages=none \
    -o APT::Update::Error-Mode=any -o Acquire::Check-Valid-Until=false -o Acquire::Retries=3 -o APT::Get::Assume-Yes=true -o APT::Keep-Downloaded-Packages=true \
    -o Dpkg::Use-Pty=0 "$@"
}

read_lists() { # read_lists SUITE
  local home=$CACHE/apt/$1
  [ -z "$(find "$home/.read" -mmin -720 2>/dev/null)" ] || return 0
  mkdir -p "$home/lists/partial" "$home/cache"
  echo "deb [signed-by=$(find /usr/share/keyrings -name 'debian-archive-keyring.*' | head -n 1)] $(mirror) $1 main" >"$home/sources.list"
  : >"$home/none"
  apt_for "$1" -o Dir::State::status="$home/none" update
  touch "$home/.read"
  say "package lists of $1 read"
}

# get_debs SUITE STATUS FOLDER PACKAGES...: download the packages and what they need beyond those in STATUS.
get_debs() {
  local suite=$1 status=$2 folder=$3
  shift 3
  read_lists "$suite"
  mkdir -p "$folder/partial"
  apt_for "$suite" -o Dir::State::status="$status" -o Dir::Cache::archives="$folder" --download-only install "$@"
}

# unpack_debs FOLDER ROOT: unpack FOLDER/*.deb into ROOT, which has a merged /usr whatever the packages think.
unpack_debs() {
  local name deb
  for name in bin sbin lib lib64; do
    mkdir -p "$2/usr/$name"
    ln -sfn "usr/$name" "$2/$name"
  done
  for deb in "$1"/*.deb; do
    dpkg-deb --fsys-tarfile "$deb" | tar -x -C "$2" --keep-directory-symlink --exclude='./usr/share/doc/*' --exclude='./usr/share/man/*' \
      --exclude='./usr/share/info/*' --exclude='./usr/share/locale/*' --exclude='./usr/share/lintian/*'
  done
}

# as_installed FOLDER: what /var/lib/dpkg/status would say of FOLDER/*.deb.
as_installed() {
  local deb
  for deb in "$1"/*.deb; do
    dpkg-deb -f "$deb"
    printf 'Status: install ok installed\n\n'
  done
}

# as_if_installed PACKAGES...: the same for packages that something depends on but nothing here uses.
as_if_installed() {
  printf "Package: %s\nStatus: install ok installed\nArchitecture: $(dpkg --print-architecture)\nMulti-Arch: allowed\nVersion: 99:0\nMaintainer: none\nDescription: left out\n\n" "$@"
}
