// Texts as data sets: streams of bytes or words, cut into windows (data/windows.h). Training windows start at random,
// those of the other splits come one after the other. A text in one file is split 90 : 5 : 5 into training, validation
// and test.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

#include "data/dataset.h"

namespace rz {

struct TextOptions {
  std::string level = "byte";  // all 256 bytes are the vocabulary; or "word" (data/vocabulary.h), for "text" alone
  std::int64_t context = 128;  // tokens of a window
  std::int64_t stride = 0;     // of validation and test windows, 1 ... context; 0: context
};

void check_text_options(const TextOptions& options);  // Throws: value

// text: a file, or a folder with train.txt, validation.txt and test.txt, or wiki.train.tokens, wiki.valid.tokens and
// wiki.test.tokens, which then are the splits (without a test file there is no such split). The vocabulary of words is
// that of the training split.   Throws: file (missing, empty, a split that has fewer tokens than a window needs), value
DataSplits load_text(std::string_view path, const TextOptions& options = {});
// enwik8 and text8 (Mahoney 2006, 2011), the file itself or a folder that has it.   Throws: as above
DataSplits load_published_text(std::string_view path, std::string_view dataset, const TextOptions& options = {});
// sources: this project's own sources and documents, embedded in the library.   Throws: value, file (too short)
DataSplits make_sources(const TextOptions& options = {});

}  // namespace rz
