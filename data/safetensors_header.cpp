#include <algorithm>
#include <nlohmann/json.hpp>
#include <unordered_set>

#include "core/error.h"
#include "data/safetensors.h"
#include "data/text.h"

namespace rz {
namespace {

using json = nlohmann::json;

struct TypeName {
  std::string_view name;
  DType dtype;              // in memory
  std::int64_t file_bytes;  // of a number
};
constexpr TypeName type_names[] = {{"F64", DType::f64, 8}, {"F32", DType::f32, 4}, {"BF16", DType::bf16, 2},
                                   {"F16", DType::f32, 2}, {"I64", DType::i64, 8}, {"I32", DType::i32, 4},
                                   {"U8", DType::u8, 1},   {"BOOL", DType::u8, 1}};

// Refuses what a tree would hide, a name that stands twice, and what would make it deep. (The parser's own callback
// would do, but it looks through the whole tree at the end of each object: seconds for 20,000 tensors.)
class StructureCheck : public nlohmann::json_sax<json> {
 public:
  explicit StructureCheck(std::string_view what) : what_(what) {}
  bool null() override { return true; }
  bool boolean(bool) override { return true; }
  bool number_integer(std::int64_t) override { return true; }
  bool number_unsigned(std::uint64_t) override { return true; }
  bool number_float(double, const std::string&) override { return true; }
  bool string(std::string&) override { return true; }
  bool binary(json::binary_t&) override { return true; }
  bool start_object(std::size_t) override { return enter(); }
  bool start_array(std::size_t) override { return enter(); }
  bool end_object() override { return leave(); }
  bool end_array() override { return leave(); }
  bool key(std::string& name) override {
    RZ_CHECK(file, keys_[depth_].insert(name).second, "{}: its safetensors header has the name '{}' twice", what_,
             printable(name));
    return true;
  }
  bool parse_error(std::size_t, const std::string&, const json::exception&) override { return false; }

 private:
  static constexpr std::size_t deepest = 3;
  bool enter() {
    RZ_CHECK(file, depth_ < deepest, "{}: its safetensors header nests values too deeply", what_);
    keys_[++depth_].clear();
    return true;
  }
  bool leave() {
    --depth_;
    return true;
  }
  std::string_view what_;
  std::size_t depth_ = 0;
  std::unordered_set<std::string> keys_[deepest + 1];  // by depth, of the object being read
};

json parse_json(std::string_view text, std::string_view what) {
  StructureCheck check(what);
  json::sax_parse(text.begin(), text.end(), &check);
  try {
    return json::parse(text.begin(), text.end());  // says what the check left at an error
  } catch (const json::exception& error) {
    RZ_FAIL(file, "{}: its safetensors header is no valid JSON: {}", what, reason_of(error));
  }
}

// Checks one field after the other and names the tensor in each message.
class EntryReader {
 public:
  EntryReader(std::string_view what, const std::string& name, const json& fields, std::uint64_t data_bytes)
      : what_(what), shown_(printable(name)), fields_(fields), data_bytes_(data_bytes) {
    entry_.name = name;
  }

  SafetensorsEntry read() {
    if (!fields_.is_object()) fail("is described by no object");
    read_dtype();
    read_shape();
    read_offsets();
    return std::move(entry_);
  }

 private:
  [[noreturn]] void fail(const std::string& reason) const {
    RZ_FAIL(file, "{}: tensor '{}' {}", what_, shown_, reason);
  }

  const json& field(const char* key) const {
    const auto found = fields_.find(key);
    if (found == fields_.end()) fail(std::string("has no ") + key);
    return *found;
  }

  void read_dtype() {
    const json& value = field("dtype");
    if (!value.is_string()) fail("has a dtype that is no text");
    const auto& text = value.get_ref<const std::string&>();
    const auto* found = std::ranges::find(type_names, std::string_view(text), &TypeName::name);
    if (found == std::end(type_names)) {
      fail("has the type " + printable(text) + ", which is not read (F64, F32, BF16, F16, I64, I32, U8 and BOOL are)");
    }
    entry_.dtype = found->dtype;
    entry_.stored = found->name;
    file_bytes_ = found->file_bytes;
  }

  void read_shape() {
    const json& value = field("shape");
    if (!value.is_array()) fail("has a shape that is no list");
    if (value.size() > static_cast<std::size_t>(Shape::max_rank)) {
      fail("has " + std::to_string(value.size()) + " dimensions, at most 6 are read");
    }
    std::vector<std::int64_t> extents;
    std::int64_t product = static_cast<std::int64_t>(size_of(entry_.dtype));  // in memory, of the extents not 0
    for (const json& extent : value) {
      if (!extent.is_number_unsigned()) fail("has an extent that is no whole number: " + printable(extent.dump()));
      const auto number = extent.get<std::uint64_t>();
      if (number > INT64_MAX ||
          (number != 0 && __builtin_mul_overflow(product, static_cast<std::int64_t>(number), &product))) {
        fail("has a shape of more elements than 64 bits count");
      }
      extents.push_back(static_cast<std::int64_t>(number));
    }
    entry_.shape = Shape(std::span<const std::int64_t>(extents));
    entry_.bytes = static_cast<std::uint64_t>(entry_.shape.elements() * file_bytes_);
  }

  void read_offsets() {
    const json& value = field("data_offsets");
    if (!value.is_array() || value.size() != 2 || !value[0].is_number_unsigned() || !value[1].is_number_unsigned()) {
      fail("has data_offsets that are not two whole numbers");
    }
    const auto begin = value[0].get<std::uint64_t>(), end = value[1].get<std::uint64_t>();
    if (begin > end) fail("ends at byte " + grouped(end) + ", before it begins at " + grouped(begin));
    if (end > data_bytes_) {
      fail("ends at byte " + grouped(end) + ", but the file has only " + grouped(data_bytes_) +
           " of them (is it cut off?)");
    }
    if (end - begin != entry_.bytes) {
      fail("has " + grouped(end - begin) + " bytes, but its shape " + text(entry_.shape) + " and type " +
           (entry_.stored == "F16" ? "f16" : std::string(rz::name(entry_.dtype))) + " need " + grouped(entry_.bytes));
    }
    entry_.offset = begin;
  }

  std::string_view what_;
  std::string shown_;
  const json& fields_;
  std::uint64_t data_bytes_;
  std::int64_t file_bytes_ = 0;  // of a number
  SafetensorsEntry entry_;
};

void check_coverage(const std::vector<SafetensorsEntry>& entries, std::uint64_t data_bytes, std::string_view what) {
  std::uint64_t covered = 0;
  const SafetensorsEntry* last = nullptr;
  for (const SafetensorsEntry& entry : entries) {
    RZ_CHECK(file, entry.offset >= covered, "{}: tensors '{}' and '{}' overlap", what, printable(last->name),
             printable(entry.name));
    RZ_CHECK(file, entry.offset == covered, "{}: {} bytes before tensor '{}' belong to no tensor", what,
             grouped(entry.offset - covered), printable(entry.name));
    covered += entry.bytes;
    last = &entry;
  }
  RZ_CHECK(file, covered == data_bytes, "{}: {} bytes after the last tensor belong to none", what,
           grouped(data_bytes - covered));
}

}  // namespace

SafetensorsHeader parse_safetensors_header(std::string_view json_text, std::uint64_t data_bytes,
                                           std::string_view what) {
  const json tree = parse_json(json_text, what);
  RZ_CHECK(file, tree.is_object(), "{}: its safetensors header is no JSON object", what);
  SafetensorsHeader header;
  for (const auto& [name, fields] : tree.items()) {
    if (name != "__metadata__") {
      header.entries.push_back(EntryReader(what, name, fields, data_bytes).read());
      continue;
    }
    RZ_CHECK(file, fields.is_object(), "{}: its __metadata__ is no JSON object", what);
    for (const auto& [key, value] : fields.items()) {
      RZ_CHECK(file, value.is_string(), "{}: in its __metadata__ '{}' is no text", what, printable(key));
      header.metadata[key] = value.get<std::string>();
    }
  }
  std::ranges::sort(header.entries, [](const SafetensorsEntry& a, const SafetensorsEntry& b) {
    return std::tie(a.offset, a.bytes, a.name) < std::tie(b.offset, b.bytes, b.name);
  });
  check_coverage(header.entries, data_bytes, what);
  return header;
}

}  // namespace rz
