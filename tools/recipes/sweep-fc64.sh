#!/usr/bin/env bash
# sweep-fc64.sh CIFAR10-FOLDER OUT: the notebook's net in several forms, each at its own best learning rate: steps to a
# training loss of 1.5, three seeds. About an hour per form on two cores.
set -euo pipefail
[[ $# == 2 ]] || { echo "usage: sweep-fc64.sh CIFAR10-FOLDER OUT" >&2; exit 2; }
here=$(dirname "$(readlink -f "${BASH_SOURCE[0]}")")
rezero=${REZERO:-$here/../../build/release/bin/rezero}
exec "$rezero" sweep "$here/fc64-rezero.toml" --set "data.path=$1" --set train.epochs=3 --out "$2" --seeds 3 \
  --grid model.form=rezero,residual,deep,deep_layer_norm,pre_norm,post_norm --grid optimizer.learning_rate=0.001,0.003,0.01,0.03 \
  --by steps_to_loss --loss 1.5
