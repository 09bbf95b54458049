// What `data show` prints of a text: its splits, vocabulary and entropy, and a few windows.
#pragma once

#include <string>

#include "data/dataset.h"
#include "tools/rezero/recipe.h"

namespace rz::tool {

std::string text_report(const Recipe& recipe, const DataSplits& data);
std::string text_json(const Recipe& recipe, const DataSplits& data);

}  // namespace rz::tool
