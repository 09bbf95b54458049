#include "tools/isometry/blocks.h"

#include <doctest/doctest.h>

#include <cmath>

#include "support/close.h"
#include "support/inputs.h"

using namespace rz;
using namespace rz::isometry;
using namespace rz::test;

TEST_CASE("blocks: root mean squares over samples, of matrices with more rows than columns") {
  const Tensor first = normal_input({9, 6}, "blocks a"), second = normal_input({9, 6}, "blocks b");
  BlockNorms blocks(3);
  blocks.add(first);
  blocks.add(second);
  const std::vector<double> a = first.to_vector(), b = second.to_vector(), norms = blocks.norms();
  for (int i = 0; i < 3; ++i)
    for (int j = 0; j < 3; ++j) {
      double sum = 0;
      for (int r = 3 * i; r < 3 * i + 3; ++r)
        for (int c = 2 * j; c < 2 * j + 2; ++c)
          for (const auto& m : {a, b})
            sum += m[static_cast<std::size_t>(6 * r + c)] * m[static_cast<std::size_t>(6 * r + c)];
      CHECK(norms[static_cast<std::size_t>(3 * i + j)] == doctest::Approx(std::sqrt(sum / 2 / 2)).epsilon(1e-14));
    }
}

TEST_CASE("blocks: the identity's are the identity; a matrix that has none is refused") {
  BlockNorms blocks(4);
  blocks.add(Tensor::identity(20, DType::f32));
  CHECK(close(Tensor::of({4, 4}, blocks.norms()), Tensor::identity(4), 1e-15));
  CHECK(mentions(message_of(ErrorCode::shape, [&] { blocks.add(Tensor::identity(6)); }), {"[6, 6]", "4 tokens"}));
}
