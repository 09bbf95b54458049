#include "data/checksum.h"

#include <fmt/format.h>
#include <xxhash.h>

#include <new>

namespace rz {
namespace {

XXH3_state_t* state_of(void* state) { return static_cast<XXH3_state_t*>(state); }

}  // namespace

Checksum::Checksum() : state_(XXH3_createState()) {
  if (!state_) throw std::bad_alloc();
  XXH3_128bits_reset(state_of(state_));
}

Checksum::~Checksum() { XXH3_freeState(state_of(state_)); }

void Checksum::add(const void* data, std::size_t bytes) {
  if (bytes) XXH3_128bits_update(state_of(state_), data, bytes);
}

std::string Checksum::text() const {
  const XXH128_hash_t hash = XXH3_128bits_digest(state_of(state_));
  return fmt::format("xxh3-128:{:016x}{:016x}", hash.high64, hash.low64);
}

bool is_own_checksum(std::string_view text) { return text.starts_with("xxh3-128:"); }

std::string checksum_of(const void* data, std::size_t bytes) {
  Checksum checksum;
  checksum.add(data, bytes);
  return checksum.text();
}

}  // namespace rz
