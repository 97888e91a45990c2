# Shared by quickstart and test. Sourced, in the root of the source tree.

say() { printf '%s: %s\n' "${0##*/}" "$*" >&2; }

# need_packages LIST...: names what of scripts/packages-LIST.txt is missing, and installs it on a Debian.
need_packages() {
  local package missing=() lists=("${@/%/.txt}")
  lists=("${lists[@]/#/scripts/packages-}")
  if ! command -v dpkg-query >/dev/null || ! command -v apt-get >/dev/null; then
    say "this is not Debian; install the equivalents of: $(grep -hv '^#' "${lists[@]}" | tr '\n' ' ')"
    exit 2
  fi
  while read -r package; do
    dpkg-query -W -f '${db:Status-Status}' "$package" 2>/dev/null | grep -qx installed ||
      missing+=("$package")
  done < <(grep -hv '^#' "${lists[@]}")
  [ ${#missing[@]} -gt 0 ] || return 0
  say "installing ${missing[*]}"
  need_root "to install packages"
  export DEBIAN_FRONTEND=noninteractive
  apt-get update -q >&2 && apt-get install -q -y --no-install-recommends "${missing[@]}" >&2 || {
    say "cannot install the packages above"
    exit 2
  }
}

need_root() {
  [ "$(id -u)" = 0 ] && return 0
  say "needs root $1 (run it with sudo)"
  exit 2
}

# build DIR [meson options] [-- targets]: configures when needed, and compiles, all or the targets.
build() {
  local dir=$1 options=()
  shift
  while [ $# -gt 0 ] && [ "$1" != -- ]; do options+=("$1") && shift; done
  [ $# -eq 0 ] || shift
  [ -f "$dir/build.ninja" ] || meson setup "$dir" "${options[@]}" >&2 || exit 1
  meson compile -C "$dir" -j "$(nproc)" "$@" >&2 || exit 1
}
