# Sourced by ./run, ./test and .ci/run: makes .venv and installs the project into it.
# Nothing is done twice: a stamp holds a hash of what decides the installation.

root="$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd -P)"
venv="$root/.venv"
# Each of hundreds of servers and kernels would compile every module anew.
unset PYTHONDONTWRITEBYTECODE

say() { printf '%s\n' "$*" >&2; }

fail() { say "$*"; exit 1; }

# Debian packages by name, where apt and the right to use it are there; status 1 where not.
install_packages() {
    command -v apt-get >/dev/null || return 1
    local become=()
    if [ "$(id -u)" != 0 ]; then
        command -v sudo >/dev/null || return 1
        become=(sudo)
        [ -t 0 ] || become=(sudo -n)
    fi
    say "Installing with apt-get: $*"
    "${become[@]}" apt-get update -qq </dev/null >&2 || say "apt-get update failed; trying anyway."
    "${become[@]}" env DEBIAN_FRONTEND=noninteractive \
        apt-get install -y -qq --no-install-recommends "$@" </dev/null >&2
}

is_new_enough() {
    "$1" -c 'import sys; sys.exit(sys.version_info < (3, 11))' >/dev/null 2>&1
}

find_python() {
    local name
    for name in ${PYTHON:+"$PYTHON"} python3 python3.14 python3.13 python3.12 python3.11; do
        if is_new_enough "$name"; then
            printf '%s\n' "$name"
            return
        fi
    done
    fail "Jupyter Rewind needs Python 3.11 or later. Install one, or name it: PYTHON=... $0"
}

make_environment() {
    is_new_enough "$venv/bin/python" && "$venv/bin/python" -m pip --version >/dev/null 2>&1 && return
    local python package
    python="$(find_python)"
    if ! "$python" -c 'import ensurepip, venv' >/dev/null 2>&1; then
        package="$(basename "$python")-venv"
        install_packages "$package" ||
            fail "Python's venv module is missing. Install the package $package and try again."
    fi
    say "Making $venv"
    "$python" -m venv --clear "$venv"
}

# install_project EXTRA: the project, editable, with that optional extra of pyproject.toml.
install_project() {
    local extra="$1" stamp wanted
    make_environment
    stamp="$venv/.installed-$extra"
    wanted="$(
        cd "$root"
        {
            printf '%s\n' "$root"
            cat pyproject.toml jupyter_rewind/__init__.py jupyter-config/*/*.json \
                package.json package-lock.json tsconfig.json style/* schema/*
            find src -name '*.ts*' ! -name api.ts -exec cat {} + # api.ts is made from openapi.yaml
        } | sha256sum
    )"
    [ "$(cat "$stamp" 2>/dev/null)" = "$wanted" ] && return
    say "Installing Jupyter Rewind with [$extra] into $venv; this takes some minutes"
    "$venv/bin/python" -m pip install --quiet --disable-pip-version-check --no-input \
        --editable "$root[$extra]" </dev/null >&2
    printf '%s' "$wanted" >"$stamp"
}

# torch, for the tests of tensors. Where it cannot be had they are skipped, by name.
install_torch() {
    local stamp="$venv/.torch-was-tried" wanted
    wanted="$(sha256sum <"$root/pyproject.toml")"
    [ "$(cat "$stamp" 2>/dev/null)" = "$wanted" ] && return
    "$venv/bin/python" -m pip install --quiet --disable-pip-version-check --no-input \
        --editable "$root[torch-test]" </dev/null >&2 ||
        say "torch cannot be installed here: the tests that need it are skipped, by name."
    printf '%s' "$wanted" >"$stamp"
}

# Azurite, Azure's own emulator, for the tests of replicas; it is to be had from npm alone. Where it
# cannot be had they are skipped, by name.
install_azurite() {
    local stamp="$venv/.azurite-was-tried" wanted="azurite@3.35.0"
    [ "$(cat "$stamp" 2>/dev/null)" = "$wanted" ] && return
    PATH="$venv/bin:$PATH" npm install --silent --global --prefix "$venv" --ignore-scripts \
        --fetch-retries=1 "$wanted" </dev/null >&2 ||
        say "Azurite cannot be installed here: the tests that need it are skipped, by name."
    printf '%s' "$wanted" >"$stamp"
}
