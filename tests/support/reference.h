// Reference numbers: the JSON files in tests/reference. Numbers in them may be strings of more digits than a double
// has. Include <nlohmann/json.hpp> to look inside.
#pragma once

#include <nlohmann/json_fwd.hpp>
#include <string>
#include <vector>

namespace rz::test {

const nlohmann::json& reference(const char* file);         // reference("testvectors.json"), parsed once
double number(const nlohmann::json& value);                // a number, or a string that holds one
std::vector<double> numbers(const nlohmann::json& value);  // all numbers in nested lists, in order

}  // namespace rz::test
