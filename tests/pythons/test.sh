#!/usr/bin/env bash
# test.sh VERSION... - run the tests that need no engine with other versions of Python. WORKERS=3, TOOLS=.venv/bin (it has uv).
#
# Not those of the mark `once`: what they measure does not depend on Python. A version that is not to be had is skipped, visibly.
set -euo pipefail
cd "$(dirname "$0")/../.."
unset PYTHONDONTWRITEBYTECODE

marks='not engine and not ports and not stack and not once'
missing=''
for version; do
  code=0
  python=$(tests/pythons/python.sh "$version") || code=$?
  case $code in
    0) ;;
    3) missing+=" $version"; continue ;;
    *) exit $code ;;
  esac
  folder=build/python-$version
  "${TOOLS:-.venv/bin}/uv" venv --quiet --clear --python "$python" "$folder"
  "${TOOLS:-.venv/bin}/uv" pip install --quiet --python "$folder/bin/python" --editable . --group dev --requirement compose/sample/requirements.txt
  printf '\n--- %s\n' "$("$folder/bin/python" --version)"
  "$folder/bin/python" -m pytest --quiet -m "$marks" --numprocesses "${WORKERS:-3}" --dist loadfile --no-loadscope-reorder
done
[ -z "$missing" ] || printf '\n*** SKIPPED: no Python%s on this machine or from Debian\n' "$missing"
