#include "core/nearest.h"

#include <doctest/doctest.h>

using rz::nearest;

TEST_SUITE("core/nearest") {
  TEST_CASE("nearest: the candidate with the fewest edits") {
    constexpr std::string_view names[] = {"learning_rate", "weight_decay", "momentum", "seed", "relu", "silu"};
    CHECK(nearest("learning-rate", names) == "learning_rate");
    CHECK(nearest("Learning_Rate", names) == "learning_rate");
    CHECK(nearest("learnig_rate", names) == "learning_rate");
    CHECK(nearest("wieght_decay", names) == "weight_decay");
    CHECK(nearest("momentumm", names) == "momentum");
    CHECK(nearest("rleu", names) == "relu");
    CHECK(nearest("slu", names) == "silu");
    CHECK(nearest("seed", names) == "seed");
  }

  TEST_CASE("nearest: nothing when nothing is close") {
    constexpr std::string_view names[] = {"sgd", "adagrad", "lamb"};
    CHECK(nearest("sin", names).empty());
    CHECK(nearest("", names).empty());
    CHECK(nearest("optimiser", names).empty());
    CHECK(nearest(std::string(100000, 'a'), names).empty());
    CHECK(nearest("sgd", {}).empty());
    CHECK(rz::did_you_mean("sgd", {}, " (nothing)") == " (nothing)");
    const std::string_view few[] = {"relu", "tanh"};
    CHECK(rz::unknown_name("rleu", few) == "'rleu' is not known (did you mean 'relu'?); there are relu, tanh");
    CHECK(rz::unknown_name("x", few) == "'x' is not known; there are relu, tanh");
  }
}
