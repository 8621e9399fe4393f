# shellcheck shell=bash
# What the scripts in this folder share. Source it; it changes to the repository's folder.

cd "$(dirname "${BASH_SOURCE[0]}")/.." || exit 1

if [ -t 1 ] && [ -z "${NO_COLOR:-}" ] && [ "${TERM:-dumb}" != dumb ]; then
    bold=$'\e[1m' dim=$'\e[2m' red=$'\e[31m' green=$'\e[32m' yellow=$'\e[33m' plain=$'\e[0m'
else
    bold='' dim='' red='' green='' yellow='' plain=''
fi

# cargo honours CARGO_TERM_COLOR, not NO_COLOR.
if [ -n "${NO_COLOR:-}" ]; then
    export CARGO_TERM_COLOR=never
fi

say() { printf '%s%s%s\n' "$bold" "$*" "$plain"; }
note() { printf '%s%s%s\n' "$dim" "$*" "$plain"; }
good() { printf '%s%s%s\n' "$green" "$*" "$plain"; }
warn() { printf '%s%s%s\n' "$yellow" "$*" "$plain" >&2; }
die() {
    printf '%serror:%s %s\n' "$red" "$plain" "$*" >&2
    exit 1
}

# Runs a command as root: directly, or through sudo; false when neither is possible.
as_root() {
    if [ "$(id -u)" = 0 ]; then
        "$@"
    elif command -v sudo >/dev/null; then
        sudo "$@"
    else
        warn "this needs root: run as root, or install sudo ($*)"
        return 1
    fi
}

has_package() { [ "$(dpkg-query -W -f '${db:Status-Status}' "$1" 2>/dev/null)" = installed ]; }

# apt-get without questions; its output is shown only when it fails.
quiet_apt() {
    local log
    log=$(mktemp)
    if ! as_root env DEBIAN_FRONTEND=noninteractive apt-get -q -y -o DPkg::Lock::Timeout=300 "$@" \
        </dev/null >"$log" 2>&1; then
        tail -n 20 "$log" >&2
        rm -f "$log"
        return 1
    fi
    rm -f "$log"
}

# need_packages NAME...: installs those of the Debian or Ubuntu packages that are missing.
need_packages() {
    local missing=() name
    if ! command -v dpkg-query >/dev/null; then
        die "this is not Debian or Ubuntu; install what these packages hold, by hand: $*"
    fi
    for name in "$@"; do
        has_package "$name" || missing+=("$name")
    done
    if [ ${#missing[@]} = 0 ]; then
        return 0
    fi
    if [ "$(id -u)" != 0 ] && ! command -v sudo >/dev/null; then
        die "packages are missing, and only root can install them: apt-get install ${missing[*]}"
    fi
    note "installing ${missing[*]}"
    # The lists may be old or not there at all; refreshing them is worth it only when something is missing.
    quiet_apt update || warn "apt-get update failed; trying with the lists there are"
    quiet_apt install --no-install-recommends "${missing[@]}" ||
        die "apt-get cannot install ${missing[*]}; install them by hand and start again"
}

# need_rust: finds cargo and says in one sentence when it is missing or too old.
need_rust() {
    local wanted found
    wanted=$(sed -n 's/^rust-version = "\(.*\)"/\1/p' Cargo.toml)
    if ! command -v cargo >/dev/null && [ -x "${CARGO_HOME:-$HOME/.cargo}/bin/cargo" ]; then
        PATH="${CARGO_HOME:-$HOME/.cargo}/bin:$PATH"
    fi
    command -v cargo >/dev/null || die "cargo is not installed; install Rust $wanted or newer with rustup, then start again"
    found=$(rustc --version | cut -d' ' -f2) || die "rustc does not run; repair the Rust installation with rustup"
    if [ "$(printf '%s\n%s\n' "$wanted" "${found%%-*}" | sort -V | head -n 1)" != "$wanted" ]; then
        die "Forebay needs Rust $wanted or newer and this is $found; update it with 'rustup update'"
    fi
    note "Rust $found, DPDK $(pkg-config --modversion libdpdk 2>/dev/null || echo 'not installed')"
}

# need_cargo_tool COMMAND PACKAGE: builds a cargo subcommand when it is missing; false when it cannot be had.
need_cargo_tool() {
    local command=$1 package=$2
    if cargo "$command" --version >/dev/null 2>&1; then
        return 0
    fi
    note "building $package (some minutes, once)"
    # Without optimisation: a third of the time to build, and the tool's own speed does not matter here.
    CARGO_PROFILE_DEV_DEBUG=0 CARGO_TARGET_DIR="$PWD/.cache/$package" \
        cargo install --quiet --locked --debug "$package" </dev/null && rm -rf ".cache/$package"
}
