# One function a suite; each says what it ran in a closing line that tests/count.awk can read.
# Sourced by tests/run, which runs each in a shell of its own.

ok() { echo "${1:-1} passed, 0 failed"; }

suite_fmt() {
  cargo fmt --all --check
  ok
}

suite_clippy() {
  # What the Node macros export is reachable only outside test builds.
  cargo clippy -q --locked --workspace --exclude mintreu-node --all-targets -- -D warnings
  cargo clippy -q --locked -p mintreu-node -- -D warnings
  ok
}

suite_rust() {
  if cargo nextest --version >/dev/null 2>&1; then
    cargo nextest run --locked --workspace --no-fail-fast --status-level fail
    cargo test -q --locked --doc -p mintreu
  else
    cargo test -q --locked --workspace --no-fail-fast
  fi
}

# The program that writes the vectors runs into an empty folder, which must equal the committed one.
suite_vectors() {
  cargo run -q --locked -p mintreu --example write-vectors -- "$WORK/vectors"
  diff -r --exclude=README.md tests/vectors "$WORK/vectors"
  ok "$(find "$WORK/vectors" -name '*.json' | wc -l)"
}

# The server's documentation is for those who change it, so that it may link to private items.
suite_doc() {
  RUSTDOCFLAGS="-D warnings" cargo doc -q --locked --no-deps \
    -p mintreu -p mintreu-wasm -p mintreu-uniffi
  ok
  RUSTDOCFLAGS="-D warnings -A rustdoc::private_intra_doc_links" \
    cargo doc -q --locked --no-deps -p mintreu-server
  ok
}

suite_deny() {
  install_cargo_tool cargo-deny 0.20.2
  "$TOOLS/bin/cargo-deny" --locked --workspace check bans licenses sources
  ok 3
  check_advisories
}

# Known advisories come from a snapshot beside the checkout, since a test run fetches nothing but
# packages; cargo-deny wants to clone from an address, so git is told to read this one from disk.
# Without the snapshot the check is left out, and says so.
check_advisories() {
  local snapshot repo=$WORK/advisories/repo address=https://snapshot.invalid/advisory-db
  snapshot=$(find ../shared/security -name 'advisory-db-*.tar.gz' 2>/dev/null | sort | tail -1)
  if [[ -z $snapshot ]]; then
    echo "no advisory snapshot here: advisories are not checked"
    return
  fi
  mkdir -p "$repo"
  tar xzf "$snapshot" -C "$repo"
  git -C "$repo" init -q
  git -C "$repo" add -A
  git -C "$repo" -c user.name=tests -c user.email=tests@localhost commit -qm snapshot
  git -C "$repo" branch -qM main
  sed "s|^\[advisories\]|&\ndb-path = \"$WORK/advisories/db\"\ndb-urls = [\"$address\"]\ngit-fetch-with-cli = true|" \
    deny.toml >"$WORK/advisories/deny.toml"
  GIT_CONFIG_COUNT=1 GIT_CONFIG_KEY_0="url.file://$repo.insteadOf" GIT_CONFIG_VALUE_0=$address \
    "$TOOLS/bin/cargo-deny" --locked --workspace --config "$WORK/advisories/deny.toml" \
    check advisories
  ok
}

suite_portable() {
  cargo check -q --locked -p mintreu --no-default-features
  ok
  cargo check -q --locked -p mintreu-wasm --target wasm32-unknown-unknown
  ok
}

# The feature that uses the operating system's keystore: below a session of its own with a Secret
# Service, and without any.
suite_keystore() {
  local tests=(cargo test -q --locked -p mintreu --features os-keystore)
  cargo clippy -q --locked -p mintreu --features os-keystore --all-targets -- -D warnings
  "${tests[@]}" --lib keystore
  mkdir -p "$WORK/keystore/run" "$WORK/keystore/none"
  env -u DBUS_SESSION_BUS_ADDRESS XDG_RUNTIME_DIR="$WORK/keystore/none" \
    "${tests[@]}" --test os_keystore -- --ignored where_there_is_none
  # Without a display nobody is asked to unlock what the test locks.
  # shellcheck disable=SC2016
  env -u DISPLAY -u WAYLAND_DISPLAY XDG_DATA_HOME="$WORK/keystore" \
    XDG_RUNTIME_DIR="$WORK/keystore/run" dbus-run-session -- bash -c \
    'printf secret | gnome-keyring-daemon --unlock --components=secrets >/dev/null; exec "$@"' \
    unlocked "${tests[@]}" --test os_keystore -- --ignored where_it_is_there
}

# Builds the wheel and installs it where the tools are.
python_package() {
  rm -rf "$WORK/dist"
  "$VENV/bin/maturin" build -q --locked -m bindings/python/Cargo.toml -o "$WORK/dist" \
    --compatibility linux
  "$VENV/bin/pip" -q --disable-pip-version-check install --no-deps --force-reinstall "$WORK"/dist/*.whl
}

suite_python() {
  python_package
  cd bindings/python
  "$VENV/bin/python" -m pytest -q -p no:cacheprovider tests ../../examples/fastapi
  "$VENV/bin/mypy" --cache-dir "$WORK/mypy" --strict tests/typed_use.py
  ok
  "$VENV/bin/python" -m mypy.stubtest mintreu
  ok
}

# The package as npm would lay it out, with the compiled module beside its two faces.
node_package() {
  cargo build -q --locked -p mintreu-node
  mkdir -p "$WORK/node_modules/mintreu"
  cp bindings/node/{package.json,index.js,index.mjs,index.d.ts,gateway.js,slices.js,sync.js} "$WORK/node_modules/mintreu/"
  cp "$CARGO_TARGET_DIR/debug/libmintreu_node.so" "$WORK/node_modules/mintreu/mintreu.node"
  cp -r bindings/node/test bindings/node/README.md examples/express "$WORK/"
  ln -sfn "$NODE_TOOLS/node_modules/express" "$WORK/node_modules/express"
}

suite_node() {
  node_package
  MINTREU_VECTORS=$ROOT/tests/vectors node --test --test-reporter=spec "$WORK"/test/*.test.mjs "$WORK"/test/*.test.cjs \
    "$WORK"/express/*.test.mjs
  "$NODE_TOOLS/node_modules/.bin/tsc" --noEmit --strict --module nodenext --target es2022 \
    --types "" "$WORK/test/typed_use.mts"
  ok
}

wasm_package() {
  mkdir -p "$WORK/browser/node_modules"
  wasm/build.sh "$WORK/browser/node_modules/mintreu-wasm"
}

suite_wasm() {
  wasm_package
  cp -r wasm/test wasm/README.md "$WORK/browser/"
  cp bindings/node/test/{vectors,tamper}.mjs "$WORK/browser/test/"
  NODE_TOOLS=$NODE_TOOLS MINTREU_VECTORS=$ROOT/tests/vectors \
    node --test --test-reporter=spec "$WORK"/browser/test/*.test.mjs
}

suite_uniffi() {
  cargo build -q --locked -p mintreu-uniffi --features cli
  export MINTREU_VECTORS=$ROOT/tests/vectors LD_LIBRARY_PATH=$CARGO_TARGET_DIR/debug
  foreign_sources ruby
  local test
  for test in bindings/uniffi/ruby/*_test.rb; do ruby -I "$WORK/ruby" "$test"; done
}

foreign_sources() {
  "$CARGO_TARGET_DIR/debug/uniffi-bindgen" generate \
    "$CARGO_TARGET_DIR/debug/libmintreu_uniffi.so" -l "$1" --no-format -o "$WORK/$1"
}

# The server's and the example's programs, with the crates that the Rust suite has built already.
programs() {
  # The example is there for its features alone: tests and examples are built with others.
  cargo build -q --locked --workspace --bin mintreu --bin air_gapped --example write-vectors
}

suite_clients() {
  programs
  python_package
  node_package
  export MINTREU_BIN=$CARGO_TARGET_DIR/debug/mintreu NODE_PATH=$WORK/node_modules
  "$VENV/bin/python" -m pytest -q -p no:cacheprovider tests/clients
  NODE_TOOLS=$NODE_TOOLS node --test --test-reporter=spec tests/clients/*.test.mjs
}

# Schemathesis asks every route of the description, as each role of a demo.
suite_openapi() {
  programs
  MINTREU_BIN=$CARGO_TARGET_DIR/debug/mintreu \
    "$VENV/bin/python" -m pytest -q -p no:cacheprovider tests/openapi
}

suite_web() {
  # The pages' verifier is part of releases; here it is built too.
  MINTREU_VERIFIER=1 programs
  export MINTREU_BIN=$CARGO_TARGET_DIR/debug/mintreu NODE_TOOLS
  node --test --test-reporter=spec --test-concurrency=1 tests/web/*.test.mjs
}

suite_journey() {
  programs
  python_package
  node_package
  wasm_package
  export MINTREU_BIN=$CARGO_TARGET_DIR/debug/mintreu PYTHON=$VENV/bin/python NODE_TOOLS
  export NODE_PATH=$WORK/node_modules:$WORK/browser/node_modules
  node --test --test-reporter=spec tests/journey/*.test.mjs
}

# Today's metering clients and ours under the same faults; a soak runs every client under each.
suite_faults() {
  programs
  python_package
  node_package
  export MINTREU_BIN=$CARGO_TARGET_DIR/debug/mintreu NODE_TOOLS NODE_PATH=$WORK/node_modules
  "$VENV/bin/python" -m pytest -q -p no:cacheprovider tests/faults
}

# Every target for a time, from the committed seeds; what is found stays in $CACHE/fuzz. Without a
# sanitizer: there is no unsafe code to catch, and stable Rust is enough.
suite_fuzz() {
  install_cargo_tool cargo-fuzz 0.13.2
  local target folder=$CACHE/fuzz seconds=${MINTREU_TEST_FUZZ_SECONDS:-60}
  for target in tests/fuzz/corpus/*/; do
    target=$(basename "$target")
    mkdir -p "$folder/corpus/$target" "$folder/found/$target"
    "$TOOLS/bin/cargo-fuzz" fuzz run -s none --fuzz-dir tests/fuzz "$target" \
      "$folder/corpus/$target" "tests/fuzz/corpus/$target" -- -max_total_time="$seconds" \
      -rss_limit_mb=512 -timeout=5 -max_len=65536 -print_final_stats=1 \
      -artifact_prefix="$folder/found/$target/"
    ok
  done
}

suite_bench() {
  cargo bench -q --locked -p mintreu-benches
  ok
}
