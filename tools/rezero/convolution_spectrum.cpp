#include "tools/rezero/convolution_spectrum.h"

#include <fmt/format.h>

#include <charconv>
#include <nlohmann/json.hpp>
#include <string_view>
#include <utility>
#include <vector>

#include "core/nearest.h"
#include "data/text.h"
#include "tools/isometry/convolution.h"
#include "tools/isometry/verdict.h"
#include "tools/rezero/command.h"
#include "tools/rezero/measured.h"
#include "tools/rezero/name_groups.h"
#include "tools/rezero/numbers.h"
#include "tools/rezero/progress.h"
#include "tools/rezero/size.h"
#include "tools/rezero/terminal.h"

namespace rz::tool {
namespace {

constexpr std::string_view of_weights = ".weight";

struct Pixels {
  std::int64_t height = 0, width = 0;
};

Pixels pixels_of(std::string_view text) {
  Pixels pixels;
  const char* const end = text.end();
  const auto height = std::from_chars(text.begin(), end, pixels.height);
  if (height.ec == std::errc() && height.ptr != end && *height.ptr == 'x') {
    const auto width = std::from_chars(height.ptr + 1, end, pixels.width);
    if (width.ec == std::errc() && width.ptr == end && pixels.height >= 1 && pixels.width >= 1) return pixels;
  }
  throw UsageError(fmt::format("--size: '{}' is no size of images (HxW, such as 32x32)", printable(text)));
}

bool is_kernel(const Parameter& p) { return p.role() == Role::weight && p.shape().rank() == 4; }

std::string without_suffix(std::string_view name) {
  return std::string(name.ends_with(of_weights) ? name.substr(0, name.size() - of_weights.size()) : name);
}

// " (did you mean 'conv1'?); there are conv1, layer1.{0..2}.conv1, ..."
std::string known_convolutions(const std::string& wanted, const ParameterStore& store) {
  std::vector<std::string> names, kinds;
  for (int i = 0; i < store.size(); ++i) {
    if (!is_kernel(store[i])) continue;
    names.push_back(without_suffix(store[i].name()));
    kinds.push_back(text(store[i].shape()));
  }
  if (names.empty()) return " (the network has no convolutions)";
  std::vector<NamedKind> named;
  for (std::size_t i = 0; i < names.size(); ++i) named.push_back({names[i], kinds[i]});
  std::string list;
  for (const NameGroup& group : group_names(named)) list += (list.empty() ? "" : ", ") + group.name;
  const std::vector<std::string_view> candidates(names.begin(), names.end());
  return did_you_mean(without_suffix(wanted), candidates) + "; there are " + list;
}

Parameter kernel_named(const std::string& name, const ParameterStore& store) {
  Parameter kernel = store.find(name);
  if (!kernel.defined()) kernel = store.find(name + std::string(of_weights));
  if (!kernel.defined())
    throw UsageError(fmt::format("--convolution: '{}' is no convolution of the network{}", printable(name),
                                 known_convolutions(name, store)));
  if (!is_kernel(kernel))
    throw UsageError(fmt::format("--convolution: {} {} is {}, not a kernel [out, in, height, width]", kernel.name(),
                                 text(kernel.shape()), kernel.shape().rank() == 2 ? "a matrix" : "no convolution"));
  return kernel;
}

// A convolution with all that is said of it.
struct Convolution {
  std::string name;
  Shape kernel;
  isometry::ConvolutionSpectrum spectrum;
  std::string padding;  // what that of the network is to the circular one
  std::string stride;   // what the network does besides; "" where it is nothing
};

std::string padding_text(const Shape& kernel) {
  if (kernel[2] == 1 && kernel[3] == 1) return "none: a 1 x 1 kernel needs no padding";
  return "circular padding; the network pads with zeros, for which this is an approximation";
}

std::string stride_text(const std::optional<isometry::ConvolutionUse>& use) {
  if (!use || use->keeps_size()) return "";
  return fmt::format("1; in the network it goes from {} x {} to {} x {} pixels and leaves the others out", use->height,
                     use->width, use->out_height, use->out_width);
}

Convolution analyze(const SpectrumOptions& options, const Source& source) {
  const Parameter kernel = kernel_named(options.convolution, source.model->parameters());
  const std::optional<isometry::ConvolutionUse> use = isometry::use_of_kernel(*source.model, kernel);
  Convolution c{.name = without_suffix(kernel.name()),
                .kernel = kernel.shape(),
                .spectrum = {},
                .padding = padding_text(kernel.shape()),
                .stride = stride_text(use)};
  if (options.size.empty() && !use)
    throw UsageError(fmt::format("--size: the network does not use {} on an image: give the size, HxW", c.name));
  const Pixels size = options.size.empty() ? Pixels{use->height, use->width} : pixels_of(options.size);
  Progress progress("spectrum", 100);
  c.spectrum = within_budget(options.memory, "--memory", [&](std::int64_t memory) {
    return isometry::convolution_spectrum(kernel.value(), size.height, size.width,
                                          {.memory = memory, .progress = [&](double share) {
                                             if (is_terminal(Stream::error))
                                               progress.update(static_cast<std::int64_t>(100 * share), "");
                                           }});
  });
  return c;
}

// As a part of the network with one sample, for files and pictures.
Measured measured_of(const Source& source, const Convolution& c) {
  const isometry::ConvolutionSpectrum& s = c.spectrum;
  const std::int64_t pixels = s.height * s.width;
  Measured m;
  m.name = source.name;
  m.weights = source.weights;
  m.inputs = fmt::format("{} x {} pixels, circular padding", s.height, s.width);
  m.part.of = "convolution " + c.name;
  m.result = isometry::result_of({s.values}, pixels * s.out, pixels * s.in, "convolution", DType::f64);
  m.result.method = "fourier";
  m.seed = {source.recipe.train.seed};
  m.input = {0};
  m.theory_reason = "it is one of whole stacks";
  m.verdicts = {isometry::verdicts(m.result).front()};  // the others speak of units and methods
  return m;
}

std::string text_of(const Convolution& c, const Measured& m) {
  const isometry::Summary& s = m.result.summary;
  const isometry::ConvolutionSpectrum& spectrum = c.spectrum;
  const isometry::Counts counts = isometry::counts_of(m.result.samples);
  const bool floored = counts.below_floor() > 0 && counts.exact_zeros == 0;
  std::string all = fmt::format("{}: singular values of {}, kernel {} on {} x {} pixels\n", m.name, m.part.of,
                                text(c.kernel), spectrum.height, spectrum.width);
  const auto line = [&](std::string_view label, std::string_view value) {
    all += fmt::format("  {:<24}{}\n", label, value);
  };
  line("weights", m.weights);
  line("padding", c.padding);
  if (!c.stride.empty()) line("stride", c.stride);
  all += '\n';
  line("singular values", count_text(counts.all));
  line("largest (operator norm)",
       fmt::format("{} at frequency ({}, {}): cycles down and across", isometry::power_of_ten(s.log10_max, 6),
                   spectrum.largest.down, spectrum.largest.across));
  line("smallest",
       floored ? fmt::format("below the floor of {:.2g}", m.result.floor) : isometry::power_of_ten(s.log10_min, 6));
  line("mean square", number_text(s.mean_square, 6));
  line("condition number",
       floored ? fmt::format("above {:.2g}", s.max / m.result.floor) : isometry::power_of_ten(s.log10_condition, 6));
  line("below the floor", fmt::format("{} (floor {:.2g})", count_text(counts.below_floor()), m.result.floor));
  line("exact zeros", count_text(counts.exact_zeros));
  return all + fmt::format("\n{}\n", m.verdicts.front().text);
}

std::string json_of(const Convolution& c, const Measured& m) {
  nlohmann::ordered_json json = measured_json(m);
  const auto extents = c.kernel.extents();
  const isometry::ConvolutionSpectrum& s = c.spectrum;
  json["convolution"] = {{"name", c.name},
                         {"kernel", std::vector<std::int64_t>(extents.begin(), extents.end())},
                         {"size", {s.height, s.width}},
                         {"norm", s.norm()},
                         {"frequency", {s.largest.down, s.largest.across}},
                         {"padding", c.padding}};
  if (!c.stride.empty()) json["convolution"]["stride"] = c.stride;
  return json.dump() + "\n";
}

}  // namespace

void check_convolution(const SpectrumOptions& o) {
  refuse(!o.size.empty() && o.convolution.empty(), "--size", "belongs to --convolution NAME");
  if (o.convolution.empty()) return;
  const std::pair<bool, const char*> others[] = {
      {!o.gates.empty(), "--gates"},
      {!o.depths.empty(), "--depths"},
      {!o.beside.empty(), "--beside"},
      {o.seeds.has_value(), "--seeds"},
      {o.part.of != "stack", "--of"},
      {o.part.from.has_value(), "--from"},
      {o.part.to.has_value(), "--to"},
      {!o.method.empty(), "--method"},
      {o.top.has_value(), "--top"},
      {o.theory == "on", "--theory"},
      {o.picture != "histogram", "--picture"},
      {!o.inputs.input.empty(), "--input"},
      {!o.inputs.inputs.empty(), "--inputs"},
      {o.inputs.samples > 0, "--samples"},
      {o.inputs.tokens > 0, "--tokens"},
      {!o.source.statistics.empty(), "--statistics"},
  };
  for (const auto& [given, flag] : others)
    refuse(given, flag, "--convolution NAME is of one kernel, without inputs (leave one of the two out)");
  refuse(o.source.checkpoint == "all", "--checkpoint", "--convolution NAME is of a single network (give a step)");
  refuse(o.precision != "f64", "--precision", "the transform is f64 throughout");
  if (!o.size.empty()) pixels_of(o.size);  // throws now
}

void convolution_spectrum(const SpectrumOptions& options) {
  const Source source = open_source(options.source, DType::f64);
  const Convolution c = analyze(options, source);
  const std::vector<Measured> series{measured_of(source, c)};
  const std::vector<Variant> single{Variant{}};
  write_outputs(options.output, {.text = [&] { return text_of(c, series.front()); },
                                 .json = [&] { return json_of(c, series.front()); },
                                 .csv = [&] { return measured_csv(series, single); },
                                 .arrays = [&] { return measured_arrays(series, single); },
                                 .svg = [&] { return report::svg(measured_histogram(series, single)); },
                                 .png = [&] { return report::png(measured_histogram(series, single)); }});
}

}  // namespace rz::tool
