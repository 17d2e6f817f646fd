#include "crypto/stream_random.h"

#include <sodium.h>
#include <unistd.h>

#include <array>
#include <cstring>

#include "base/check.h"

namespace funcgate::crypto {
namespace {

class Pool {
 public:
  static constexpr std::size_t kBytes = 4096;

  Pool() { CHECK(sodium_init() >= 0); }
  ~Pool() { explicit_bzero(bytes_.data(), bytes_.size()); }
  Pool(const Pool&) = delete;
  Pool& operator=(const Pool&) = delete;

  void take(void* out, std::size_t size) {
    if (left_ < size) refill();
    left_ -= size;
    std::memcpy(out, bytes_.data() + left_, size);
    explicit_bzero(bytes_.data() + left_, size);
  }

 private:
  void refill() {
    // Each key is used for one stream alone, hence the constant nonce.
    static constexpr std::array<unsigned char, crypto_stream_chacha20_ietf_NONCEBYTES> kNonce{};
    std::array<unsigned char, crypto_stream_chacha20_ietf_KEYBYTES> key;
    CHECK(getentropy(key.data(), key.size()) == 0);
    crypto_stream_chacha20_ietf(bytes_.data(), bytes_.size(), kNonce.data(), key.data());
    explicit_bzero(key.data(), key.size());
    left_ = bytes_.size();
  }

  std::array<unsigned char, kBytes> bytes_;
  std::size_t left_ = 0;  // the first ones are still to be given out
};

}  // namespace

void StreamRandom::fill(void* out, std::size_t size) {
  if (size > Pool::kBytes / 4) {
    base::SystemRandom().fill(out, size);
    return;
  }
  thread_local Pool pool;
  pool.take(out, size);
}

}  // namespace funcgate::crypto
