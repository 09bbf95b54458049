// Includes point down the house only: core <- autograd <- nn, optim; core <- data; everything <- tools.
#include <doctest/doctest.h>

#include <filesystem>
#include <fstream>
#include <map>
#include <set>
#include <string>

TEST_SUITE("core/includes") {
  TEST_CASE("includes point down, never up or sideways") {
    const std::map<std::string, std::set<std::string>> allowed{{"core", {"core"}},
                                                               {"autograd", {"core", "autograd"}},
                                                               {"nn", {"core", "autograd", "nn"}},
                                                               {"optim", {"core", "autograd", "optim"}},
                                                               {"data", {"core", "data"}}};
    const std::filesystem::path root = std::filesystem::path(RZ_TEST_SOURCE_DIR).parent_path();
    std::string wrong;
    int files = 0;
    for (const auto& [folder, below] : allowed)
      for (const auto& entry : std::filesystem::recursive_directory_iterator(root / folder)) {
        if (entry.path().extension() != ".h" && entry.path().extension() != ".cpp") continue;
        ++files;
        std::ifstream file(entry.path());
        for (std::string line; std::getline(file, line);) {
          if (!line.starts_with("#include \"") || line.find('/') == std::string::npos) continue;
          const std::string target = line.substr(10, line.find('/') - 10);
          if (!below.contains(target)) wrong += entry.path().string() + ": " + line + "\n";
        }
      }
    CHECK_MESSAGE(wrong.empty(), wrong);
    CHECK(files > 50);
  }

  TEST_CASE("headers do not include what is dear to compile") {
    const std::filesystem::path root = std::filesystem::path(RZ_TEST_SOURCE_DIR).parent_path();
    std::string wrong;
    for (const char* folder : {"core", "autograd", "nn", "optim", "data", "tools"})
      for (const auto& entry : std::filesystem::recursive_directory_iterator(root / folder)) {
        if (entry.path().extension() != ".h") continue;
        std::ifstream file(entry.path());
        for (std::string line; std::getline(file, line);)
          for (const char* dear : {"<fmt/", "<ranges>", "<iostream>", "<sstream>", "<chrono>", "<thread>", "<random>",
                                   "<filesystem>", "<regex>", "<CLI/", "<toml++", "<nlohmann/json.hpp>"})
            if (line.starts_with("#include " + std::string(dear))) wrong += entry.path().string() + ": " + line + "\n";
      }
    CHECK_MESSAGE(wrong.empty(), wrong);
  }
}
