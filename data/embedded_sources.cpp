#include "data/embedded_sources.h"

// The assembler reads the file: a string literal of this size would take the compiler seconds.
__asm__(
    ".pushsection .rodata\n"
    ".global rezero_sources_begin\n"
    ".global rezero_sources_end\n"
    "rezero_sources_begin:\n"
    ".incbin \"" RZ_SOURCES
    "\"\n"
    "rezero_sources_end:\n"
    ".popsection\n");

extern "C" {
extern const char rezero_sources_begin[];
extern const char rezero_sources_end[];
}

namespace rz {

std::string_view embedded_sources() { return {rezero_sources_begin, rezero_sources_end}; }

}  // namespace rz
