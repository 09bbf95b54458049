#!/usr/bin/env bash
# sweep-fc32.sh CIFAR10-FOLDER OUT: the paper's figure. 32 layers of 256 in every form, each at its own best learning rate of
# the grid: steps to a training loss of 1.5 within two epochs, three seeds. About 80 minutes on two cores.
set -euo pipefail
[[ $# == 2 ]] || { echo "usage: sweep-fc32.sh CIFAR10-FOLDER OUT" >&2; exit 2; }
here=$(dirname "$(readlink -f "${BASH_SOURCE[0]}")")
rezero=${REZERO:-$here/../../build/release/bin/rezero}
forms=$(cd "$here" && ls fc32-*.toml | sed 's/^fc32-//; s/\.toml$//; s/-/_/g' | paste -sd, -)
exec "$rezero" sweep "$here/fc32-rezero.toml" --set "data.path=$1" --set train.epochs=2 --out "$2" --seeds 3 \
  --grid "model.form=$forms" --grid optimizer.learning_rate=0.001,0.003,0.01,0.03 --by steps_to_loss --loss 1.5
