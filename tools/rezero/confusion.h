// What `eval` says of a classification: tables, JSON, and the confusion matrix as a file.
#pragma once

#include <string>
#include <vector>

#include "tools/report/chart.h"
#include "tools/rezero/classification.h"

namespace rz::tool {

// A table of classes with examples, accuracy, and what each is most often taken for, and the matrix of counts; of many
// classes only the worst, and unless the matrix is written how to have it. Lines of at most 100 columns.
std::string classes_text(const Classification& c, const std::vector<std::string>& names, bool written = false);
// "top5": 0.99, "per_class_accuracy": [0.9, null], "confusion_matrix": [[9, 1], [0, 0]]; null: too many classes
std::string classes_json(const Classification& c);

void check_confusion_file(const std::string& path);  // Throws: UsageError (no ending of .png, .svg, .csv, .npy)
// Rows are true classes, columns predicted ones: a picture, a table with names, or an array of i64.
// There must be a matrix.   Throws: library, file
void write_confusion(const std::string& path, const Classification& c, const std::vector<std::string>& names,
                     const std::string& title);
std::string confusion_csv(const Classification& c, const std::vector<std::string>& names);
report::HeatMap confusion_map(const Classification& c, const std::vector<std::string>& names, const std::string& title);

}  // namespace rz::tool
