# What the suites need, and how it gets here. Sourced by tests/run.

VENV=$CACHE/venv
NODE_TOOLS=$CACHE/node
TOOLS=$CACHE/tools
POSTGRES_BIN="" POSTGRES_DATA="" REDIS_PID=""

prepare() {
  need_command cargo "rustup (its cargo and rustc)"
  need_command cc build-essential
  if [[ $1 != fast ]]; then
    need_packages
    install_python_tools
    install_node_tools
    rustup -q target add wasm32-unknown-unknown
  fi
  start_postgres "$1"
  start_redis "$1"
}

need_command() {
  command -v "$1" >/dev/null || { echo "missing: $1, from $2"; exit 2; }
}

# Installs Debian's packages as root or by sudo, or lists the missing ones and exits with 2.
need_packages() {
  local missing=()
  command -v python3 >/dev/null || missing+=(python3)
  python3 -c 'import ensurepip' 2>/dev/null || missing+=(python3-venv)
  command -v node >/dev/null || missing+=(nodejs)
  command -v npm >/dev/null || missing+=(npm)
  command -v ruby >/dev/null || missing+=(ruby)
  ruby -e 'require "ffi"' 2>/dev/null || missing+=(ruby-ffi)
  command -v chromium >/dev/null || missing+=(chromium)
  find_postgres || missing+=(postgresql)
  command -v redis-server >/dev/null || missing+=(redis-server)
  command -v dbus-run-session >/dev/null || missing+=(dbus)
  command -v gnome-keyring-daemon >/dev/null || missing+=(gnome-keyring)
  if ((${#missing[@]} == 0)); then return; fi
  local sudo=()
  if ((EUID != 0)); then sudo=(sudo -n); fi
  if ! command -v apt-get >/dev/null || ! "${sudo[@]}" true 2>/dev/null; then
    echo "missing packages, which only root can install: ${missing[*]}"
    exit 2
  fi
  echo "installing ${missing[*]}"
  "${sudo[@]}" apt-get -o DPkg::Lock::Timeout=300 -qq update
  DEBIAN_FRONTEND=noninteractive "${sudo[@]}" apt-get -o DPkg::Lock::Timeout=300 -qq -y \
    install --no-install-recommends "${missing[@]}" >"$LOGS/apt.log" 2>&1 ||
    { tail -20 "$LOGS/apt.log"; exit 2; }
}

# Runs a command only when the file that describes it is newer than its last run. The stamp holds
# the file's checksum, so that a fresh clone with the same file installs nothing.
once_for() {
  local stamp=$1 description=$2 sum
  shift 2
  sum=$(cksum <"$description")
  if [[ -f $stamp && $(<"$stamp") == "$sum" ]]; then return; fi
  "$@"
  echo "$sum" >"$stamp"
}

install_python_tools() {
  [[ -x $VENV/bin/python ]] || python3 -m venv "$VENV"
  once_for "$VENV/.installed" tests/tools/requirements.txt \
    "$VENV/bin/pip" -q --disable-pip-version-check install -r tests/tools/requirements.txt
}

install_node_tools() {
  mkdir -p "$NODE_TOOLS"
  cp tests/tools/package.json tests/tools/package-lock.json "$NODE_TOOLS/"
  once_for "$NODE_TOOLS/.installed" tests/tools/package-lock.json \
    npm --prefix "$NODE_TOOLS" install --silent --ignore-scripts --no-audit --no-fund
}

# A cargo tool of one version, built once: $1 is its package, $2 its version.
install_cargo_tool() {
  if [[ -x $TOOLS/bin/$1 && $("$TOOLS/bin/$1" --version) == *" $2"* ]]; then return; fi
  cargo install -q "$1" --version "=$2" --no-default-features --root "$TOOLS"
}

find_postgres() {
  local candidate
  for candidate in /usr/lib/postgresql/*/bin /usr/local/pgsql/bin; do
    if [[ -x $candidate/initdb && -x $candidate/postgres ]]; then POSTGRES_BIN=$candidate; fi
  done
  [[ -n $POSTGRES_BIN ]]
}

# PostgreSQL refuses to run as root.
as_postgres() {
  if ((EUID == 0)); then (cd / && runuser -u postgres -- "$@"); else "$@"; fi
}

free_port() {
  python3 -c 'import socket; s = socket.socket(); s.bind(("127.0.0.1", 0)); print(s.getsockname()[1])'
}

# Starts a throw-away server on loopback; it is told not to fsync, since it never has to survive.
start_postgres() {
  if [[ -n ${MINTREU_TEST_POSTGRES:-} ]]; then return; fi
  if ! find_postgres; then
    echo "PostgreSQL is not installed: its half of the tests is left out"
    [[ $1 == fast && -z ${CI:-} ]] || { FAILED=$((FAILED + 1)); }
    return
  fi
  POSTGRES_DATA=$(mktemp -d "${TMPDIR:-/tmp}/mintreu-pg.XXXXXX")
  if ((EUID == 0)); then chown postgres "$POSTGRES_DATA"; fi
  local port
  port=$(free_port)
  as_postgres "$POSTGRES_BIN/initdb" -D "$POSTGRES_DATA/db" -A trust -U postgres --no-sync \
    -E UTF8 --locale=C >"$LOGS/postgres.log" 2>&1
  as_postgres "$POSTGRES_BIN/pg_ctl" -D "$POSTGRES_DATA/db" -w -l "$POSTGRES_DATA/log" -o \
    "-k $POSTGRES_DATA -p $port -c listen_addresses=127.0.0.1 -c max_connections=200 \
     -c fsync=off -c synchronous_commit=off -c full_page_writes=off" start >>"$LOGS/postgres.log" 2>&1
  export MINTREU_TEST_POSTGRES="postgres://postgres@127.0.0.1:$port/postgres"
}

stop_postgres() {
  if [[ -z $POSTGRES_DATA ]]; then return; fi
  as_postgres "$POSTGRES_BIN/pg_ctl" -D "$POSTGRES_DATA/db" -m immediate stop >/dev/null 2>&1 || true
  rm -rf "$POSTGRES_DATA"
}

# A throw-away Redis on loopback that keeps nothing.
start_redis() {
  if [[ -n ${MINTREU_TEST_REDIS:-} ]]; then return; fi
  if ! command -v redis-server >/dev/null; then
    echo "Redis is not installed: its tests are left out"
    [[ $1 == fast && -z ${CI:-} ]] || { FAILED=$((FAILED + 1)); }
    return
  fi
  local port
  port=$(free_port)
  redis-server --port "$port" --bind 127.0.0.1 --save "" --appendonly no --dir "$LOGS" \
    >"$LOGS/redis.log" 2>&1 &
  REDIS_PID=$!
  for _ in $(seq 50); do
    if (exec 3<>"/dev/tcp/127.0.0.1/$port") 2>/dev/null; then break; fi
    sleep 0.1
  done
  export MINTREU_TEST_REDIS="redis://127.0.0.1:$port/0"
}

stop_redis() {
  if [[ -n $REDIS_PID ]]; then kill "$REDIS_PID" 2>/dev/null || true; fi
}
