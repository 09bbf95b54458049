#include "data/idx.h"

#include <algorithm>
#include <optional>

#include "core/error.h"
#include "data/gzip.h"
#include "data/text.h"

namespace rz {
namespace {

// The contents of a file, plain or compressed, from the front.
class Contents {
 public:
  Contents(std::string_view bytes, std::string_view what) : rest_(bytes), what_(what) {
    if (is_gzip(bytes)) gzip_.emplace(bytes, what);
  }
  std::string read(std::size_t bytes) {
    if (gzip_) return gzip_->read(bytes);
    const std::string_view piece = rest_.substr(0, bytes);
    rest_.remove_prefix(piece.size());
    return std::string(piece);
  }
  void expect_end() {
    if (gzip_) return gzip_->expect_end();
    RZ_CHECK(file, rest_.empty(), "{}: goes on for {} bytes after the end that its header gives", what_,
             grouped(rest_.size()));
  }

 private:
  std::string_view rest_, what_;
  std::optional<GzipReader> gzip_;
};

std::uint8_t byte_at(std::string_view text, std::size_t at) { return static_cast<std::uint8_t>(text[at]); }

}  // namespace

IdxArray parse_idx(std::string_view bytes, std::string_view what) {
  RZ_CHECK(file, !bytes.empty(), "{}: is empty", what);
  Contents source(bytes, what);
  const std::string start = source.read(4);
  RZ_CHECK(file, start.size() == 4, "{}: is cut off within its IDX header", what);
  RZ_CHECK(file, start[0] == 0 && start[1] == 0, "{}: is no IDX file: it starts with {}", what, printable(start));
  RZ_CHECK(file, byte_at(start, 2) == 8, "{}: holds IDX numbers of type {}, bytes (type 8) are read", what,
           byte_at(start, 2));
  const std::size_t rank = byte_at(start, 3);
  RZ_CHECK(file, rank >= 1 && rank <= 6, "{}: has {} dimensions, 1 to 6 are read", what, rank);
  const std::string extents = source.read(4 * rank);
  RZ_CHECK(file, extents.size() == 4 * rank, "{}: is cut off within its IDX header", what);
  IdxArray array;
  std::int64_t product = 1;
  for (std::size_t k = 0; k < rank; ++k) {
    const std::int64_t extent = std::int64_t{byte_at(extents, 4 * k)} << 24 | byte_at(extents, 4 * k + 1) << 16 |
                                byte_at(extents, 4 * k + 2) << 8 | byte_at(extents, 4 * k + 3);
    array.extents.push_back(extent);
    RZ_CHECK(file, !__builtin_mul_overflow(product, std::max<std::int64_t>(extent, 1), &product),
             "{}: has more elements than 64 bits count", what);
  }
  if (std::ranges::find(array.extents, 0) != array.extents.end()) product = 0;
  const auto wanted = static_cast<std::size_t>(product);
  array.bytes = source.read(wanted);
  RZ_CHECK(file, array.bytes.size() == wanted, "{}: is cut off: it holds {} of the {} bytes that its header gives",
           what, grouped(array.bytes.size()), grouped(wanted));
  source.expect_end();
  return array;
}

}  // namespace rz
