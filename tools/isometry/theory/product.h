// A free product of factors: edges, atoms and moments from the real curve, the density from the complex one.
#pragma once

#include <cstdint>
#include <optional>
#include <span>
#include <utility>
#include <vector>

#include "tools/isometry/theory/factor.h"
#include "tools/isometry/theory/law.h"

namespace rz::isometry {

class Product {
 public:
  struct Part {
    std::shared_ptr<const Factor> factor;
    double count;
  };
  explicit Product(std::vector<Part> parts);  // none: the constant 1

  TheorySpectrum summary() const;
  std::vector<double> density(std::span<const double> lambda) const;

 private:
  friend class Continuation;
  struct Master {  // log lambda at a point of the curve, and its derivative by z; changes of the states
    Linear log_lambda;
    std::vector<Linear> change;
  };
  Master master(Complex z, std::span<const Complex> state) const;
  std::optional<Linear> on_real_axis(double z) const;  // nothing where a factor is inside its support

  std::vector<LogAtom> atoms() const;  // but the one at 0, ascending
  double log_top() const;
  double log_bottom() const;  // -infinity where the support reaches 0
  double lowest_rank() const;
  bool gapped() const;  // between 0 and the positive part of the support
  // What is left when all but one layer are multiples of orthogonal matrices: its d^2, and the log of the multiple.
  std::optional<std::pair<const SlopeLaw*, double>> single() const;
  double log_edge(double side) const;

  std::vector<Part> parts_;
  std::size_t states_ = 0;
};

}  // namespace rz::isometry
