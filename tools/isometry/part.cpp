#include "tools/isometry/part.h"

#include <fmt/format.h>

#include <algorithm>
#include <utility>

#include "core/error.h"

namespace rz::isometry {

Part stack_part(const nn::Model& model, std::optional<std::int64_t> from, std::optional<std::int64_t> to) {
  if (from || to) require_chain(model, "only the whole stack has a Jacobian");
  nn::Stages chain = model.stages();
  const std::int64_t last = std::ssize(chain.stages);
  const std::int64_t first = from.value_or(0), end = to.value_or(last);
  RZ_CHECK(value, first >= 0 && first <= last && end <= last,
           "the hidden state {} does not exist (they are counted from 0 to {})", end > last || end < 0 ? end : first,
           last);
  RZ_CHECK(value, first < end, "{} to {} is no part of the stack (the first must be below the second)", first, end);
  Part part{.of = "stack", .from = first, .to = end, .layers = last};
  if (model.input_type() == DType::i64) {
    part.embed = std::move(chain.input);
  } else {
    part.before.push_back(std::move(chain.input));
  }
  for (std::int64_t l = 0; l < end; ++l)
    (l < first ? part.before : part.stages).push_back(std::move(chain.stages[static_cast<std::size_t>(l)]));
  if (chain.run)
    part.whole = [run = std::move(chain.run), first, end](const Variable& x) { return run(x, first, end); };
  return part;
}

std::string name_of(const Part& part) {
  if (part.of != "stack" || (part.from == 0 && part.to == part.layers)) return part.of;
  return fmt::format("stack from hidden state {} to {}", part.from, part.to);
}

Part outline(const Part& part) {
  return {.of = part.of,
          .from = part.from,
          .to = part.to,
          .layers = part.layers,
          .statistics = part.statistics,
          .batch = part.batch};
}

void require_chain(const nn::Model& model, std::string_view why) {
  RZ_CHECK(value, model.stages().chain, "every layer of {} looks back at the first hidden state, so {}",
           model.formula(), why);
}

Part network_part(const nn::Model& model) {
  nn::Stages chain = model.stages();
  Part part{.of = "network", .to = std::ssize(chain.stages), .layers = std::ssize(chain.stages)};
  if (chain.run) {
    part.whole = [run = chain.run, input = chain.input, output = chain.output, last = part.to](const Variable& x) {
      return output(run(input(x), 0, last));
    };
  }
  if (model.input_type() == DType::i64) {
    part.embed = std::move(chain.input);
  } else {
    part.stages.push_back(std::move(chain.input));
  }
  for (Function& stage : chain.stages) part.stages.push_back(std::move(stage));
  part.stages.push_back(std::move(chain.output));
  return part;
}

Tensor input_of(const Part& part, const Tensor& x) {
  Tensor value = part.embed && x.dtype() == DType::i64 ? part.embed(Variable(x)).value() : x;
  for (const Function& f : part.before) value = f(Variable(value)).value();
  return value;
}

Variable apply(const Part& part, const Variable& x) {
  if (part.whole) return part.whole(x);
  Variable value = x;
  for (const Function& f : part.stages) value = f(value);
  return value;
}

Tensor sample(const Part& part, const Tensor& inputs, std::int64_t i) {
  const std::int64_t rows = std::max<std::int64_t>(1, part.batch);
  return inputs.rows(i * rows, rows);
}

std::int64_t samples(const Part& part, const Tensor& inputs) {
  return inputs.shape()[0] / std::max<std::int64_t>(1, part.batch);
}

Extents extents(const Part& part, const Tensor& x) {
  const Tensor input = input_of(part, sample(part, x, 0));
  return {apply(part, Variable(input)).value().elements(), input.elements()};
}

Tensor jacobian_of(const Part& part, const Function& f, const Tensor& h, JacobianOptions options) {
  if (part.batch > 0) options.mode = JacobianMode::forward;  // reverse mode repeats rows, which a batch norm would mix
  return rz::jacobian(f, h, options);
}

Tensor jacobian(const Part& part, const Tensor& x, const JacobianOptions& options) {
  return jacobian_of(part, [&part](const Variable& v) { return apply(part, v); }, input_of(part, x), options);
}

}  // namespace rz::isometry
