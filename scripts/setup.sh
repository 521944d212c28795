# Shared set-up of scripts/run and scripts/test: a Python environment in .venv, Node packages, a browser.
# Sourced with the repository as working directory. Quick when nothing changed: each part keeps a stamp of what it was made from.

say() { printf '%s\n' "$*" >&2; }
die() { say "error: $*"; exit 1; }

# limit SECONDS COMMAND...: run a command that may not take longer, and say so when it did.
limit() {
    limit_s=$1; shift
    if command -v timeout >/dev/null 2>&1; then
        timeout -k 10 "$limit_s" "$@" || {
            limit_rc=$?
            [ "$limit_rc" -eq 124 ] && say "error: stopped after $limit_s s: $*"
            return "$limit_rc"
        }
    else
        "$@"
    fi
}

digest() { cat "$@" 2>/dev/null | cksum; }

# apt PACKAGE...: install Debian packages when this user may; false when that is not possible here.
apt() {
    command -v apt-get >/dev/null 2>&1 || return 1
    if [ "$(id -u)" -eq 0 ]; then sudo=; elif command -v sudo >/dev/null 2>&1 && sudo -n true 2>/dev/null; then sudo='sudo -n'
    else return 1; fi
    say "installing $* with apt-get ..."
    # shellcheck disable=SC2086
    DEBIAN_FRONTEND=noninteractive limit 600 $sudo apt-get install -y -q --no-install-recommends "$@" >/dev/null 2>&1 && return 0
    # shellcheck disable=SC2086
    limit 300 $sudo apt-get update -q >/dev/null 2>&1 &&
        DEBIAN_FRONTEND=noninteractive limit 600 $sudo apt-get install -y -q --no-install-recommends "$@" >/dev/null 2>&1
}

is_python() { "$1" -c 'import sys; sys.exit(sys.version_info < (3, 11))' >/dev/null 2>&1; }

find_python() {
    for candidate in ${PYTHON:+"$PYTHON"} python3 python3.14 python3.13 python3.12 python3.11; do
        if is_python "$candidate"; then printf '%s\n' "$candidate"; return 0; fi
    done
    return 1
}

make_venv() {
    .venv/bin/python -m pip --version >/dev/null 2>&1 && is_python .venv/bin/python && return 0
    if [ -e .venv ]; then say "replacing .venv, which has no working Python >= 3.11 with pip ..."; rm -rf .venv; fi
    python=$(find_python) || { apt python3 python3-venv && python=$(find_python); } ||
        die "Python 3.11 or newer is needed; install it, or name one: PYTHON=/path/to/python3.12 $0"
    "$python" -m venv .venv >/dev/null 2>&1 && return 0
    rm -rf .venv
    apt python3-venv && "$python" -m venv .venv && return 0
    rm -rf .venv
    die "$python cannot make a virtual environment; on Debian: apt-get install python3-venv"
}

# setup_python STAMPS [--group test]: the package itself, editable, with the local host and what the options add.
# STAMPS: the kinds of environment this makes; the first one is what the caller needs.
setup_python() {
    stamps=$1; shift
    make_venv
    want=$(digest pyproject.toml; .venv/bin/python -V)
    stamp=.venv/.made-for-${stamps%% *}
    if [ -x .venv/bin/agents-runtime ] && [ "$(cat "$stamp" 2>/dev/null)" = "$want" ]; then return 0; fi
    say "installing Python packages into .venv (once) ..."
    .venv/bin/python -c 'import pip, sys; sys.exit(tuple(map(int, pip.__version__.split(".")[:2])) < (25, 1))' ||
        limit 120 .venv/bin/python -m pip install -qq --disable-pip-version-check 'pip>=25.1' ||
        die "pip could not be updated; is the package index reachable?"
    limit 600 .venv/bin/python -m pip install -qq --disable-pip-version-check --config-settings editable_mode=compat -e '.[server]' "$@" ||
        die "pip could not install the packages of pyproject.toml (see above)"
    for stamp in $stamps; do printf '%s\n' "$want" >".venv/.made-for-$stamp"; done
}

node_is_new() { node -e 'process.exit(Number(process.versions.node.split(".")[0]) < 20 ? 1 : 0)' >/dev/null 2>&1; }

need_node() {
    node_is_new && command -v npm >/dev/null 2>&1 && return 0
    apt nodejs npm && node_is_new && return 0
    die "Node.js 20 or newer with npm is needed for the tests with the real JavaScript clients and the real Workers runtime (https://nodejs.org)"
}

# setup_node FOLDER: the exact packages of FOLDER/package-lock.json.
setup_node() {
    [ -f "$1/package-lock.json" ] || return 0
    want=$(digest "$1/package.json" "$1/package-lock.json"; node --version)
    if [ -d "$1/node_modules" ] && [ "$(cat "$1/node_modules/.made-from" 2>/dev/null)" = "$want" ]; then return 0; fi
    say "installing Node packages into $1/node_modules (once) ..."
    (cd "$1" && limit 600 npm ci --no-audit --no-fund --loglevel=error) || die "npm ci failed in $1 (see above)"
    printf '%s\n' "$want" >"$1/node_modules/.made-from"
}

find_browser() { command -v chromium || command -v chromium-browser || command -v google-chrome; }

setup_browser() {
    find_browser >/dev/null && return 0
    [ -n "${CHROMIUM:-}" ] && [ -x "$CHROMIUM" ] && return 0
    apt chromium && find_browser >/dev/null && return 0
    die "Chromium is needed for the browser tests; install it (Debian: apt-get install chromium) or name one: CHROMIUM=/path $0"
}
