// rezero spectrum --convolution: the real binary.
#include <doctest/doctest.h>

#include <nlohmann/json.hpp>
#include <string>
#include <vector>

#include "data/npy.h"
#include "nn/models/resnet.h"
#include "support/close.h"
#include "support/command.h"
#include "support/temporary_folder.h"
#include "tools/isometry/convolution.h"

using namespace rz;
using namespace rz::test;
using nlohmann::json;

namespace {

// A ResNet of images 8 x 12.
class ConvolutionRecipe {
 public:
  ConvolutionRecipe() {
    write_file(path(), "[model]\nfamily = \"resnet\"\nlayers = 8\ninputs = [3, 8, 12]\noutputs = 4\n");
  }
  std::string path() const { return folder_.path() + "/r.toml"; }
  std::string file(const std::string& name) const { return folder_.path() + "/" + name; }
  Arguments arguments(const std::string& name) const { return {"spectrum", "--recipe", path(), "--convolution", name}; }

 private:
  TemporaryFolder folder_;
};

CommandResult succeeded(const Arguments& arguments) {
  CommandResult result = run_command(arguments);
  REQUIRE_MESSAGE(result.exit_code == 0, result.error);
  return result;
}

}  // namespace

TEST_CASE("spectrum --convolution: all singular values, on the images that it reads in the network") {
  const ConvolutionRecipe recipe;
  nn::ResNet model({.layers = 8, .image = {.inputs = {3, 8, 12}, .outputs = 4}});
  model.parameters().build(1, DType::f64);
  const Tensor kernel = model.parameters().find("layer1.0.conv1.weight").value();
  const isometry::ConvolutionSpectrum expected = isometry::convolution_spectrum(kernel, 8, 12);
  for (const char* name : {"layer1.0.conv1", "layer1.0.conv1.weight"}) {
    const json s = json::parse(succeeded(recipe.arguments(name) + Arguments{"--json"}).out);
    CHECK(s["samples"][0]["singular_values"] == json(expected.values.singular_values));
    CHECK(s["of"] == "convolution");
    CHECK(s["method"] == "fourier");
    CHECK(s["rows"] == 16 * 96);
    CHECK(s["theory"].is_null());
    const json& c = s["convolution"];
    CHECK(c["name"] == "layer1.0.conv1");
    CHECK(c["kernel"] == json({16, 16, 3, 3}));
    CHECK(c["size"] == json({8, 12}));
    CHECK(c["norm"] == expected.norm());
    CHECK(c["frequency"] == json({expected.largest.down, expected.largest.across}));
    CHECK_FALSE(c.contains("stride"));
  }
  const json later = json::parse(succeeded(recipe.arguments("layer3.0.conv2") + Arguments{"--json"}).out);
  CHECK(later["convolution"]["size"] == json({2, 3}));
  const json given =
      json::parse(succeeded(recipe.arguments("layer3.0.conv2") + Arguments{"--size", "5x4", "--json"}).out);
  CHECK(given["convolution"]["size"] == json({5, 4}));
  CHECK(given["samples"][0]["singular_values"].size() == 20 * 64);
}

TEST_CASE("spectrum --convolution: what it says, and its files") {
  const ConvolutionRecipe recipe;
  const std::string text =
      succeeded(recipe.arguments("conv1") + Arguments{"--csv", recipe.file("c.csv"), "--npz", recipe.file("c.npz"),
                                                      "--svg", recipe.file("c.svg"), "--png", recipe.file("c.png")})
          .out;
  CHECK(mentions(text, {"convolution conv1, kernel [16, 3, 3, 3] on 8 x 12 pixels", "initial ones of seed 1",
                        "circular padding; the network pads with zeros, for which this is an approximation",
                        "singular values", "288", "largest (operator norm)", "at frequency (", "smallest",
                        "mean square", "condition number", "written:"}));
  CHECK_FALSE(mentions(text, {"stride"}).holds);
  CHECK(contents(recipe.file("c.csv")).starts_with("seed,input,index,sigma,log10_sigma,kind\n1,0,0,"));
  const auto arrays = load_npz(recipe.file("c.npz"));
  CHECK(arrays.front().name == "log10_singular_values");
  CHECK(arrays.front().tensor.shape() == Shape{1, 288});
  CHECK(mentions(contents(recipe.file("c.svg")), {"convolution conv1"}));
  CHECK(contents(recipe.file("c.png")).starts_with("\x89PNG"));
  CHECK(mentions(succeeded(recipe.arguments("layer2.0.conv1")).out, {"stride", "8 x 12 to 4 x 6"}));
}

TEST_CASE("spectrum --convolution: what does not belong to it is refused in one line") {
  const ConvolutionRecipe recipe;
  check_refused(recipe.arguments("layer1.0.conv3"), 2,
                {"--convolution", "layer1.0.conv3", "did you mean 'layer1.0.conv", "there are conv1, layer1.0.conv1"});
  check_refused(recipe.arguments("linear"), 2, {"--convolution", "linear.weight [4, 64] is a matrix", "kernel"});
  check_refused(recipe.arguments("bn1"), 2, {"--convolution", "bn1.weight [16]", "no convolution"});
  for (const char* size : {"8", "8x", "x8", "0x4", "8x8x8", "-1x4", "8 x 8"})
    check_refused(recipe.arguments("conv1") + Arguments{"--size", size}, 2, {"--size", size, "HxW"});
  check_refused(recipe.arguments("conv1") + Arguments{"--size", "3000000000x3000000000"}, 1, {"--memory", "1GiB"});
  check_refused({"spectrum", "--recipe", recipe.path(), "--size", "8x8"}, 2, {"--size", "--convolution"});
  for (const Arguments& other : {Arguments{"--gates", "0,1"}, Arguments{"--seeds", "2"}, Arguments{"--of", "network"},
                                 Arguments{"--method", "exact"}, Arguments{"--samples", "3"}})
    check_refused(recipe.arguments("conv1") + other, 2, {other[0], "--convolution NAME is of one kernel"});
  check_refused(recipe.arguments("conv1") + Arguments{"--precision", "f32"}, 2, {"--precision", "f64"});
  check_refused({"spectrum", "--recipe", quickstart_recipe, "--convolution", "linear_input"}, 2,
                {"linear_input.weight", "is a matrix"});
  check_refused({"spectrum", "--recipe", quickstart_recipe, "--convolution", "conv1"}, 2, {"conv1", "no convolutions"});
}
