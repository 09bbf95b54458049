# Sourced by quickstart.sh and check.sh: installs the Debian packages that are missing (Debian 12 and 13; root or sudo).
# Changes nothing, and needs neither root nor the network, when all are there.

build_packages=(g++ cmake ninja-build ccache git ca-certificates gnuplot-nox libfmt-dev libopenblas-dev libxxhash-dev libzip-dev zlib1g-dev libpng-dev
  libcurl4-openssl-dev libarchive-dev
  nlohmann-json3-dev libtomlplusplus-dev libcli11-dev doctest-dev)
check_packages=(clang-format-19 locales)
full_packages=(clang-19 clang-tidy-19 libclang-rt-19-dev)

# set_up PACKAGE...
set_up() {
  if ! command -v dpkg-query >/dev/null; then
    echo "set-up: not a Debian system; rezero needs what these packages hold: $*"
    return 0
  fi
  local package missing=() root=()
  for package; do
    [[ $(dpkg-query -W -f='${db:Status-Status}' "$package" 2>/dev/null) == installed ]] || missing+=("$package")
  done
  [[ ${#missing[@]} -gt 0 ]] || return 0
  if [[ $EUID -ne 0 ]]; then
    command -v sudo >/dev/null || { echo "set-up: as root, run: apt-get install ${missing[*]}" >&2; return 1; }
    root=(sudo)
  fi
  echo "set-up: installing ${missing[*]}"
  local get=("${root[@]}" env DEBIAN_FRONTEND=noninteractive apt-get -qq -o DPkg::Lock::Timeout=600 -o Dpkg::Use-Pty=0)
  local log; log=$(mktemp)
  if ! { "${get[@]}" update && "${get[@]}" install --no-install-recommends "${missing[@]}"; } >"$log" 2>&1; then
    tail -n 5 "$log" >&2
    rm -f "$log"
    echo "set-up: apt-get could not install the packages" >&2
    return 1
  fi
  rm -f "$log"
}
