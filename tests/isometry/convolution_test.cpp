#include "tools/isometry/convolution.h"

#include <doctest/doctest.h>

#include <algorithm>
#include <cmath>
#include <limits>
#include <nlohmann/json.hpp>
#include <numbers>

#include "autograd/transforms.h"
#include "core/linalg.h"
#include "core/ops.h"
#include "core/parallel.h"
#include "nn/init.h"
#include "nn/models/fully_connected.h"
#include "nn/models/preact_resnet.h"
#include "nn/models/resnet.h"
#include "support/close.h"
#include "support/inputs.h"
#include "support/reference.h"

using namespace rz;
using namespace rz::isometry;
using namespace rz::test;

namespace {

// The map of images [height, width, channels] as a matrix, pixel by pixel.
Tensor circulant(const Tensor& weight, std::int64_t height, std::int64_t width) {
  const Shape& s = weight.shape();
  const std::int64_t out = s[0], in = s[1], kernel_height = s[2], kernel_width = s[3];
  Tensor a = Tensor::zeros({height * width * out, height * width * in}, DType::f64);
  const auto wrapped = [](std::int64_t i, std::int64_t n) { return (i % n + n) % n; };
  for (std::int64_t i = 0; i < height; ++i)
    for (std::int64_t j = 0; j < width; ++j)
      for (std::int64_t o = 0; o < out; ++o)
        for (std::int64_t c = 0; c < in; ++c)
          for (std::int64_t k = 0; k < kernel_height; ++k)
            for (std::int64_t l = 0; l < kernel_width; ++l) {
              const std::int64_t row = wrapped(i + k - kernel_height / 2, height),
                                 column = wrapped(j + l - kernel_width / 2, width);
              a.data<double>()[((i * width + j) * out + o) * height * width * in + (row * width + column) * in + c] +=
                  weight.data<double>()[((o * in + c) * kernel_height + k) * kernel_width + l];
            }
  return a;
}

Tensor drawn(const char* name, const Shape& shape, std::uint64_t seed = 1) {
  ParameterStore store;
  const Parameter weight = store.declare("w", shape, Role::weight, nn::init::named(name, shape));
  store.build(seed, DType::f64);
  return weight.value().clone();
}

// W[k, l] = f(k, l) for one channel.
template <class F>
Tensor one_channel(std::int64_t height, std::int64_t width, F&& f) {
  std::vector<double> values;
  for (std::int64_t k = 0; k < height; ++k)
    for (std::int64_t l = 0; l < width; ++l) values.push_back(f(static_cast<double>(k), static_cast<double>(l)));
  return Tensor::of({1, 1, height, width}, values);
}

bool is(const Frequency& f, std::int64_t down, std::int64_t across) { return f.down == down && f.across == across; }

}  // namespace

TEST_CASE("convolution: the singular values are those of the dense circulant matrix") {
  struct Case {
    Shape weight;
    std::int64_t height, width;
  };
  for (const Case& c : {Case{{3, 2, 3, 3}, 5, 7}, Case{{2, 3, 3, 3}, 4, 6}, Case{{4, 4, 1, 1}, 3, 5},
                        Case{{2, 2, 5, 3}, 3, 2}, Case{{1, 3, 2, 4}, 4, 5}, Case{{3, 1, 7, 5}, 1, 3},
                        Case{{2, 2, 3, 3}, 1, 1}, Case{{5, 3, 3, 3}, 2, 8}, Case{{1, 1, 4, 4}, 6, 6}}) {
    CAPTURE(text(c.weight));
    CAPTURE(c.height);
    CAPTURE(c.width);
    const Tensor weight = normal_input(c.weight, "kernel");
    const ConvolutionSpectrum s = convolution_spectrum(weight, c.height, c.width);
    const std::vector<double> dense = svdvals(circulant(weight, c.height, c.width));
    CHECK(s.out == c.weight[0]);
    CHECK(s.in == c.weight[1]);
    CHECK(std::ssize(s.values.singular_values) == c.height * c.width * std::min(c.weight[0], c.weight[1]));
    CHECK(close(s.values.singular_values, dense, 1e-12));
    CHECK(s.norm() == s.values.singular_values.front());
    CHECK(s.values.resolved == std::ssize(dense));
    CHECK(s.values.exact_zeros == 0);
  }
}

TEST_CASE("convolution: as computed independently with NumPy") {
  const nlohmann::json& golden = reference("ref07_blocks.json").at("circular_conv_fft");
  const Tensor weight = Tensor::of({2, 2, 3, 3}, numbers(golden["kernel"]));
  const std::int64_t n = golden["n"];
  CHECK(close(convolution_spectrum(weight, n, n).values.singular_values, numbers(golden["sv"]), 1e-13));
}

TEST_CASE("convolution: delta-orthogonal kernels are isometries, 1 x 1 kernels their matrix at every pixel") {
  for (const Shape& shape : {Shape{6, 6, 3, 3}, Shape{7, 4, 5, 3}, Shape{4, 7, 3, 3}}) {
    const ConvolutionSpectrum s = convolution_spectrum(drawn("delta_orthogonal", shape), 6, 5);
    CHECK(close(s.values.singular_values, std::vector<double>(s.values.singular_values.size(), 1), 1e-14));
    CHECK(is(s.largest, 0, 0));
  }
  const Tensor weight = normal_input({3, 4, 1, 1}, "1 x 1");
  const std::vector<double> matrix_values = svdvals(weight.reshape({3, 4}));
  const ConvolutionSpectrum s = convolution_spectrum(weight, 3, 5);
  for (std::size_t i = 0; i < 45; ++i) CHECK(close(s.values.singular_values[i], matrix_values[i / 15], 1e-14));
}

TEST_CASE("convolution: the largest value and its frequency") {
  const Tensor difference = Tensor::of({1, 1, 1, 3}, std::vector<double>{-1, 0, 1});  // 2 |sin(2 pi v / width)|
  const ConvolutionSpectrum across = convolution_spectrum(difference, 4, 12);
  CHECK(close(across.norm(), 2, 1e-14));
  CHECK(is(across.largest, 0, 3));
  const Tensor laplacian = Tensor::of({1, 1, 3, 3}, std::vector<double>{0, -1, 0, -1, 4, -1, 0, -1, 0});
  const ConvolutionSpectrum rough = convolution_spectrum(laplacian, 6, 8);
  CHECK(close(rough.norm(), 8, 1e-14));
  CHECK(is(rough.largest, 3, 4));
  CHECK(rough.values.exact_zeros == 1);  // of constant images: 4 - 1 - 1 - 1 - 1
  CHECK(rough.values.resolved == 6 * 8 - 1);
  // A wave as a kernel, as large as the image, answers to itself alone.
  for (const Frequency& f : {Frequency{2, -3}, Frequency{2, 3}, Frequency{0, 4}, Frequency{3, 0}, Frequency{4, 2}}) {
    const Tensor wave = one_channel(8, 9, [&](double k, double l) {
      return std::cos(2 * std::numbers::pi *
                      (static_cast<double>(f.down) * k / 8 + static_cast<double>(f.across) * l / 9));
    });
    const ConvolutionSpectrum s = convolution_spectrum(wave, 8, 9);
    CHECK(close(s.norm(), 36, 1e-12));
    CHECK(is(s.largest, f.down, f.across));
  }
}

TEST_CASE("convolution: the mean square is that of the kernel, channels without weights give exact zeros") {
  const Tensor kaiming = drawn("kaiming_normal", {16, 16, 3, 3});
  const ConvolutionSpectrum s = convolution_spectrum(kaiming, 16, 16);
  double squares = 0;
  for (const double sigma : s.values.singular_values) squares += sigma * sigma;
  const auto values = static_cast<double>(s.values.singular_values.size());
  CHECK(close(squares / values, ops::sum_of_squares(kaiming).item() / 16, 1e-13));
  CHECK(close(squares / values, 2, 4 * 2 * std::sqrt(2.0 / 2304)));  // gain^2 times out / min(out, in)
  // Each A(u, v) is a Gaussian matrix of variance 2 / 16 (complex, or real at four frequencies): all end near
  // 2 sqrt(2), the square law's edge.
  CHECK(s.norm() > 2.6);
  CHECK(s.norm() < 3.6);

  Tensor sparse = normal_input({3, 4, 3, 3}, "sparse");
  std::fill_n(sparse.data<double>() + 4 * 9, 4 * 9, 0.0);  // nothing is written to channel 1
  const ConvolutionSpectrum zeros = convolution_spectrum(sparse, 5, 4);
  CHECK(zeros.values.exact_zeros == 20);
  CHECK(zeros.values.resolved == 40);
  const ConvolutionSpectrum nothing = convolution_spectrum(Tensor::zeros({2, 2, 3, 3}, DType::f32), 3, 3);
  CHECK(nothing.norm() == 0);
  CHECK(nothing.values.exact_zeros == 18);
}

TEST_CASE("convolution: f32 weights are computed in f64, whatever the number of threads [threads]") {
  const Tensor single = normal_input({5, 4, 3, 3}, "threads", DType::f32);
  const std::vector<double> wanted = convolution_spectrum(single.to(DType::f64), 7, 6).values.singular_values;
  std::vector<double> shares;
  for (const int count : {1, 3}) {
    set_threads(count);
    shares.clear();
    const ConvolutionSpectrum s =
        convolution_spectrum(single, 7, 6, {.progress = [&](double share) { shares.push_back(share); }});
    CHECK(s.values.singular_values == wanted);
    CHECK(std::is_sorted(shares.begin(), shares.end()));
    CHECK(shares.back() == 1);
  }
  set_threads(0);
}

TEST_CASE("convolution: 64 channels on 32 x 32 pixels") {
  const Tensor weight = drawn("kaiming_normal", {64, 64, 3, 3});
  const ConvolutionSpectrum s = convolution_spectrum(weight, 32, 32);
  REQUIRE(s.values.singular_values.size() == 65536);
  double squares = 0;
  for (const double sigma : s.values.singular_values) squares += sigma * sigma;
  CHECK(close(squares / 65536, ops::sum_of_squares(weight).item() / 64, 1e-12));
}

TEST_CASE("convolution: what is no kernel is refused") {
  const Tensor weight = normal_input({2, 3, 3, 3}, "refused");
  CHECK(mentions(message_of(ErrorCode::shape, [&] { convolution_spectrum(weight.reshape({6, 9}), 4, 4); }),
                 {"[6, 9]", "[out, in, kernel height, kernel width]"}));
  CHECK(mentions(message_of(ErrorCode::shape, [&] { convolution_spectrum(weight, 0, 4); }), {"0 x 4"}));
  message_of(ErrorCode::dtype, [&] { convolution_spectrum(weight.to(DType::i64), 4, 4); });
  CHECK(mentions(message_of(ErrorCode::memory, [&] { convolution_spectrum(weight, 1 << 30, 1 << 30); }), {"budget"}));
  Tensor broken = weight.clone();
  broken.data<double>()[30] = std::numeric_limits<double>::quiet_NaN();
  CHECK(mentions(message_of(ErrorCode::value, [&] { convolution_spectrum(broken, 4, 4); }), {"row 1"}));
}

TEST_CASE("convolution: the images that a model's kernels read") {
  nn::ResNet model({.layers = 8, .image = {.inputs = {3, 8, 12}}});
  model.parameters().build(1);
  const auto use = [&](const char* name) { return use_of_kernel(model, model.parameters().find(name)); };
  const auto conv1 = use("conv1.weight"), halving = use("layer2.0.conv1.weight"), after = use("layer2.0.conv2.weight");
  REQUIRE(conv1);
  CHECK(conv1->keeps_size());
  CHECK(conv1->height == 8);
  CHECK(conv1->width == 12);
  REQUIRE(halving);
  CHECK_FALSE(halving->keeps_size());
  CHECK(halving->height == 8);
  CHECK(halving->out_width == 6);
  REQUIRE(after);
  CHECK(after->width == 6);
  CHECK_FALSE(use("linear.weight"));
}
