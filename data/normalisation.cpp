#include "data/normalisation.h"

#include <algorithm>
#include <array>
#include <string>
#include <vector>

#include "core/error.h"
#include "core/nearest.h"
#include "data/text.h"

namespace rz {
namespace {

constexpr std::string_view choices[] = {"notebook", "dataset", "imagenet"};

constexpr Normalisation imagenet{.mean = {0.485, 0.456, 0.406}, .std = {0.229, 0.224, 0.225}};

// Of a single channel, the other two have nothing to normalise.
constexpr Normalisation grey(double mean, double std) { return {.mean = {mean, mean, mean}, .std = {std, std, std}}; }

struct SetConstants {
  std::string_view dataset;
  Normalisation normalisation;
};

constexpr SetConstants own_constants[] = {
    {"cifar10", {.mean = {0.4914, 0.4822, 0.4465}, .std = {0.2470, 0.2435, 0.2616}}},
    {"cifar100", {.mean = {0.5071, 0.4865, 0.4409}, .std = {0.2673, 0.2564, 0.2762}}},
    {"mnist", grey(0.1307, 0.3081)},
    {"fashion_mnist", grey(0.2860, 0.3530)},
};

Normalisation constants_of(std::string_view dataset) {
  std::string known;
  for (const SetConstants& set : own_constants) {
    if (set.dataset == dataset) return set.normalisation;
    known += (known.empty() ? "" : ", ") + std::string(set.dataset);
  }
  RZ_FAIL(value, "normalisation: {} has no published constants (dataset is for {}; notebook for all)",
          printable(dataset), known);
}

}  // namespace

std::span<const std::string_view> normalisation_names() { return choices; }

Normalisation normalisation_named(std::string_view name, std::string_view dataset, const Shape& image_shape) {
  if (name == "notebook") return {};
  if (name == "dataset") return constants_of(dataset);
  RZ_CHECK(value, name == "imagenet", "normalisation: {}", unknown_name(printable(name), choices));
  const int rank = image_shape.rank();
  RZ_CHECK(value, rank == 0 || (rank == 3 && image_shape[0] == 3),
           "normalisation: imagenet has constants of 3 channels, but the examples of {} are {} (notebook fits all)",
           printable(dataset), image_shape);
  return imagenet;
}

}  // namespace rz
