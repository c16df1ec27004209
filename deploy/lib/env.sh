# shellcheck shell=bash disable=SC2034 # the lists of packages are for those who source this
# What tests/run, deploy/quickstart and .ci/run share: finds cargo, installs what is missing, sets the cache up, and has RocksDB
# compiled once for all of them. To be sourced by a script that has set `set -euo pipefail`.
#
# Invariants: RocksDB is compiled at most once per cache and version (docs/adr/0004-rocksdb-is-compiled-once.md). One command at a
# time works in a cache. No package is installed that is there already, and no service is left running that was not running before.

DRL_ROOT=$(cd "$(dirname "${BASH_SOURCE[0]}")/../.." && pwd)

# Debian packages without which nothing compiles: the C++ compiler for RocksDB, libclang for its bindings, protoc and the
# well-known .proto files for gRPC.
PACKAGES_BUILD=(g++ libclang-dev protobuf-compiler libprotobuf-dev)
# What the tests drive besides: etcd, redis-cli, redis-benchmark, and a Redis to compare with.
PACKAGES_TESTS=(etcd-server etcd-client redis-server redis-tools)
# And the torture: networks to cut and clocks to move.
PACKAGES_TORTURE=(iproute2 nftables faketime)

say() { printf '%s\n' "$*" >&2; }

fail() {
    say "error: $*"
    exit 1
}

# drl_prepare PACKAGE... : everything up to the point where `cargo build --release` just works. Holds the cache's lock from here
# to the end of the script, or to drl_unlock.
drl_prepare() {
    find_home
    find_cargo
    export DRL_CACHE=${DRL_CACHE:-$HOME/.cache/drl}
    export CARGO_TARGET_DIR=$DRL_CACHE/target
    mkdir -p "$CARGO_TARGET_DIR"
    drl_lock
    install_missing "$@"
    prepare_rocksdb
    claim_target
}

# As root through sudo, HOME may still be the caller's: files owned by root would then break the caller's own builds.
find_home() {
    local own
    own=$(getent passwd "$(id -u)" | cut -d: -f6)
    if [ -z "${HOME:-}" ] || { [ "$(id -u)" -eq 0 ] && [ -n "${SUDO_USER:-}" ]; }; then
        HOME=${own:-/root}
    fi
    export HOME
}

# sudo resets PATH, so that the cargo of the user who called it is found by looking for it.
find_cargo() {
    local home
    for home in "$HOME" "$(getent passwd "${SUDO_USER:-}" | cut -d: -f6)"; do
        if [ -n "$home" ] && [ -x "$home/.cargo/bin/cargo" ]; then
            export PATH="$home/.cargo/bin:$PATH"
            [ "$home" = "$HOME" ] || export RUSTUP_HOME=${RUSTUP_HOME:-$home/.rustup}
            break
        fi
    done
    command -v cargo >/dev/null || fail "cargo is not there: install Rust from https://rustup.rs, then run this again"
}

# Two commands at once would compile RocksDB twice and replace each other's binaries. `.ci/run` hands its lock on to tests/run.
drl_lock() {
    [ "${DRL_LOCKED_BY:-}" != "$DRL_CACHE" ] || return 0
    exec 9>"$DRL_CACHE/lock"
    flock --nonblock 9 || {
        say "waiting: another command is at work in $DRL_CACHE"
        flock 9
    }
    export DRL_LOCKED_BY=$DRL_CACHE
}

drl_unlock() {
    exec 9>&-
    unset DRL_LOCKED_BY
}

is_installed() { [ "$(dpkg-query -W -f '${db:Status-Status}' "$1" 2>/dev/null)" = installed ]; }

install_missing() {
    local package missing=() sudo=()
    if ! command -v dpkg-query >/dev/null; then
        say "not a Debian: make sure that these are there: $*"
        return 0
    fi
    for package in "$@"; do
        is_installed "$package" || missing+=("$package")
    done
    [ ${#missing[@]} -gt 0 ] || return 0
    if [ "$(id -u)" -ne 0 ]; then
        command -v sudo >/dev/null || fail "as root, run: apt-get install ${missing[*]}"
        sudo=(sudo)
    fi
    say "installing ${missing[*]}"
    local apt=("${sudo[@]}" env DEBIAN_FRONTEND=noninteractive apt-get -q -y -o DPkg::Lock::Timeout=300)
    # A mirror that is away may still leave everything needed on the others.
    "${apt[@]}" update >&2 9>&- || say "apt-get update failed; trying to install all the same"
    "${apt[@]}" install --no-install-recommends "${missing[@]}" >&2 9>&- || fail "could not install ${missing[*]}"
    for package in "${missing[@]}"; do
        case $package in *-server) quiet_service "$package" "${sudo[@]}" ;; esac
    done
}

# Debian starts a server when it is installed, and at every boot. The tests start their own, on free ports.
quiet_service() {
    local service=$1
    shift
    case $service in etcd-server) service=etcd ;; esac
    if [ -d /run/systemd/system ]; then
        "$@" systemctl --quiet disable --now "$service" >&2 || say "could not stop $service; it may be running"
    elif [ -x "/etc/init.d/$service" ]; then
        "$@" "/etc/init.d/$service" stop >/dev/null 2>&1 9>&- || true
        "$@" update-rc.d "$service" disable >/dev/null 2>&1 || true
    fi
}

# The version in Cargo.lock, such as 0.19.0+11.8.1.
rocksdb_version() { sed -n '/^name = "librocksdb-sys"$/{n;s/^version = "\(.*\)"$/\1/p;}' "$DRL_ROOT/Cargo.lock"; }

# Twelve minutes of C++, once: the library is kept under its version, outside every target directory, so that no change of a
# profile, a feature or a clone compiles it again. The name ends with the features that the library is built with.
prepare_rocksdb() {
    local version
    version=$(rocksdb_version)
    [ -n "$version" ] || fail "Cargo.lock names no librocksdb-sys"
    local kept=$DRL_CACHE/rocksdb-$version-lz4
    if [ ! -f "$kept/librocksdb.a" ]; then
        compile_rocksdb "$version" "$kept"
    fi
    export ROCKSDB_LIB_DIR=$kept ROCKSDB_STATIC=1
}

# compile_rocksdb VERSION DIRECTORY. A subshell, so that its trap is its own.
compile_rocksdb() (
    version=$1 kept=$2 build=$DRL_CACHE/rocksdb-build
    say "RocksDB is compiled once, about 12 minutes on two cores, and kept in $kept"
    # What an interrupted run left is of no use, and would be counted.
    rm -rf "$build"
    mkdir -p "$build" "$kept"
    rocksdb_progress "$version" "$build" 9>&- &
    progress=$!
    trap 'kill "$progress" 2>/dev/null || true' EXIT
    (cd "$DRL_ROOT" && env -u ROCKSDB_LIB_DIR -u ROCKSDB_STATIC CARGO_TARGET_DIR="$build" \
        cargo build --release --quiet -p librocksdb-sys 9>&-) >&2 || fail "RocksDB did not compile (see above)"
    library=$(find "$build/release/build" -path '*/librocksdb-sys-*/out/librocksdb.a' -print -quit)
    [ -n "$library" ] || fail "the build of RocksDB left no librocksdb.a in $build"
    # A copy that is cut short must not be taken for the library.
    cp "$library" "$kept/librocksdb.a.part"
    mv "$kept/librocksdb.a.part" "$kept/librocksdb.a"
    rm -rf "$build"
    say "RocksDB is compiled"
)

# Says every half minute how far the compiler is. The sleep must not hold the terminal when this is killed.
rocksdb_progress() {
    local version=$1 build=$2 list total compiled
    while sleep 30 >/dev/null 2>&1; do
        list=$(find "${CARGO_HOME:-$HOME/.cargo}/registry/src" -path "*/librocksdb-sys-$version/rocksdb_lib_sources.txt" \
            -print -quit 2>/dev/null || true)
        total=$([ -z "$list" ] || wc -l <"$list")
        compiled=$(find "$build" -path '*/librocksdb-sys-*/out/*.o' 2>/dev/null | wc -l)
        say "RocksDB is compiled once, about 12 minutes on two cores: $compiled of ${total:-some 340} files"
    done
}

# Cargo tells the crates of two clones in one target directory apart by the time stamps of their files only, and would run one
# clone's code for the other's. So the clone that used the cache last is noted, and our own crates are built afresh for another.
claim_target() {
    local note=$CARGO_TARGET_DIR/clone manifest packages=()
    if [ -f "$note" ] && [ "$(cat "$note")" = "$DRL_ROOT" ]; then
        return 0
    fi
    for manifest in "$DRL_ROOT"/crates/*/Cargo.toml "$DRL_ROOT"/tests/Cargo.toml; do
        packages+=(-p "$(sed -n '/^name = "\(.*\)"$/{s//\1/p;q;}' "$manifest")")
    done
    (cd "$DRL_ROOT" && cargo clean --quiet --release "${packages[@]}") >&2
    printf '%s\n' "$DRL_ROOT" >"$note"
}
