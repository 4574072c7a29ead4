#!/usr/bin/env bash
# Builds the npm package into a folder: wasm/build.sh OUT_DIR
#
# The module is compiled once, for size; its JavaScript side is written for browsers (web/) and
# for Node (node/). Says how large the module is, raw and compressed.
set -euo pipefail
out=${1:?usage: wasm/build.sh OUT_DIR}
here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
target=${CARGO_TARGET_DIR:-$here/../target}

cargo build -q --locked --manifest-path "$here/Cargo.toml" \
  --target wasm32-unknown-unknown --profile wasm
module=$target/wasm32-unknown-unknown/wasm/mintreu_wasm.wasm

mkdir -p "$out"
for host in web node; do
  cargo run -q --locked --manifest-path "$here/bundle/Cargo.toml" -- "$module" "$out/$host" "$host"
done
# What is written for Node is CommonJS, what is written for browsers is an ES module.
echo '{ "type": "commonjs" }' >"$out/node/package.json"
echo '{ "type": "module" }' >"$out/web/package.json"
cp "$here/package.json" "$here/README.md" "$out/"

raw=$(wc -c <"$out/web/mintreu_bg.wasm")
packed=$(gzip -9 -c "$out/web/mintreu_bg.wasm" | wc -c)
echo "module: $raw bytes, $packed gzipped"
