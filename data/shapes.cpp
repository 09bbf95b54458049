#include "data/shapes.h"

#include <algorithm>
#include <array>
#include <cmath>
#include <iterator>

#include "core/error.h"
#include "core/parallel.h"
#include "core/random.h"

namespace rz {
namespace {

constexpr int side = 32, plane = side * side, channels = 3;
constexpr int samples = 4;  // of an edge pixel, along each axis
constexpr double radius = 9;

// Each shape is a test of a point: u to the right, v down, the shape within about the unit circle.
double square(double x) { return x * x; }
bool circle(double u, double v) { return u * u + v * v <= square(0.88); }
bool box(double u, double v) { return std::abs(u) <= 0.76 && std::abs(v) <= 0.76; }
bool triangle(double u, double v) { return v <= 0.72 && std::abs(u) <= 0.58 * (v + 1); }
bool cross(double u, double v) {
  const double a = std::abs(u), b = std::abs(v);
  return std::max(a, b) <= 0.95 && std::min(a, b) <= 0.28;
}
bool ring(double u, double v) {
  const double r2 = u * u + v * v;
  return r2 <= square(0.95) && r2 >= square(0.55);
}
bool crescent(double u, double v) { return u * u + v * v <= square(0.95) && square(u - 0.5) + v * v >= square(0.75); }
bool heart(double u, double v) {
  const double x = 1.2 * u, y = 0.15 - 1.2 * v, a = x * x + y * y - 1;
  return a * a * a <= x * x * y * y * y;
}
bool arrow(double u, double v) {
  return v < 0 ? v >= -1 && std::abs(u) <= 0.85 * (v + 1) : v <= 0.95 && std::abs(u) <= 0.25;
}
bool hourglass(double u, double v) { return std::abs(v) <= 0.85 && std::abs(u) <= 0.05 + 0.8 * std::abs(v); }
// A pentagram is where at least four of its five lines have the point on their inner side.
bool star(double u, double v) {
  constexpr double normals[5][2] = {{0, -1},
                                    {0.9510565163, -0.3090169944},
                                    {0.5877852523, 0.8090169944},
                                    {-0.5877852523, 0.8090169944},
                                    {-0.9510565163, -0.3090169944}};
  int inside = 0;
  for (const auto& n : normals) inside += n[0] * u + n[1] * v <= 0.33;
  return inside >= 4;
}

struct Kind {
  const char* name;
  bool (*contains)(double u, double v);
};
constexpr Kind kinds[] = {{"circle", circle}, {"square", box},         {"triangle", triangle}, {"star", star},
                          {"cross", cross},   {"ring", ring},          {"crescent", crescent}, {"heart", heart},
                          {"arrow", arrow},   {"hourglass", hourglass}};

// Where the shape lies: maps a point of the image to the shape's u and v.
struct Placement {
  double x, y, cosine, sine;  // the latter two divided by the radius
  bool test(const Kind& kind, double px, double py) const {
    const double dx = px - x, dy = py - y;
    return kind.contains(cosine * dx + sine * dy, cosine * dy - sine * dx);
  }
};

// By Taylor's series of an eighth of the angle and doubling: libm differs from machine to machine, these images do not.
void sine_and_cosine(double angle, double& sine, double& cosine) {
  const double t = angle / 8, t2 = t * t;
  sine = t * (1 - t2 / 6 * (1 - t2 / 20 * (1 - t2 / 42)));
  cosine = 1 - t2 / 2 * (1 - t2 / 12 * (1 - t2 / 30 * (1 - t2 / 56)));
  for (int k = 0; k < 3; ++k) {
    const double s = sine, c = cosine;
    sine = 2 * s * c;
    cosine = c * c - s * s;
  }
}

Placement place(const ShapesOptions& options, Random& random) {
  Placement p{};
  p.x = side / 2.0 + random.uniform(-options.position, options.position);
  p.y = side / 2.0 + random.uniform(-options.position, options.position);
  sine_and_cosine(random.uniform(-options.rotation, options.rotation) * (3.14159265358979323846 / 180), p.sine,
                  p.cosine);
  const double size = radius * random.uniform(options.scale_low, options.scale_high);
  p.cosine /= size;
  p.sine /= size;
  return p;
}

// The part of each pixel that the shape covers. Only pixels whose corners disagree are looked at more closely.
void cover(const Kind& kind, const Placement& place, std::array<float, plane>& coverage) {
  std::array<std::array<bool, side + 1>, 2> corners{};
  for (int y = 0; y <= side; ++y) {
    auto& above = corners[static_cast<std::size_t>((y + 1) % 2)];
    auto& here = corners[static_cast<std::size_t>(y % 2)];
    for (std::size_t x = 0; x <= side; ++x) here[x] = place.test(kind, static_cast<double>(x), y);
    if (y == 0) continue;
    for (std::size_t x = 0; x < side; ++x) {
      const int inside = above[x] + above[x + 1] + here[x] + here[x + 1];
      int hits = inside == 4 ? samples * samples : 0;
      if (inside > 0 && inside < 4) {
        for (int i = 0; i < samples; ++i) {
          const double py = y - 1 + (i + 0.5) / samples;
          for (int j = 0; j < samples; ++j) hits += place.test(kind, static_cast<double>(x) + (j + 0.5) / samples, py);
        }
      }
      coverage[static_cast<std::size_t>(y - 1) * side + x] = static_cast<float>(hits) / (samples * samples);
    }
  }
}

using Colour = std::array<double, channels>;

Colour random_colour(Random& random) { return {random.uniform(), random.uniform(), random.uniform()}; }

double distance(const Colour& a, const Colour& b) {  // black and white are 1 apart
  return std::sqrt((square(a[0] - b[0]) + square(a[1] - b[1]) + square(a[2] - b[2])) / channels);
}

void check(const ShapesOptions& options) {
  const auto within = [](const char* name, double value, double low, double high) {
    RZ_CHECK(value, value >= low && value <= high, "shapes: {} {} is not in {} to {}", name, value, low, high);
  };
  within("position", options.position, 0, 16);
  within("scale_low", options.scale_low, 0.1, 4);
  within("scale_high", options.scale_high, options.scale_low, 4);
  within("rotation", options.rotation, 0, 180);
  within("contrast", options.contrast, 0, 0.4);
  within("background", options.background, 0, 1);
  within("noise", options.noise, 0, 1);
  RZ_CHECK(value, options.train >= 1 && options.train <= 10'000'000,
           "shapes: {} training images are not 1 to 10,000,000", options.train);
  RZ_CHECK(value, options.validation >= 1 && options.validation <= 10'000'000,
           "shapes: {} validation images are not 1 to 10,000,000", options.validation);
}

Dataset make(const ShapesOptions& options, const char* name, std::int64_t first, std::int64_t count) {
  Dataset data{.name = name, .class_names = {}, .pixels = {}, .labels = {}};
  for (const Kind& kind : kinds) data.class_names.emplace_back(kind.name);
  data.labels.resize(static_cast<std::size_t>(count));
  data.pixels.resize(static_cast<std::size_t>(count * data.features()));
  parallel_ranges(count, 64, [&](std::int64_t begin, std::int64_t end) {
    for (std::int64_t i = begin; i < end; ++i) {
      data.labels[static_cast<std::size_t>(i)] =
          draw_shape(options, first + i, data.pixels.data() + i * data.features());
    }
  });
  return data;
}

}  // namespace

std::uint8_t draw_shape(const ShapesOptions& options, std::int64_t index, std::uint8_t* pixels) {
  Random random(options.seed, stream_named("shapes") + static_cast<std::uint64_t>(index));
  const auto label = static_cast<std::uint8_t>(random.below(std::size(kinds)));
  const Placement placement = place(options, random);
  std::array<float, plane> coverage;
  cover(kinds[label], placement, coverage);

  const Colour background = random_colour(random);
  Colour foreground = random_colour(random);
  while (distance(background, foreground) < options.contrast) foreground = random_colour(random);
  const auto amplitude = static_cast<float>(options.noise * 255 / 128 * 1.7320508075688772);
  for (std::size_t c = 0; c < channels; ++c) {
    // The background changes linearly across the image, by at most options.background from corner to corner.
    const double slope_x = random.uniform(-0.5, 0.5) * options.background,
                 slope_y = random.uniform(-0.5, 0.5) * options.background;
    const auto front = static_cast<float>(255 * foreground[c]);
    for (std::size_t k = 0; k < plane;) {
      const std::size_t row = k / side;
      const auto x = static_cast<double>(k % side), y = static_cast<double>(row);
      auto back =
          static_cast<float>(255 * (background[c] + (slope_x * (x - side / 2.0) + slope_y * (y - side / 2.0)) / side));
      const auto step = static_cast<float>(255 * slope_x / side);
      std::uint64_t bits = random.bits();  // uniform noise for 8 pixels
      for (int byte = 0; byte < 8; ++byte, ++k, bits >>= 8, back += step) {
        const float noise = amplitude * (static_cast<float>(bits & 0xFF) - 127.5f);
        const float value = back + coverage[k] * (front - back) + noise;
        pixels[c * plane + k] = static_cast<std::uint8_t>(std::clamp(value + 0.5f, 0.0f, 255.0f));
      }
    }
  }
  return label;
}

DataSplits make_shapes(const ShapesOptions& options) {
  check(options);
  return {make(options, "shapes train", 0, options.train),
          make(options, "shapes validation", shapes_validation_start, options.validation)};
}

}  // namespace rz
