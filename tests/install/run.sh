#!/usr/bin/env bash
# run.sh CMAKE BUILD CXX GENERATOR: installs BUILD into a new folder, builds the foreign project here against it and runs it.
# Headers must stay cheap for users: compiling and linking may take 5 seconds of processor time and 500 MB of address space.
set -euo pipefail
cmake=$1 build=$2 cxx=$3 generator=$4
source=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT

"$cmake" --install "$build" --prefix "$work/prefix" >"$work/log" || { tail -5 "$work/log"; exit 1; }
"$cmake" -S "$source" -B "$work/build" -G "$generator" -D CMAKE_BUILD_TYPE=Release -D CMAKE_CXX_COMPILER="$cxx" \
  -D CMAKE_PREFIX_PATH="$work/prefix" -D CMAKE_CXX_COMPILER_LAUNCHER=
TIMEFORMAT='%U %S'
{ time (ulimit -v 512000; "$cmake" --build "$work/build" >"$work/log" 2>&1 || { cat "$work/log" >&3; exit 1; }); } 3>&1 2>"$work/seconds"
read -r user system <"$work/seconds"
echo "compiled and linked: $user s in the compiler, $system s in the kernel"
awk -v user="$user" -v system_="$system" 'BEGIN { exit !(user + system_ < 5) }' || { echo "that is more than 5 seconds"; exit 1; }
"$work/build/consumer"
if [[ -x $work/prefix/bin/rezero ]]; then "$work/prefix/bin/rezero" --version; fi
