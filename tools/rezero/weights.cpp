// rezero weights: what is in a checkpoint or in a file of weights, and the same in another format.
#include <fmt/format.h>

#include <CLI/CLI.hpp>
#include <algorithm>
#include <filesystem>
#include <memory>

#include "data/file.h"
#include "data/text.h"
#include "tools/rezero/command.h"
#include "tools/rezero/load_weights.h"
#include "tools/rezero/run.h"
#include "tools/rezero/source.h"
#include "tools/rezero/tensor_file.h"
#include "tools/rezero/terminal.h"
#include "tools/rezero/weights_text.h"

namespace rz::tool {
namespace {

namespace fs = std::filesystem;

struct WeightsOptions {
  std::string source, checkpoint, to, prefix;
  bool all = false, json = false;
};

std::string path_of(const WeightsOptions& options) {
  std::error_code ignored;
  if (options.source.empty()) throw UsageError("weights: no file was given (rezero weights RUN|FILE)");
  if (fs::is_directory(options.source, ignored))
    return checkpoint_path(options.source, options.checkpoint.empty() ? "last" : options.checkpoint);
  if (!options.checkpoint.empty())
    throw UsageError(
        fmt::format("--checkpoint: {} is no run, whose checkpoints have names", printable(options.source)));
  return absolute(options.source);
}

void check_options(const WeightsOptions& options, const std::string& path) {
  if (options.to.empty()) return;
  format_of_target(options.to);
  std::error_code ignored;
  if (fs::equivalent(path, options.to, ignored))
    throw UsageError(fmt::format("--to: {} is the file that is read (give another name)", printable(options.to)));
  const fs::path folder = fs::weakly_canonical(absolute(options.to), ignored).parent_path();
  if (folder.filename() == "checkpoints" && is_run(folder.parent_path().string()))
    throw UsageError(
        fmt::format("--to: {} would be a checkpoint of a run (write it elsewhere)", printable(options.to)));
  check_target(options.to);
}

struct Contents {
  WeightsList list;
  std::vector<NamedTensor> tensors;  // kept only to be written
};

Contents read(const WeightsOptions& options, const std::string& path) {
  Contents contents;
  contents.list.file = path;
  bool any = false;
  contents.list.metadata = read_tensor_file(path, [&](StoredTensor t) {
    any = true;
    if (!t.name.starts_with(options.prefix)) return;
    t.name.erase(0, options.prefix.size());
    if (!options.all && !is_parameter_name(t.name)) {
      ++contents.list.beside;
      return;
    }
    if (t.name.empty())
      throw UsageError(fmt::format("--prefix: of a name {} leaves nothing", printable(options.prefix)));
    contents.list.weights.push_back(measure(t));
    if (!options.to.empty()) contents.tensors.push_back({std::move(t.name), std::move(t.tensor)});
  });
  if (any && !options.prefix.empty() && contents.list.weights.empty() && contents.list.beside == 0)
    throw UsageError(fmt::format("--prefix: no name in {} begins with {}", path, printable(options.prefix)));
  return contents;
}

// Parameters alone are no checkpoint of ours any more; "pt" is what Transformers and others want to read there.
Metadata metadata_to_write(const WeightsOptions& options, const Metadata& before) {
  Metadata metadata = before;
  std::string& format = metadata["format"];
  if (format.empty() || (format.starts_with("rezero") && !(options.all && options.prefix.empty()))) format = "pt";
  return metadata;
}

void write(const WeightsOptions& options, Contents& contents) {
  RZ_CHECK(file, !contents.tensors.empty(), "{}: has no weights to write{}", contents.list.file,
           contents.list.beside ? " (--all takes names with a slash, too)" : "");
  write_tensor_file(options.to, contents.tensors, metadata_to_write(options, contents.list.metadata));
  contents.list.written = absolute(options.to);
  const TensorFormat format = format_of_target(options.to);
  for (std::size_t k = 0; k < contents.tensors.size(); ++k) {
    Weight& weight = contents.list.weights[k];
    weight.written = name(written_type(format, contents.tensors[k].tensor.dtype()));
  }
}

int run(const WeightsOptions& options) {
  const std::string path = path_of(options);
  check_options(options, path);
  Contents contents = read(options, path);
  if (!options.to.empty()) write(options, contents);
  print(options.json ? weights_json(contents.list) : weights_text(contents.list));
  return exit_success;
}

}  // namespace

Command make_weights(CLI::App& app) {
  const auto options = std::make_shared<WeightsOptions>();
  CLI::App* const command = app.add_subcommand("weights", "What is in a file of weights; convert it");
  command->footer(
      "Lists names, shapes, types, norms (Frobenius, of the finite numbers) and how many numbers are not finite; "
      "layers\n"
      "that are alike share a row. Reads .safetensors (F64 F32 F16 BF16 I64 I32 U8 BOOL) and .npz. Written types are\n"
      "those that were read, except: F16 becomes f32, BOOL u8, and in .npz BF16 becomes f32.\n\n"
      "Examples:\n"
      "  rezero weights runs/rezero --checkpoint best\n"
      "  rezero weights runs/rezero --to net.safetensors          for safetensors.torch.load_file\n"
      "  rezero weights ddp.safetensors --prefix module. --to net.npz");
  command->add_option("source", options->source, "A run's folder, or a file of weights")->type_name("RUN|FILE");
  command
      ->add_option("--checkpoint", options->checkpoint,
                   "Which weights of the run: a step's number, last (default), best or initial")
      ->type_name("STEP|last|best|initial");
  command->add_option("--to", options->to, "Write what is listed to this file")->type_name("FILE.safetensors|FILE.npz");
  command->add_option("--prefix", options->prefix, "Only names that begin with P, and without it")->type_name("P");
  command->add_flag("--all", options->all, "Names with a slash, too: the optimiser's and the run's state");
  add_json(*command, options->json);
  return {command, [options] { return run(*options); }};
}

}  // namespace rz::tool
