#!/usr/bin/env bash
# check.sh [--full]: format, release build, all tests. --full adds each instruction set, the sanitizers, the fuzzers and clang-tidy.
# The last line is "N passed, N failed" over all tests; when something else than a test fails, it is the reason. FUZZ_SECONDS=30 per fuzzer.
set -euo pipefail
cd "$(dirname "$(readlink -f "${BASH_SOURCE[0]}")")"
source cmake/setup.sh
passed=0 failed=0 logs=build/check

fail() {
  echo "check.sh: $1"
  exit 1
}

# stage NAME COMMAND...: runs a command, prints its seconds; its failure ends the check.
stage() {
  local name=$1 start=$SECONDS
  shift
  echo "== $name"
  "$@" || fail "$name failed"
  echo "   $((SECONDS - start)) s"
}

# logged NAME COMMAND...: output goes to a file, and its end to the terminal if the command fails.
logged() {
  local log=$logs/$1.log
  "${@:2}" >"$log" 2>&1 || { tail -n 60 "$log"; echo "(all of it: $log)"; return 1; }
}

# Files that a working tree has deleted are still listed: xargs would fail on them.
format() {
  git ls-files -coz --exclude-standard '*.h' '*.cpp' | while read -rd '' file; do [[ ! -e $file ]] || printf '%s\0' "$file"; done |
    logged format xargs -0 --no-run-if-empty clang-format-19 --dry-run -Werror
}

# build PRESET ARGUMENT...: arguments are those of cmake --build.
build() { logged "build-$1" cmake --preset "$1" && logged "build-$1" cmake --build --preset "$1" "${@:2}"; }

# tests NAME PRESET CTEST-ARGUMENT...: counts what passes and fails. A failing test does not end the check.
tests() {
  local log=$logs/tests-$1.log all bad
  ctest --test-dir "build/$2" --parallel 2 --output-on-failure "${@:3}" >"$log" 2>&1 || true
  read -r bad all < <(sed -nE 's/^[0-9]+% tests passed, ([0-9]+) tests? failed out of ([0-9]+)$/\1 \2/p' "$log") ||
    { tail -n 5 "$log"; return 1; }
  passed=$((passed + all - bad)) failed=$((failed + bad))
  echo "   $((all - bad)) passed, $bad failed"
  [[ $bad == 0 ]] || grep -vE '^ *Start +[0-9]+:|[. ]Passed +[0-9.]+ sec$|^ *$' "$log"
}

# The processor's best set is what the other runs use; here are the lesser ones.
instruction_sets() {
  local isa
  for isa in baseline:avx2 avx2:avx512vl; do  # set : the feature that makes it a lesser one
    if grep -qw "${isa#*:}" /proc/cpuinfo; then
      REZERO_ISA=${isa%:*} tests "${isa%:*}" release -L fast -R '^(core|autograd)/' || return 1
    fi
  done
}

# fuzz_one PROGRAM: new inputs are kept in build/check/corpus, so that later runs start from them.
fuzz_one() {
  local name=${1##*/fuzz_} seeds=()
  mkdir -p "$logs/corpus/$name"
  [[ ! -d tests/fuzz/corpus/$name ]] || seeds=("tests/fuzz/corpus/$name")
  logged "fuzz-$name" "$1" -max_total_time="${FUZZ_SECONDS:-30}" -timeout=20 -rss_limit_mb=2048 \
    -artifact_prefix="$logs/fuzz-$name-" "$logs/corpus/$name" "${seeds[@]}" && echo "   $name: nothing found"
}

# Two at a time; wait -n would lose the status of one that has already ended.
fuzz() {
  export -f fuzz_one logged
  export logs
  find build/asan/fuzz -maxdepth 1 -name 'fuzz_*' -perm -100 2>/dev/null | sort | xargs -r -P 2 -I{} bash -c 'fuzz_one "$1"' _ {}
}

# Tests are left out: doctest's macros expand to what the checks warn of. Units of several files are looked at, since most of the time goes
# into headers. The compile commands are g++'s, with its warning options.
tidy() {
  logged tidy-configure cmake --preset tidy && logged tidy run-clang-tidy-19 -quiet -j "$(nproc)" -p build/tidy -extra-arg=-Wno-error \
    -extra-arg=-Wno-unknown-warning-option "^$PWD/((core|autograd|nn|optim|data|tools)/.*\.cpp|build/tidy/.*\.cxx)\$"
}

case "$*" in
  "") stage set-up set_up "${build_packages[@]}" "${check_packages[@]}" ;;
  --full) stage set-up set_up "${build_packages[@]}" "${check_packages[@]}" "${full_packages[@]}" ;;
  *) echo "usage: check.sh [--full]" >&2; exit 2 ;;
esac
mkdir -p "$logs"
stage "format" format
stage "release build" build release
stage "tests" tests release release
if [[ ${1:-} == --full ]]; then
  stage "tests, lesser instruction sets" instruction_sets
  stage "address and undefined-behaviour build" build asan
  stage "tests, address and undefined-behaviour" tests asan asan -LE slow
  stage "fuzzers" fuzz
  stage "thread-sanitizer build" build tsan
  stage "tests, threads" tests tsan tsan -L threads
  stage "clang-tidy" tidy
fi
if [[ $failed != 0 ]]; then
  echo "check.sh: a test failed; logs are in $logs"
fi
echo "$passed passed, $failed failed"
[[ $failed == 0 ]]
