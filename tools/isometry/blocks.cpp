#include "tools/isometry/blocks.h"

#include <cmath>

#include "core/error.h"

namespace rz::isometry {

void BlockNorms::add(const Tensor& jacobian) {
  const std::int64_t rows = jacobian.shape()[0], columns = jacobian.shape()[1];
  RZ_CHECK(shape, rows % tokens_ == 0 && columns % tokens_ == 0, "blocks: a Jacobian {} has no blocks of {} tokens",
           jacobian.shape(), tokens_);
  const std::int64_t height = rows / tokens_, width = columns / tokens_;
  for (std::int64_t row = 0; row < rows; ++row) {  // a row at a time: J may be large
    const std::vector<double> values = jacobian.rows(row, 1).to_vector();
    for (std::int64_t column = 0; column < columns; ++column) {
      const double value = values[static_cast<std::size_t>(column)];
      squares_[static_cast<std::size_t>(row / height * tokens_ + column / width)] +=
          value * value / static_cast<double>(width);
    }
  }
  ++samples_;
}

std::vector<double> BlockNorms::norms() const {
  std::vector<double> norms;
  norms.reserve(squares_.size());
  for (const double square : squares_) norms.push_back(std::sqrt(square / static_cast<double>(samples_)));
  return norms;
}

}  // namespace rz::isometry
