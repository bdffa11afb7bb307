# Shared by quickstart.sh and test.sh: installing packages, configuring and building. Sourced, not run.

set -euo pipefail
root="$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)"

say() { printf '\n== %s\n' "$*"; }
fail() {
  printf '\nFAILED: %s\n' "$*" >&2
  exit 1
}

as_root() {
  if [ "$(id -u)" -eq 0 ]; then
    "$@"
  elif command -v sudo >/dev/null 2>&1; then
    sudo "$@"
  else
    fail "installing packages needs root or sudo; as root run: $*"
  fi
}

# names_in FILE...: package names of lists, without comments.
names_in() { sed -e 's/#.*//' -e '/^[[:space:]]*$/d' "$@"; }

# install_missing LIST...: installs those packages of the lists that are not there yet.
install_missing() {
  command -v dpkg-query >/dev/null 2>&1 ||
    fail "this is not Debian or Ubuntu; install the equivalents of packages/debian.txt yourself, then run cmake --preset release"
  local missing=() name
  while read -r name; do
    dpkg-query -W -f='${db:Status-Status}\n' "$name" 2>/dev/null | grep -qx installed || missing+=("$name")
  done < <(names_in "$@")
  if [ "${#missing[@]}" -eq 0 ]; then
    echo "all packages are installed"
    return
  fi
  echo "about to install with apt-get: ${missing[*]}"
  as_root apt-get update -qq || fail "apt-get update"
  as_root env DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends "${missing[@]}" >/dev/null ||
    fail "apt-get install ${missing[*]}"
}

# A Node.js that is there already is used; otherwise the distribution's is installed.
install_node() {
  if command -v node >/dev/null 2>&1 && command -v npm >/dev/null 2>&1; then
    echo "Node.js $(node --version) is there"
    return
  fi
  install_missing "$root/packages/debian-optional.txt"
}

# build PRESET TARGET...: configures once, then builds.
build() {
  local preset="$1"
  shift
  [ -f "$root/build/$preset/build.ninja" ] || cmake --preset "$preset" -S "$root" || fail "cmake --preset $preset"
  cmake --build "$root/build/$preset" --target "$@" || fail "building $*"
}
