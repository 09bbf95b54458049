#include "optim/ema.h"

#include "core/error.h"
#include "core/ops.h"

namespace rz::optim {

Ema::Ema(double decay) : decay_(decay) {
  RZ_CHECK(value, decay >= 0 && decay < 1, "ema: a decay of {} was given, but it must lie in [0, 1)", decay);
}

void Ema::prepare(ParameterStore& store) const { store.slot(slot).copy_from(store.values()); }

void Ema::update(ParameterStore& store, const StepState& state) const {
  ops::moving_average(decay_, state.tensor(), store.values(), store.slot(slot));
}

AveragedWeights::AveragedWeights(ParameterStore& store) : store_(store), kept_(store.values().clone()) {
  store_.values().copy_from(store_.slot(Ema::slot));
}
AveragedWeights::~AveragedWeights() { store_.values().copy_from(kept_); }

}  // namespace rz::optim
