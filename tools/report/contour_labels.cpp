#include "tools/report/contour_labels.h"

#include <algorithm>
#include <cmath>
#include <optional>

namespace rz::report {
namespace {

constexpr double least_distance = 9;            // pixels
constexpr std::size_t most_rows_searched = 50;  // and columns

struct Pixel {
  double x, y;
};

// A label is about three times as wide as high.
double distance(Pixel a, Pixel b) { return std::hypot((a.x - b.x) / 2, a.y - b.y); }

class Placement {
 public:
  Placement(const ContourMap& map, const ContourMap::Field& field, Size plot) : map_(map), field_(field), plot_(plot) {
    for (const Series& line : map.lines) {
      for (std::size_t i = 0; i < line.x.size(); ++i) avoid(line, i == 0 ? 0 : i - 1, i);
    }
    const double step = 20 * (map.x_high - map.x_low) / plot.width;
    for (const ContourMap::Mark& mark : map.marks) {  // with its label, which may stand on either side
      for (int k = -7; k <= 7; ++k) avoid(mark.x + k * step, mark.y);
    }
  }

  std::optional<LevelLabel> place(double level) {
    best_ = least_distance;
    found_.reset();
    const std::size_t step_y = map_.rows / most_rows_searched + 1, step_x = map_.columns / most_rows_searched + 1;
    for (std::size_t r = 0; r < map_.rows; r += step_y) {
      for (std::size_t c = 0; c + 1 < map_.columns; ++c) cross(level, r, c, 0, 1);
    }
    for (std::size_t c = 0; c < map_.columns; c += step_x) {
      for (std::size_t r = 0; r + 1 < map_.rows; ++r) cross(level, r, c, 1, 0);
    }
    if (found_) taken_.push_back(*found_);
    if (!found_) return {};
    return LevelLabel{map_.x_low + found_->x / plot_.width * (map_.x_high - map_.x_low),
                      map_.y_low + found_->y / plot_.height * (map_.y_high - map_.y_low), level};
  }

 private:
  // The stretch between two points of a line.
  void avoid(const Series& line, std::size_t a, std::size_t b) {
    constexpr int parts = 16;
    for (int k = 0; k <= parts; ++k) {
      const double t = static_cast<double>(k) / parts;
      avoid((1 - t) * line.x[a] + t * line.x[b], (1 - t) * line.y[a] + t * line.y[b]);
    }
  }

  void avoid(double x, double y) {
    if (std::isfinite(x) && std::isfinite(y))
      taken_.push_back({(x - map_.x_low) / (map_.x_high - map_.x_low) * plot_.width,
                        (y - map_.y_low) / (map_.y_high - map_.y_low) * plot_.height});
  }

  // Looks for the level between a point of the map and the next one in its row or column.
  void cross(double level, std::size_t r, std::size_t c, std::size_t down, std::size_t right) {
    const double a = field_.values[r * map_.columns + c];
    const double b = field_.values[(r + down) * map_.columns + c + right];
    if (!std::isfinite(a) || !std::isfinite(b) || (a < level) == (b < level)) return;
    const double t = (level - a) / (b - a);
    const Pixel here{
        (static_cast<double>(c) + t * static_cast<double>(right)) / static_cast<double>(map_.columns - 1) * plot_.width,
        (static_cast<double>(r) + t * static_cast<double>(down)) / static_cast<double>(map_.rows - 1) * plot_.height};
    double room = std::min({here.x / 2, (plot_.width - here.x) / 2, here.y, plot_.height - here.y});
    for (std::size_t i = 0; i < taken_.size() && room > best_; ++i) room = std::min(room, distance(here, taken_[i]));
    if (room <= best_) return;
    best_ = room;
    found_ = here;
  }

  const ContourMap& map_;
  const ContourMap::Field& field_;
  Size plot_;
  std::vector<Pixel> taken_;
  double best_ = 0;
  std::optional<Pixel> found_;
};

}  // namespace

std::vector<LevelLabel> level_labels(const ContourMap& map, const ContourMap::Field& field, Size plot) {
  Placement placement(map, field, plot);
  std::vector<LevelLabel> labels;
  for (const double level : field.levels) {
    if (const auto label = placement.place(level)) labels.push_back(*label);
  }
  return labels;
}

}  // namespace rz::report
