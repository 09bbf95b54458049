#include "core/scalar_functions.h"

#include <string>

#include "core/error.h"
#include "core/nearest.h"

namespace rz {
namespace {

constexpr ScalarInfo table[] = {
#define RZ_ROW(name, type)        \
  {#name,                         \
   scalars::type::uses_output,    \
   scalars::type::slopes_0_and_1, \
   scalars::type::kinks,          \
   scalars::type::max_slope,      \
   scalars::type::default_parameter},
    RZ_SCALAR_FUNCTIONS(RZ_ROW)
#undef RZ_ROW
};

constexpr ScalarFunction activation_list[] = {
#define RZ_ENTRY(name, type) ScalarFunction::name,
    RZ_ACTIVATIONS(RZ_ENTRY)
#undef RZ_ENTRY
};

constexpr std::string_view activation_names[] = {
#define RZ_NAME(name, type) #name,
    RZ_ACTIVATIONS(RZ_NAME)
#undef RZ_NAME
};

template <class F>
double evaluate_as(int order, double x, double p) {
  if (order == 0) return F::value(x, p);
  if (order == 1) return F::derivative(F::uses_output ? F::value(x, p) : x, p);
  return F::second_derivative(x, p);
}

}  // namespace

Scalar::Scalar(ScalarFunction f) : function(f), parameter(info(f).default_parameter) {}

const ScalarInfo& info(ScalarFunction f) { return table[static_cast<std::size_t>(f)]; }

std::span<const ScalarFunction> activations() { return activation_list; }

ScalarFunction activation_named(std::string_view name) {
  for (const ScalarFunction f : activation_list)
    if (info(f).name == name) return f;
  RZ_FAIL(value, "activation: {}", unknown_name(name, activation_names));
}

double evaluate(Scalar f, int order, double x) {
  RZ_ASSERT(order >= 0 && order <= 2);
  switch (f.function) {
#define RZ_CASE(name, type)  \
  case ScalarFunction::name: \
    return evaluate_as<scalars::type>(order, x, f.parameter);
    RZ_SCALAR_FUNCTIONS(RZ_CASE)
#undef RZ_CASE
  }
  RZ_FAIL(internal, "scalar: there is no function {}", static_cast<int>(f.function));
}

}  // namespace rz
