#!/usr/bin/env bash
# Makes .venv from requirements/requirements.lock if it is missing or stale. Needs Python 3.11 and nothing else.
set -euo pipefail
cd "$(dirname "$0")/.."

project=$(sed -n '/^\[build-system/,/^\[tool.ruff/p' pyproject.toml)
wanted=$( (cat requirements/requirements.lock requirements/uv.txt tools/environment.sh; echo "$project") | sha256sum | cut -d' ' -f1)-$PWD
[ "$(cat .venv/environment-id 2>/dev/null)" = "$wanted" ] && exit 0

for python in python3.11 python3 python; do
  if "$python" -c 'import sys; sys.exit(sys.version_info[:2] != (3, 11))' 2>/dev/null; then found=$python; break; fi
done
[ -n "${found:-}" ] || { echo "Python 3.11 is needed and was not found on PATH." >&2; exit 10; }

echo "Making the environment (.venv); this takes a minute or two the first time." >&2
rm -rf .venv
"$found" -m venv .venv || { echo "Python 3.11 cannot make environments here: install its venv module." >&2; exit 10; }
.venv/bin/python -m pip install --quiet --require-hashes --no-deps -r requirements/uv.txt
.venv/bin/uv pip install --quiet --python .venv/bin/python --require-hashes --no-deps \
  --compile-bytecode -r requirements/requirements.lock
.venv/bin/uv pip install --quiet --python .venv/bin/python --no-deps --no-build-isolation --editable .
echo "$wanted" >.venv/environment-id
