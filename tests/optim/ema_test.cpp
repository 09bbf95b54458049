#include "optim/ema.h"

#include <doctest/doctest.h>

#include <limits>

#include "optim/optimizer.h"
#include "support/close.h"
#include "support/guarded_device.h"
#include "support/trajectory.h"

using namespace rz;
using namespace rz::optim;
using namespace rz::test;

namespace {

// The average after `steps` of Adam, and the expected one.
std::vector<double> averages(TrajectoryParameters& p, double decay, std::size_t steps, std::vector<double>* expected) {
  const auto optimizer = Optimizer::create({.name = "adam"});
  const Ema ema(decay);
  optimizer->prepare(p.store);
  ema.prepare(p.store);
  if (expected) *expected = p.values();
  StepState state(p.store.device());
  Step step;
  for (std::size_t t = 0; t < steps; ++t) {
    p.set_gradients(trajectory_gradients(t));
    state.set(static_cast<std::int64_t>(t) + 1, 0.1);
    step.run([&] {
      optimizer->step(p.store, state);
      ema.update(p.store, state);
    });
    if (!expected) continue;
    const std::vector<double> values = p.values();
    for (std::size_t i = 0; i < values.size(); ++i) (*expected)[i] = decay * (*expected)[i] + (1 - decay) * values[i];
  }
  const AveragedWeights averaged(p.store);
  return p.values();
}

}  // namespace

TEST_SUITE("optim/ema") {
  TEST_CASE("ema: starts at the weights and follows them") {
    for (const double decay : {0.0, 0.5, 0.99}) {
      TrajectoryParameters p;
      std::vector<double> expected;
      CHECK(close(averages(p, decay, 20, &expected), expected, 1e-14));
      if (decay == 0) CHECK(p.values() == expected);
      CHECK(p.store.slot_names().back() == "ema");
    }
  }

  TEST_CASE("ema: AveragedWeights gives the weights back, bit for bit") {
    TrajectoryParameters p(DType::f32);
    const std::vector<double> average = averages(p, 0.9, 3, nullptr), weights = p.values();
    CHECK(average != weights);
    {
      const AveragedWeights averaged(p.store);
      CHECK(p.values() == average);
    }
    CHECK(p.values() == weights);
  }

  TEST_CASE("ema: a device whose memory the host cannot touch gives the same bits") {
    TrajectoryParameters host(DType::f32), device(DType::f32, use_guarded_device());
    CHECK(averages(host, 0.9, 4, nullptr) == averages(device, 0.9, 4, nullptr));
  }

  TEST_CASE("ema: a step that was left out leaves the average as it is") {
    TrajectoryParameters p;
    const Ema ema(0.5);
    averages(p, 0.5, 3, nullptr);
    const Tensor before = p.store.slot("ema").clone();
    std::vector<double> g = trajectory_gradients(3);
    g[0] = std::numeric_limits<double>::infinity();
    p.set_gradients(g);
    StepState state;
    state.set(4, 0.1);
    Optimizer::create({.name = "adam"})->step(p.store, state);
    ema.update(p.store, state);
    CHECK(identical(p.store.slot("ema"), before));
  }

  TEST_CASE("ema: a decay outside [0, 1) is refused") {
    for (const double decay : {-0.1, 1.0, static_cast<double>(NAN)})
      CHECK(mentions(message_of(ErrorCode::value, [&] { Ema{decay}; }), {"ema", "[0, 1)"}));
  }
}
