#include "tools/rezero/progress.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <utility>

#include "data/text.h"
#include "tools/rezero/terminal.h"
#include "tools/rezero/timing.h"

namespace rz::tool {
namespace {

constexpr std::int64_t plain_lines = 20;  // of all updates
constexpr double redraw_seconds = 0.1;

std::string duration_text(double seconds) {
  const auto s = std::int64_t{std::lround(std::min(seconds, 1e9))};
  if (s >= 3600) return fmt::format("{}:{:02}:{:02}", s / 3600, s / 60 % 60, s % 60);
  return fmt::format("{}:{:02}", s / 60, s % 60);
}

}  // namespace

Progress::Progress(std::string label, std::int64_t total, std::int64_t done)
    : label_(std::move(label)),
      total_(std::max<std::int64_t>(total, 1)),
      first_(done),
      start_(seconds_now()),
      redraws_(redraws(Stream::error)) {}

Progress::~Progress() { finish(); }

bool Progress::due(std::int64_t done) const {
  if (shown_done_ < 0 || done >= total_) return done != shown_done_;
  if (redraws_) return seconds_now() - shown_ >= redraw_seconds;
  return done * plain_lines / total_ > shown_done_ * plain_lines / total_;
}

void Progress::update(std::int64_t done, std::string_view note) {
  if (!due(done)) return;
  shown_ = seconds_now();
  shown_done_ = done;
  const double fraction = static_cast<double>(done) / static_cast<double>(total_);
  std::string left;
  if (done > first_ && done < total_) {
    const double per_step = (shown_ - start_) / static_cast<double>(done - first_);
    left = ", " + duration_text(per_step * static_cast<double>(total_ - done)) + " left";
  }
  const auto count = [](std::int64_t n) { return grouped(static_cast<std::uint64_t>(n)); };
  const std::string state =
      fmt::format("{}/{} {}{}{}", count(done), count(total_), note.empty() ? "" : " ", note, left);
  if (!redraws_) return say(fmt::format("{}  {}\n", label_, state));

  constexpr int bar_width = 20;
  const int filled = static_cast<int>(fraction * bar_width);
  const std::string bar = fmt::format("[{}{}]", std::string(static_cast<std::size_t>(filled), '#'),
                                      std::string(static_cast<std::size_t>(bar_width - filled), '.'));
  // One column stays free: some terminals go to the next line when the last one is written.
  std::string line = fitted(fmt::format("{} {} {}", label_, bar, state), std::max(1, width(Stream::error) - 1));
  if (const std::size_t at = line.find(bar); at != std::string::npos && colours(Stream::error))
    line = line.substr(0, at) + "\x1b[36m" + bar + "\x1b[0m" + line.substr(at + bar.size());
  say("\r" + line + "\x1b[K");
  drawn_ = true;
}

void Progress::message(std::string_view line) {
  finish();
  say(std::string(line) + "\n");
}

void Progress::finish() {
  if (drawn_) say("\r\x1b[K");
  drawn_ = false;
}

}  // namespace rz::tool
