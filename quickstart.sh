#!/usr/bin/env bash
# quickstart.sh [--build-only]: installs the packages needed, builds rezero, and trains one deep network in four residual forms side by side.
# Ends with the places of the curves and spectra. Nothing outside this folder changes but the packages.
set -euo pipefail
cd "$(dirname "$(readlink -f "${BASH_SOURCE[0]}")")"
source cmake/setup.sh
forms=(deep residual deep_layer_norm rezero)  # speed-ups are against the first
rezero=build/release/bin/rezero

case "$*" in
  "" | --build-only) ;;
  *) echo "usage: quickstart.sh [--build-only]" >&2; exit 2 ;;
esac

# The demonstration's folder: runs/quickstart, made anew each time; a folder of that name that is not ours stays as it is.
new_folder() {
  local folder=runs/quickstart number=2
  while [[ -e $folder && ! -e $folder/.made_by_quickstart ]]; do
    folder=runs/quickstart-$((number++))
  done
  rm -rf "$folder"
  mkdir -p "$folder"
  touch "$folder/.made_by_quickstart"
  echo "$folder"
}

demonstration() {
  local out form runs=()
  out=$(new_folder)
  for form in "${forms[@]}"; do
    echo "== train $form"
    "$rezero" train tools/recipes/quickstart.toml --set "model.form=$form" --out "$out/$form"
    runs+=("$out/$form")
  done
  echo "== compare"
  "$rezero" compare "${runs[@]}" --svg "$out/compare.svg" --csv "$out/compare.csv"
  for form in "${forms[@]}"; do
    echo "== singular values of $form"
    "$rezero" jacobian "$out/$form" --svg "$out/$form/jacobian.svg" --out "$out/$form/jacobian.json"
  done
  echo
  echo "Training curves    $out/compare.svg, as numbers in $out/compare.csv"
  echo "Singular values    $out/<form>/jacobian.svg, as numbers in $out/<form>/jacobian.json"
  echo "Runs               $out/<form>"
}

set_up "${build_packages[@]}"
cmake --preset release
cmake --build --preset release
if [[ ${1:-} == --build-only ]]; then
  echo "The command is $rezero"
else
  demonstration
fi
