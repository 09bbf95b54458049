// Any bytes give a full table of finite numbers, or an Error, whichever column is asked for.
#include <cmath>
#include <cstddef>
#include <cstdint>
#include <cstdlib>

#include "core/error.h"
#include "data/csv.h"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  for (const rz::CsvColumn& column : {rz::CsvColumn{}, rz::CsvColumn{"", 1}, rz::CsvColumn{"label", -1}}) {
    try {
      const rz::CsvTable table = rz::parse_csv({reinterpret_cast<const char*>(data), size}, "memory", column);
      if (std::ssize(table.values) != table.rows * table.columns || table.rows < 1) std::abort();
      if (!table.header.empty() && std::ssize(table.header) != table.columns) std::abort();
      if (table.column < 0 || table.column >= table.columns) std::abort();
      for (const double value : table.values)
        if (!std::isfinite(value)) std::abort();
    } catch (const rz::Error& error) {
      if (error.message().find('\n') != std::string::npos) std::abort();
    }
  }
  return 0;
}
