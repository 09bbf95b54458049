// docs/from_pytorch.md: its C++ stands here word for word, and its Python and shell parts are run.
#include <doctest/doctest.h>

#include <filesystem>
#include <string>
#include <vector>

#include "autograd/ops.h"
#include "autograd/tape.h"
#include "autograd/transforms.h"
#include "core/linalg.h"
#include "core/random.h"
#include "data/loader.h"
#include "data/safetensors.h"
#include "data/shapes.h"
#include "nn/init.h"
#include "nn/models/fully_connected.h"
#include "optim/optimizer.h"
#include "optim/schedule.h"
#include "support/close.h"
#include "support/command.h"
#include "support/python.h"
#include "support/temporary_folder.h"

using namespace rz::test;

namespace {

class Net : public rz::nn::Module {
 public:
  explicit Net(std::uint64_t seed) { store_.build(seed); }
  rz::Variable forward(const rz::Variable& x) const override {
    const rz::Variable h = first_.forward(x, rz::ScalarFunction::relu);
    return last_(rz::residual_add(h, second_.forward(h, rz::ScalarFunction::relu), gate_, 0));  // h + gate[0] relu(...)
  }
  rz::ParameterStore& parameters() { return store_; }

 private:
  rz::ParameterStore store_;  // before the layers, which declare their parameters in it
  rz::nn::Linear first_{store_, "first", {.inputs = 8, .outputs = 16}};
  rz::nn::Linear second_{store_, "second", {.inputs = 16, .outputs = 16}};
  rz::nn::Linear last_{store_, "last", {.inputs = 16, .outputs = 3}};
  rz::Parameter gate_ = store_.declare("gate", {1}, rz::Role::residual_weight, rz::nn::init::constant(0));
};

// The text between ```LANGUAGE and ```, for each language in the order of the document.
struct CodeBlock {
  std::string language, text;
};

std::vector<CodeBlock> blocks_of(const std::string& document) {
  std::vector<CodeBlock> blocks;
  for (std::size_t at = 0; (at = document.find("\n```", at)) != std::string::npos;) {
    const std::size_t first = document.find('\n', at + 1) + 1, end = document.find("\n```", first - 1);
    blocks.push_back({document.substr(at + 4, first - at - 5), document.substr(first, end + 1 - first)});
    at = end + 4;
  }
  return blocks;
}

std::string indented(const std::string& text, const std::string& space) {
  std::string out;
  for (std::size_t at = 0, end; at < text.size(); at = end) {
    end = text.find('\n', at) + 1;
    out += (text[at] == '\n' ? "" : space) + text.substr(at, end - at);
  }
  return out;
}

const std::string root = RZ_TEST_SOURCE_DIR "/..";

class WorkingFolder {  // the process's, while it lives
 public:
  explicit WorkingFolder(const std::string& folder) : before_(std::filesystem::current_path()) {
    std::filesystem::current_path(folder);
  }
  ~WorkingFolder() { std::filesystem::current_path(before_); }
  WorkingFolder(const WorkingFolder&) = delete;
  WorkingFolder& operator=(const WorkingFolder&) = delete;

 private:
  std::filesystem::path before_;
};

}  // namespace

TEST_CASE("from_pytorch: its C++ is what is compiled here") {
  const std::string source = contents(root + "/tests/tools/from_pytorch_test.cpp");
  int found = 0;
  for (const CodeBlock& block : blocks_of(contents(root + "/docs/from_pytorch.md"))) {
    if (block.language != "cpp") continue;
    ++found;
    CAPTURE(block.text);
    CHECK((source.find("\n" + block.text) != std::string::npos ||
           source.find("\n" + indented(block.text, "  ")) != std::string::npos));
  }
  CHECK(found == 4);
}

TEST_CASE("from_pytorch: gradients") {
  // f = lambda x: torch.tanh(x @ w.T);  J = torch.func.jacrev(f)(x);  sigma = torch.linalg.svdvals(J)
  rz::Random random(/*seed=*/1, rz::stream_named("example"));
  const rz::Tensor w = rz::normal_tensor({3, 4}, random), x = rz::normal_tensor({1, 4}, random);
  const rz::Function f = [&](const rz::Variable& v) { return rz::tanh(rz::linear(v, w, {})); };
  const rz::Tensor j = rz::jacobian(f, x);  // [3, 4]
  const std::vector<double> sigma = rz::svdvals(j);

  // x.requires_grad_();  torch.utils.checkpoint.checkpoint(f, x).sum().backward();  x.grad
  rz::Tape tape;
  const rz::Variable leaf = tape.leaf(x);
  tape.backward(rz::sum(rz::checkpoint(f, leaf)));
  const rz::Tensor gradient = tape.gradient(leaf);

  REQUIRE(sigma.size() == 3);
  CHECK(sigma[2] > 0);
  const std::vector<double> rows = j.to_vector();
  for (std::size_t c = 0; c < 4; ++c) CHECK(close(gradient.to_vector()[c], rows[c] + rows[4 + c] + rows[8 + c], 1e-12));
}

TEST_CASE("from_pytorch: training") {
  const rz::DataSplits data = rz::make_shapes({.train = 600, .validation = 1});
  rz::nn::FullyConnected net({.depth = 8, .width = 32, .residual = {.form = rz::nn::Form::rezero}});
  net.parameters().build(/*seed=*/1);  // torch.manual_seed(1); net = Net()
  const double rate = 0.05;
  const auto optimizer = rz::optim::Optimizer::create({.name = "sgd", .momentum = 0.9, .clip_norm = 1});
  rz::Loader loader(data.train, {.batch_size = 60});
  const std::int64_t steps = 2 * loader.batches();
  const rz::optim::Schedule schedule({.name = "one_cycle"}, rate, steps);
  rz::StepState state;
  rz::Batch batch;
  std::int64_t step = 0;
  for (std::int64_t epoch = 0; step < steps; ++epoch) {
    for (loader.start(epoch); loader.next(batch);) {
      rz::Tape tape;
      const rz::Variable loss = rz::softmax_cross_entropy(net(batch.inputs), batch.labels);
      tape.backward(loss);
      ++step;
      state.set(step, schedule.rate(step));
      optimizer->step(net.parameters(), state);
    }
  }

  CHECK(step == steps);
  CHECK(state.get(rz::state_gradient_norm) > 0);
}

TEST_CASE("from_pytorch: weights") {
  const TemporaryFolder folder;
  const WorkingFolder here(folder.path());
  Net net(/*seed=*/1);
  std::vector<rz::NamedTensor> state_dict;
  for (int i = 0; i < net.parameters().size(); ++i)
    state_dict.push_back({net.parameters()[i].name(), net.parameters()[i].value()});
  rz::save_safetensors("net.safetensors", state_dict);

  Net other(/*seed=*/2);
  for (const rz::NamedTensor& t : rz::load_safetensors("net.safetensors").tensors)
    other.parameters().find(t.name).value().copy_from(t.tensor);

  const rz::Tensor x = rz::Tensor::full({2, 8}, 0.5);
  CHECK(identical(net(x).value(), other(x).value()));
  CHECK(net.parameters().find("gate").role() == rz::Role::residual_weight);
}

TEST_CASE("from_pytorch: its Python and its commands") {
  const std::string python = python_with("torch, numpy, safetensors.torch");
  if (python.empty()) return;
  const TemporaryFolder folder;
  std::filesystem::create_directory_symlink(root + "/tools", folder / "tools");
  std::string script = "import subprocess\n";
  for (const CodeBlock& block : blocks_of(contents(root + "/docs/from_pytorch.md"))) {
    if (block.language == "python") script += block.text;
    if (block.language == "sh") script += "subprocess.run(['sh', '-ec', r'''" + block.text + "'''], check=True)\n";
  }
  write_file(folder / "a.py", script + "print('all of it')\n");
  const std::string bin = std::filesystem::path(RZ_COMMAND).parent_path().string();
  const ShellResult result = shell("cd '" + folder.path() + "' && PATH='" + bin + "':\"$PATH\" '" + python + "' a.py");
  CHECK_MESSAGE(result.exit_code == 0, result.output);
  CHECK(mentions(result.output, {"all of it"}));
}
