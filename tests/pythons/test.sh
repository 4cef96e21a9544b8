#!/usr/bin/env bash
# test.sh VERSION... - run the tests that need no engine with other versions of Python.
#
#   PART=all | quick      quick: without the tests of the verbs and of `up`, which start processes and wait for them
#   WORKERS=3 TOOLS=.venv/bin (uv is there)
#
# Not those of the mark `once`: what they measure does not depend on Python. A version that neither the machine nor Debian has is
# skipped, visibly.
set -euo pipefail
cd "$(dirname "$0")/../.."
unset PYTHONDONTWRITEBYTECODE

marks='not engine and not ports and not stack and not once'
options=(--quiet --numprocesses "${WORKERS:-3}" --dist loadfile --no-loadscope-reorder)
[ "${PART:-all}" != quick ] || options+=(--ignore=tests/commands --ignore=tests/workflows/up)
uv=${TOOLS:-.venv/bin}/uv
missing=''
for version; do
  code=0
  python=$(tests/pythons/python.sh "$version") || code=$?
  case $code in
    0) ;;
    3)
      missing+=" $version"
      continue
      ;;
    *) exit $code ;;
  esac
  folder=build/python-$version
  "$uv" venv --quiet --clear --python "$python" "$folder"
  "$uv" pip install --quiet --python "$folder/bin/python" --editable . --group dev --requirement compose/sample/requirements.txt
  printf '\n--- %s, %s\n' "$("$folder/bin/python" --version)" "$python"
  "$folder/bin/python" -m pytest "${options[@]}" -m "$marks"
done
[ -z "$missing" ] || printf '\n*** SKIPPED: no Python%s on this machine or from Debian\n' "$missing"
