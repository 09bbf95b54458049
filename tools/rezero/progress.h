// Progress on standard error: on a terminal a bar with the time left, redrawn in place; otherwise plain lines, about 20
// in all.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

namespace rz::tool {

class Progress {
 public:
  // Nothing is shown before the first update. `done` of `total` steps are behind us already (a resumed run): the time
  // left is judged by the rest.
  Progress(std::string label, std::int64_t total, std::int64_t done = 0);
  ~Progress();  // finish()
  Progress(const Progress&) = delete;
  Progress& operator=(const Progress&) = delete;

  bool due(std::int64_t done) const;  // whether update() would show something: spares making the note
  void update(std::int64_t done, std::string_view note);  // note: "loss 1.234  5000 examples/s"
  void message(std::string_view line);                    // a line of its own, above the bar
  void finish();                                          // takes the bar away

 private:
  std::string label_;
  std::int64_t total_, first_, shown_done_ = -1;
  double start_, shown_ = 0;
  bool redraws_, drawn_ = false;
};

}  // namespace rz::tool
