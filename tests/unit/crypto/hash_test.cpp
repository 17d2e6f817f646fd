#include "crypto/hash.h"

#include <gtest/gtest.h>
#include <openssl/evp.h>

#include "base/encoding.h"

namespace funcgate::crypto {
namespace {

struct Vector {
  const char* source;
  HashAlgorithm algorithm;
  std::string message;
  std::string_view hex;
};

const Vector kVectors[] = {
    {"RFC 1321, A.5: empty", HashAlgorithm::Md5, "", "d41d8cd98f00b204e9800998ecf8427e"},
    {"RFC 1321, A.5: a", HashAlgorithm::Md5, "a", "0cc175b9c0f1b6a831c399e269772661"},
    {"RFC 1321, A.5: abc", HashAlgorithm::Md5, "abc", "900150983cd24fb0d6963f7d28e17f72"},
    {"RFC 1321, A.5: message digest", HashAlgorithm::Md5, "message digest", "f96b697d7cb7938d525a2f31aaf161d0"},
    {"RFC 1321, A.5: 80 digits", HashAlgorithm::Md5,
     "12345678901234567890123456789012345678901234567890123456789012345678901234567890", "57edf4a22be3c955ac49da2e2107b67a"},
    {"FIPS 180-4 examples: empty", HashAlgorithm::Sha256, "", "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"},
    {"FIPS 180-4 examples: one block", HashAlgorithm::Sha256, "abc",
     "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"},
    {"FIPS 180-4 examples: two blocks", HashAlgorithm::Sha256, "abcdbcdecdefdefgefghfghighijhijkijkljklmklmnlmnomnopnopq",
     "248d6a61d20638b8e5c026930c3e6039a33ce45964ff2167f6ecedd419db06c1"},
    {"FIPS 180-4 examples: a million a", HashAlgorithm::Sha256, std::string(1'000'000, 'a'),
     "cdc76e5c9914fb9281a1c7e284d73e67f1809a48a497200e046d39ccc7112cd0"},
    {"FIPS 180-4 examples: empty", HashAlgorithm::Sha512_256, "",
     "c672b8d1ef56ed28ab87c3622c5114069bdd3ad7b8f9737498d0c01ecef0967a"},
    {"FIPS 180-4 examples: one block", HashAlgorithm::Sha512_256, "abc",
     "53048e2681941ef99b2e29b76b4c7dabe4c2d0c634fc6d46e0e2f13107e7af23"},
    {"FIPS 180-4 examples: two blocks", HashAlgorithm::Sha512_256,
     "abcdefghbcdefghicdefghijdefghijkefghijklfghijklmghijklmnhijklmnoijklmnopjklmnopqklmnopqrlmnopqrsmnopqrstnopqrstu",
     "3928e184fb8690f840da3988121d31be65cb9d3ef83ee6146feac861e19b563a"},
};

const char* reference_name(HashAlgorithm algorithm) {
  switch (algorithm) {
    case HashAlgorithm::Md5: return "MD5";
    case HashAlgorithm::Sha256: return "SHA256";
    case HashAlgorithm::Sha512_256: return "SHA512-256";
  }
  return nullptr;
}

// The library's general interface, which shares neither our start values nor our cutting.
std::string reference(HashAlgorithm algorithm, std::string_view message) {
  unsigned char out[EVP_MAX_MD_SIZE];
  std::size_t length = 0;
  EXPECT_EQ(EVP_Q_digest(nullptr, reference_name(algorithm), nullptr, message.data(), message.size(), out, &length), 1);
  return {reinterpret_cast<const char*>(out), length};
}

constexpr HashAlgorithm kAlgorithms[] = {HashAlgorithm::Md5, HashAlgorithm::Sha256, HashAlgorithm::Sha512_256};

TEST(Hash, GivesThePublishedDigests) {
  for (const Vector& row : kVectors) {
    SCOPED_TRACE(row.source);
    EXPECT_EQ(Hasher(row.algorithm).update(row.message).finish_hex().view(), row.hex);
    EXPECT_EQ(base::hex_encode(Hasher(row.algorithm).update(row.message).finish()), row.hex);
    EXPECT_EQ(digest_bytes(row.algorithm) * 2, row.hex.size());
    switch (row.algorithm) {
      case HashAlgorithm::Md5:
        EXPECT_EQ(md5_hex(row.message), row.hex);
        EXPECT_EQ(base::hex_encode(md5(row.message)), row.hex);
        break;
      case HashAlgorithm::Sha256:
        EXPECT_EQ(sha256_hex(row.message), row.hex);
        EXPECT_EQ(base::hex_encode(sha256(row.message)), row.hex);
        EXPECT_EQ(base::hex_encode(as_view(sha256_digest(row.message))), row.hex);
        break;
      case HashAlgorithm::Sha512_256:
        EXPECT_EQ(sha512_256_hex(row.message), row.hex);
        EXPECT_EQ(base::hex_encode(sha512_256(row.message)), row.hex);
        break;
    }
  }
}

TEST(Hash, AgreesWithTheLibraryForEveryLengthAroundTheBlocks) {
  std::string message;
  for (int length = 0; length < 300; ++length) {
    for (const HashAlgorithm algorithm : kAlgorithms) {
      ASSERT_EQ(Hasher(algorithm).update(message).finish(), reference(algorithm, message))
          << reference_name(algorithm) << " " << length;
    }
    message.push_back(static_cast<char>(length * 37));
  }
}

TEST(Hash, PiecesOfAMessageGiveTheDigestOfTheWhole) {
  const std::string message(200, 'x');
  for (const HashAlgorithm algorithm : kAlgorithms) {
    const std::string whole = Hasher(algorithm).update(message).finish();
    for (std::size_t cut = 0; cut <= message.size(); ++cut) {
      Hasher pieces(algorithm);
      pieces.update(std::string_view(message).substr(0, cut)).update("").update(std::string_view(message).substr(cut));
      ASSERT_EQ(pieces.finish(), whole) << reference_name(algorithm) << " cut at " << cut;
    }
  }
}

TEST(Hash, OctetsOfEveryValueCountNulIncluded) {
  EXPECT_NE(sha256(std::string_view("a\0b", 3)), sha256(std::string_view("a", 1)));
  EXPECT_EQ(HexDigest(std::string_view("\x00\xff\x10", 3)).view(), "00ff10");
}

}  // namespace
}  // namespace funcgate::crypto
