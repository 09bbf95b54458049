#!/usr/bin/env bash
# kernel_symbols.sh NM OBJECT...: fails if an object holds a weak symbol (an inline function or template with external linkage).
# The linker keeps one body of those for the whole program: it could be the AVX-512 one, on a machine without AVX-512.
set -euo pipefail
nm=$1; shift
found=$("$nm" -C "$@" | grep -E '^[0-9a-f]+ [WVu] ' | grep -v 'DW.ref.__gxx_personality_v0' | sort -u || true)
if [[ -n $found ]]; then
  echo "core/cpu/kernels: put these into RZ_ISA_BEGIN ... RZ_ISA_END or an unnamed namespace:"
  echo "$found"
  exit 1
fi
