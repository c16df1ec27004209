# shellcheck shell=bash
# What the scripts over `drl bench` share: the binary, and a node on free ports. To be sourced from the root of the repository.

# bench_prepare [BINARY]: builds the release binary unless one is given. Sets drl and work.
bench_prepare() {
  drl=$1
  if [ -z "$drl" ]; then
    # shellcheck source=/dev/null
    source deploy/lib/env.sh
    drl_prepare "${PACKAGES_BUILD[@]}"
    cargo build --release --bin drl
    drl="$CARGO_TARGET_DIR/release/drl"
  fi
  work=$(mktemp -d)
  node=
  trap 'stop_node; rm -rf "$work"' EXIT
}

# start_node NAME JOURNAL-SYNC: sets grpc and resp, its addresses.
start_node() {
  mkfifo "$work/$1.out"
  "$drl" serve --data-dir "$work/$1" --node-id n1 --listen 127.0.0.1:0 --http-listen 127.0.0.1:0 --resp-listen 127.0.0.1:0 \
    --journal-sync "$2" >"$work/$1.out" 2>"$work/$1.log" &
  node=$!
  local door address
  while read -r door address; do
    case $door in
    grpc) grpc=$address ;;
    resp) resp=$address ;;
    ready) break ;;
    esac
  done <"$work/$1.out"
}

stop_node() {
  [ -n "$node" ] || return 0
  kill "$node" 2>/dev/null || true
  wait "$node" || true
  node=
}
