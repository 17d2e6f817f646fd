// Direct block functions, for the reason given in hash.cpp.
#define OPENSSL_SUPPRESS_DEPRECATED
#include "crypto/sha256_blocks.h"

#include <algorithm>

namespace funcgate::crypto {

namespace {

constexpr std::array<std::uint32_t, 8> kStart = {0x6a09e667, 0xbb67ae85, 0x3c6ef372, 0xa54ff53a,
                                                 0x510e527f, 0x9b05688c, 0x1f83d9ab, 0x5be0cd19};

// Whole blocks are compressed where they stand and at once. Of the rest of the state only the count of bytes that wait for their
// block is looked at; the length, which is written, is never asked for.
void compress(SHA256_CTX& state, const unsigned char* blocks, std::size_t count) {
  state.num = 0;
  state.Nl = state.Nh = 0;
  SHA256_Update(&state, blocks, count * kSha256BlockBytes);
}

}  // namespace

std::size_t ShortMessage::pad(std::size_t before) {
  const std::size_t blocks = (used_ + 9 + kSha256BlockBytes - 1) / kSha256BlockBytes;
  const std::size_t length_at = blocks * kSha256BlockBytes - 8;
  const std::uint64_t bits = __builtin_bswap64(8 * static_cast<std::uint64_t>(before + used_));
  bytes_[used_] = 0x80;
  std::fill(bytes_.begin() + static_cast<std::ptrdiff_t>(used_) + 1, bytes_.begin() + static_cast<std::ptrdiff_t>(length_at),
            static_cast<unsigned char>(0));
  std::memcpy(bytes_.data() + length_at, &bits, sizeof bits);
  return blocks;
}

Sha256State::Sha256State() : words_(kStart) {}

void Sha256State::read(std::string_view blocks) {
  CHECK(blocks.size() % kSha256BlockBytes == 0);
  SHA256_CTX state;
  std::copy(words_.begin(), words_.end(), state.h);
  compress(state, reinterpret_cast<const unsigned char*>(blocks.data()), blocks.size() / kSha256BlockBytes);
  std::copy(std::begin(state.h), std::end(state.h), words_.begin());
  explicit_bzero(state.h, sizeof state.h);
}

Digest256 Sha256State::finish(ShortMessage& rest, std::size_t before) const {
  SHA256_CTX state;
  std::copy(words_.begin(), words_.end(), state.h);
  compress(state, rest.bytes_.data(), rest.pad(before));
  // What is left of the state is the digest.
  for (SHA_LONG& word : state.h) word = __builtin_bswap32(word);
  Digest256 digest;
  std::memcpy(digest.data(), state.h, digest.size());
  return digest;
}

}  // namespace funcgate::crypto
