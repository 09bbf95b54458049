// rezero data: fetching data sets and looking at them.
#include <CLI/CLI.hpp>
#include <memory>

#include "data/datasets.h"
#include "tools/rezero/command.h"
#include "tools/rezero/data_commands.h"
#include "tools/rezero/fetch.h"
#include "tools/rezero/outputs.h"

namespace rz::tool {
namespace {

std::string known_names() {
  std::string names;
  for (const DatasetDescription& data : dataset_list()) names += (names.empty() ? "" : ", ") + std::string(data.name);
  return names;
}

CLI::App& add_show(CLI::App& data, DataShowOptions& options) {
  CLI::App& command = *data.add_subcommand("show", "Counts per class, shape, checksums, and a picture of a data set");
  command.footer(
      "\nExamples\n"
      "  rezero data show shapes --set data.noise=0\n"
      "  rezero data show cifar100 --path DIR --set data.labels=coarse --out sheet.png\n"
      "  rezero data show text --path FILE --set data.level=word\n"
      "The picture has a row per class (of the first 10) with the first 10 training examples of each. Of a text there "
      "is\n"
      "none, but its vocabulary, its entropy and a few windows.");
  command.add_option("name", options.name, "The data set: " + known_names())->type_name("NAME");
  command.add_option("--path", options.path, "The folder of its files, or the file of a text [NAME]")
      ->type_name("PATH");
  add_file(command, "--out", options.out, "Where the picture goes [NAME.png]", "FILE.png");
  command.add_option("--set", options.settings, "A key of the data set, as in a recipe; may be given several times")
      ->type_name("data.KEY=VALUE")
      ->allow_extra_args(false);
  add_json(command, options.json);
  return command;
}

CLI::App& add_fetch(CLI::App& data, DataFetchOptions& options) {
  CLI::App& command = *data.add_subcommand("fetch", "Download a published data set, check it and unpack it");
  command.footer(
      "\nExamples\n"
      "  rezero data fetch cifar10 --out cifar-10-batches-bin\n"
      "  rezero data fetch mnist --url http://mirror.example/mnist/\n"
      "A download that was interrupted stays in NAME.part; the same command goes on with it. Checksums are compared.");
  std::string names;
  for (const PublishedSet& set : published_sets()) names += (names.empty() ? "" : ", ") + set.name;
  command.add_option("name", options.name, "The data set: " + names)->type_name("NAME");
  command.add_option("--out", options.out, "The folder for its files [NAME]")->type_name("DIR");
  command
      .add_option("--url", options.url, "Another address: of the folder that has the published files, or of the file")
      ->type_name("URL");
  command.add_option("--timeout", options.timeout, "Seconds without an answer or without data after which it ends")
      ->type_name("SECONDS")
      ->check(CLI::Range(1, 86400).description(""))
      ->capture_default_str();
  return command;
}

}  // namespace

Command make_data(CLI::App& app) {
  struct Options {
    DataFetchOptions fetch;
    DataShowOptions show;
  };
  const auto options = std::make_shared<Options>();
  CLI::App* const command = app.add_subcommand("data", "Fetch a published data set, or look at one");
  command->require_subcommand(0, 1);  // none: run() says what there is
  command->footer("`rezero data NAME --help` lists the options of one.");
  const CLI::App& fetch = add_fetch(*command, options->fetch);
  const CLI::App& show = add_show(*command, options->show);
  return {command, [options, &fetch, &show] {
            if (fetch.parsed()) return data_fetch(options->fetch);
            if (show.parsed()) return data_show(options->show);
            throw UsageError("data: nothing was named to do (fetch or show)");
          }};
}

}  // namespace rz::tool
