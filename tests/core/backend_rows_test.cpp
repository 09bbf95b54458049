// The primitives of the CPU's backend against plain loops: moving data, products, losses, norms.
#include <algorithm>
#include <numeric>

#include "core/ops.h"
#include "support/backend_calls.h"

namespace rz::test {

TEST_SUITE("core/backend") {
  TEST_CASE("permute, every order of up to four axes and some of six") {
    const auto check = [](const Shape& shape, const std::vector<int>& axes, DType type) {
      CAPTURE(text(shape));
      std::vector<std::int64_t> extents;
      for (const int axis : axes) extents.push_back(shape[axis]);
      const Shape y_shape{std::span<const std::int64_t>(extents)};
      const Tensor x = values(shape, type, 1);
      const std::vector<double> xs = x.to_vector();
      const auto expected = [&](std::int64_t i) {
        const auto y_index = index_of(i, y_shape);
        std::vector<std::int64_t> index(axes.size());
        for (std::size_t k = 0; k < axes.size(); ++k) index[static_cast<std::size_t>(axes[k])] = y_index[k];
        return xs[broadcast_element(index, shape)];
      };
      check_call(y_shape, type, expected, [&](const Target& y, Workspace&) { cpu().permute(x.operand(), axes, y); });
    };
    for (const DType type : real_types) {
      for (const Shape& shape :
           {Shape{5}, Shape{3, 7}, Shape{130, 257}, Shape{1, 9}, Shape{2, 33, 40}, Shape{3, 1, 17, 18}}) {
        std::vector<int> axes(static_cast<std::size_t>(shape.rank()));
        std::iota(axes.begin(), axes.end(), 0);
        do {
          check(shape, axes, type);
        } while (std::next_permutation(axes.begin(), axes.end()));
      }
      check({2, 3, 4, 3, 2, 5}, {5, 3, 1, 0, 2, 4}, type);
      check({2, 3, 4, 3, 2, 50}, {2, 0, 4, 1, 3, 5}, type);
      check({2, 1000, 30}, {0, 2, 1}, type);
    }
    const Tensor bytes = values({70, 90}, DType::f32, 1).to(DType::u8),
                 halves = values({70, 90}, DType::f32, 1).to(DType::bf16);
    const int swapped[] = {1, 0};
    CHECK(identical(ops::permute(ops::permute(bytes, swapped), swapped), bytes));
    CHECK(identical(ops::permute(halves, swapped).to(DType::f64), ops::permute(halves.to(DType::f64), swapped)));
  }

  TEST_CASE("copy_block moves slices of any axis") {
    struct Case {
      Shape x, x_origin, y, y_origin, extent;
    };
    const Case cases[] = {{{9}, {2}, {20}, {11}, {7}},
                          {{50, 60}, {3, 0}, {41, 60}, {1, 0}, {40, 60}},
                          {{500, 60}, {0, 3}, {500, 41}, {0, 1}, {500, 40}},
                          {{50, 6}, {0, 5}, {50, 1}, {0, 0}, {50, 1}},
                          {{50, 1}, {0, 0}, {50, 6}, {0, 2}, {50, 1}},
                          {{3, 4, 5, 6}, {1, 1, 1, 1}, {4, 4, 4, 4}, {0, 1, 0, 2}, {2, 3, 4, 2}},
                          {{3, 40, 2000}, {1, 0, 0}, {1, 40, 2000}, {0, 0, 0}, {1, 40, 2000}},
                          {{3, 4}, {0, 0}, {3, 4}, {0, 0}, {0, 4}}};
    for (const DType type : real_types) {
      for (const Case& c : cases) {
        CAPTURE(text(c.x));
        const Tensor x = values(c.x, type, 1);
        std::vector<double> block(static_cast<std::size_t>(c.y.elements()));
        const std::vector<double> xs = x.to_vector();
        for (std::int64_t i = 0; i < c.extent.elements(); ++i) {
          auto from = index_of(i, c.extent), to = from;
          for (std::size_t k = 0; k < from.size(); ++k) {
            from[k] += c.x_origin[static_cast<int>(k)];
            to[k] += c.y_origin[static_cast<int>(k)];
          }
          block[broadcast_element(to, c.y)] = xs[broadcast_element(from, c.x)];
        }
        for (const bool accumulate : {false, true}) {
          const Tensor result = on_threads([&] {
            const Tensor y = Tensor::full(c.y, accumulate ? 3 : 0, type);
            cpu().copy_block(x.operand(), c.x_origin, Destination{y, accumulate}.target(), c.y_origin, c.extent);
            return y;
          });
          std::vector<double> wanted = block;
          for (double& e : wanted) e += accumulate ? 3 : 0;
          CHECK(close(result, wanted, tolerance_of(type)));
        }
      }
    }
  }

  TEST_CASE("gather and scatter rows, and refuse an index that is none") {
    for (const DType type : real_types) {
      for (const std::int64_t columns : {1, 3, 300}) {
        const Tensor table = values({11, columns}, type, 1), d_y = values({500, columns}, type, 2);
        std::vector<std::int64_t> index(500);
        for (std::size_t i = 0; i < index.size(); ++i) index[i] = static_cast<std::int64_t>(i * i % 11);
        const Tensor indices = Tensor::of_integers({500}, index);
        const std::vector<double> t = table.to_vector(), d = d_y.to_vector();
        const auto gathered = [&](std::int64_t i) {
          return t[static_cast<std::size_t>(index[static_cast<std::size_t>(i / columns)] * columns + i % columns)];
        };
        check_call({500, columns}, type, gathered,
                   [&](const Target& y, Workspace&) { cpu().gather_rows(table.operand(), indices.operand(), y); });
        std::vector<double> wanted = t;
        for (std::size_t i = 0; i < d.size(); ++i) {
          const auto c = static_cast<std::size_t>(columns);
          wanted[static_cast<std::size_t>(index[i / c]) * c + i % c] += d[i];
        }
        const Tensor sums = on_threads([&] {
          const Tensor to = table.clone();
          cpu().scatter_add_rows(d_y.operand(), indices.operand(), Destination{to, true}.target());
          return to;
        });
        CHECK(close(sums, wanted, 20 * tolerance_of(type)));
      }
    }
    const Tensor table = values({4, 3}, DType::f32, 1),
                 wrong = Tensor::of_integers({3}, std::vector<std::int64_t>{0, 4, 1});
    CHECK(mentions(message_of(ErrorCode::value, [&] { ops::gather_rows(table, wrong); }),
                   {"gather_rows", "index 4", "position 1", "extent 4"}));
    CHECK(mentions(
        message_of(ErrorCode::value, [&] { ops::scatter_add_rows(values({3, 3}, DType::f32, 2), wrong, table); }),
        {"scatter_add_rows", "4"}));
  }

  TEST_CASE("gather columns, zeros where there is none") {
    for (const DType type : real_types) {
      for (const std::int64_t count : {0, 1, 7, 300}) {
        const Tensor x = values({130, 11}, type, 1);
        std::vector<std::int64_t> index;
        for (std::int64_t j = 0; j < count; ++j) index.push_back(j * j % 12 - 1);
        const Tensor indices = Tensor::of_integers({count}, index);
        const std::vector<double> from = x.to_vector();
        const auto gathered = [&](std::int64_t i) {
          const std::int64_t column = index[static_cast<std::size_t>(i % count)];
          return column < 0 ? 0 : from[static_cast<std::size_t>(i / count * 11 + column)];
        };
        check_call({130, count}, type, gathered,
                   [&](const Target& y, Workspace&) { cpu().gather_columns(x.operand(), indices.operand(), y); });
      }
    }
    const Tensor wrong = Tensor::of_integers({2}, std::vector<std::int64_t>{-1, 3});
    CHECK(mentions(message_of(ErrorCode::value, [&] { ops::gather_columns(values({4, 3}, DType::f32, 1), wrong); }),
                   {"gather_columns", "index 3", "position 1", "extent 3"}));
  }

  TEST_CASE("gemm, all transpositions, odd shapes and batches") {
    struct Case {
      std::int64_t m, n, k, batch_a, batch_b;  // 0: rank 2
    };
    const Case cases[] = {{1, 1, 1, 0, 0},      {17, 1, 5, 0, 0},     {1, 33, 64, 0, 0},    {128, 10, 256, 0, 0},
                          {129, 257, 70, 0, 0}, {300, 40, 129, 0, 0}, {65, 513, 300, 0, 0}, {64, 64, 64, 3, 3},
                          {5, 7, 3, 40, 40},    {5, 7, 3, 40, 0},     {5, 7, 3, 0, 40},     {5, 7, 3, 1, 4},
                          {70, 80, 90, 4, 1},   {3, 4, 0, 0, 0},      {0, 4, 3, 0, 0},      {3, 0, 4, 2, 2}};
    for (const DType type : real_types) {
      for (const Case& c : cases) {
        for (int which = 0; which < 4; ++which) {
          const auto op_a = static_cast<Transpose>(which & 1), op_b = static_cast<Transpose>(which >> 1);
          CAPTURE(c.m);
          CAPTURE(c.n);
          CAPTURE(c.k);
          CAPTURE(which);
          const bool ta = op_a == Transpose::yes, tb = op_b == Transpose::yes;
          Shape a_shape = ta ? Shape{c.k, c.m} : Shape{c.m, c.k}, b_shape = tb ? Shape{c.n, c.k} : Shape{c.k, c.n};
          if (c.batch_a > 0) a_shape = a_shape.prepended(c.batch_a);
          if (c.batch_b > 0) b_shape = b_shape.prepended(c.batch_b);
          Shape y_shape{c.m, c.n};
          if (c.batch_a + c.batch_b > 0) y_shape = y_shape.prepended(std::max(c.batch_a, c.batch_b));
          const Tensor a = values(a_shape, type, 1), b = values(b_shape, type, 2);
          const std::vector<double> as = a.to_vector(), bs = b.to_vector();
          const auto expected = [&](std::int64_t e) {
            const std::int64_t j = e % c.n, i = e / c.n % c.m, z = e / (c.n * c.m);
            const std::int64_t za = c.batch_a > 1 ? z * c.m * c.k : 0, zb = c.batch_b > 1 ? z * c.n * c.k : 0;
            double sum = 0;
            for (std::int64_t l = 0; l < c.k; ++l) {
              sum += as[static_cast<std::size_t>(za + (ta ? l * c.m + i : i * c.k + l))] *
                     bs[static_cast<std::size_t>(zb + (tb ? j * c.k + l : l * c.n + j))];
            }
            return -1.25 * sum;
          };
          check_call(
              y_shape, type, expected,
              [&](const Target& y, Workspace& w) { cpu().gemm(op_a, a.operand(), op_b, b.operand(), -1.25, y, w); },
              tolerance_of(type) * 10);
        }
      }
    }
  }

  TEST_CASE("softmax cross entropy: loss, gradient, smoothing, ignored and impossible labels") {
    for (const DType type : real_types) {
      for (const std::int64_t classes : {1, 10, 5000}) {
        for (const double smoothing : {0.0, 0.1}) {
          const std::int64_t rows = classes > 100 ? 5 : 900;
          const Tensor logits = ops::scale(5, values({rows, classes}, type, 1));
          std::vector<std::int64_t> label(static_cast<std::size_t>(rows));
          for (std::size_t r = 0; r < label.size(); ++r) label[r] = static_cast<std::int64_t>(r * 7) % classes;
          label[2] = -100;
          const Tensor labels = Tensor::of_integers({rows}, label);
          const std::vector<double> x = logits.to_vector();
          std::vector<double> losses(label.size()), gradient(x.size());
          for (std::size_t r = 0, n = static_cast<std::size_t>(classes); r < label.size(); ++r) {
            if (label[r] < 0) continue;
            const double* row = x.data() + r * n;
            const double top = *std::max_element(row, row + n);
            double sum = 0;
            for (std::size_t c = 0; c < n; ++c) sum += std::exp(row[c] - top);
            for (std::size_t c = 0; c < n; ++c) {
              const double target =
                  smoothing / static_cast<double>(n) + (static_cast<std::int64_t>(c) == label[r] ? 1 - smoothing : 0);
              losses[r] += target * (std::log(sum) + top - row[c]);
              gradient[r * n + c] = std::exp(row[c] - top) / sum - target;
            }
          }
          const CrossEntropyOptions options{.label_smoothing = smoothing};
          const auto element = [](const std::vector<double>& v) {
            return [&v](std::int64_t i) { return v[static_cast<std::size_t>(i)]; };
          };
          const Tensor other({rows}, type), counted({rows}, type);
          const Tensor wide({rows, classes}, type);
          check_call({rows}, type, element(losses), [&](const Target& y, Workspace&) {
            cpu().softmax_cross_entropy(logits.operand(), labels.operand(), options, y, Destination{counted}.target(),
                                        {nullptr, {}, type});
          });
          check_call({rows, classes}, type, element(gradient), [&](const Target& d, Workspace&) {
            cpu().softmax_cross_entropy(logits.operand(), labels.operand(), options, Destination{other}.target(),
                                        Destination{counted}.target(), d);
          });
          std::vector<double> ones(label.size(), 1.0);
          ones[2] = 0;
          CHECK(close(counted, ones, 0));
        }
      }
      const Tensor wrong = Tensor::of_integers({3}, std::vector<std::int64_t>{1, 3, -1});
      const ops::CrossEntropy result = ops::softmax_cross_entropy(values({3, 3}, type, 1), wrong, {}, true);
      const std::vector<double> losses = result.losses.to_vector(), d = result.d_logits.to_vector();
      CHECK(std::isfinite(losses[0]));
      CHECK(std::isnan(losses[1]));
      CHECK(std::isnan(losses[2]));
      CHECK(std::isfinite(d[2]));
      CHECK(std::isnan(d[3]));
    }
  }

  TEST_CASE("layer norm and its vjp") {
    for (const DType type : real_types) {
      for (const Shape& shape : {Shape{1, 1}, Shape{3, 5}, Shape{100, 513}, Shape{9000, 7}}) {
        CAPTURE(text(shape));
        const std::int64_t rows = shape[0], columns = shape[1];
        const auto n = static_cast<std::size_t>(columns);
        const double eps = 1e-3;
        const Tensor x = ops::add(values(shape, type, 1), Tensor::full(shape, 30, type)), d_y = values(shape, type, 2);
        const Tensor gain = values({columns}, type, 3), bias = values({columns}, type, 4);
        const auto xs = x.to_vector(), ds = d_y.to_vector(), gs = gain.to_vector(), bs = bias.to_vector();
        std::vector<double> xhat(xs.size()), d_x(xs.size()), d_gain(n), d_bias(n);
        for (std::size_t r = 0; r < static_cast<std::size_t>(rows); ++r) {
          double mean = 0, variance = 0, sum_g = 0, sum_gx = 0;
          for (std::size_t c = 0; c < n; ++c) mean += xs[r * n + c] / static_cast<double>(n);
          for (std::size_t c = 0; c < n; ++c)
            variance += (xs[r * n + c] - mean) * (xs[r * n + c] - mean) / static_cast<double>(n);
          const double inverse = 1 / std::sqrt(variance + eps);
          for (std::size_t c = 0, i = r * n; c < n; ++c, ++i) {
            xhat[i] = (xs[i] - mean) * inverse;
            sum_g += ds[i] * gs[c] / static_cast<double>(n);
            sum_gx += ds[i] * gs[c] * xhat[i] / static_cast<double>(n);
            d_gain[c] += ds[i] * xhat[i];
            d_bias[c] += ds[i];
          }
          for (std::size_t c = 0, i = r * n; c < n; ++c, ++i)
            d_x[i] = inverse * (ds[i] * gs[c] - sum_g - xhat[i] * sum_gx);
        }
        const double tolerance = type == DType::f32 ? 1e-4 : 1e-11;  // x is 30 deviations from 0
        const Tensor mean({rows}, type), inverse({rows}, type);
        check_call(
            shape, type,
            [&](std::int64_t i) {
              return xhat[static_cast<std::size_t>(i)] * gs[static_cast<std::size_t>(i) % n] +
                     bs[static_cast<std::size_t>(i) % n];
            },
            [&](const Target& y, Workspace&) {
              cpu().layer_norm(x.operand(), gain.operand(), bias.operand(), eps, y, Destination{mean}.target(),
                               Destination{inverse}.target());
            },
            tolerance);
        const Target none{nullptr, {}, type};
        const auto vjp = [&](const Target& to_x, const Target& to_gain, const Target& to_bias, Workspace& w) {
          cpu().layer_norm_vjp(x.operand(), gain.operand(), mean.operand(), inverse.operand(), d_y.operand(), to_x,
                               to_gain, to_bias, w);
        };
        check_call(
            shape, type, [&](std::int64_t i) { return d_x[static_cast<std::size_t>(i)]; },
            [&](const Target& d, Workspace& w) { vjp(d, none, none, w); }, tolerance * 30);
        check_call(
            {columns}, type, [&](std::int64_t i) { return d_gain[static_cast<std::size_t>(i)]; },
            [&](const Target& d, Workspace& w) { vjp(none, d, none, w); }, tolerance * 10);
        check_call(
            {columns}, type, [&](std::int64_t i) { return d_bias[static_cast<std::size_t>(i)]; },
            [&](const Target& d, Workspace& w) { vjp(none, none, d, w); }, tolerance);
      }
    }
  }
}

}  // namespace rz::test
