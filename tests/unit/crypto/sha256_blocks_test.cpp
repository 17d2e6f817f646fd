#include "crypto/sha256_blocks.h"

#include <gtest/gtest.h>

#include "base/encoding.h"

namespace funcgate::crypto {
namespace {

std::string of_length(std::size_t length) {
  std::string text;
  for (std::size_t i = 0; i < length; ++i) text.push_back(static_cast<char>(i * 7 + length));
  return text;
}

std::string hex(const Digest256& digest) { return base::hex_encode(as_view(digest)); }

// FIPS 180-4, examples of SHA-256.
TEST(Sha256Blocks, KnownAnswers) {
  ShortMessage empty;
  EXPECT_EQ(hex(Sha256State().finish(empty)), "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855");
  ShortMessage one_block;
  one_block.append("abc");
  EXPECT_EQ(hex(Sha256State().finish(one_block)), "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad");
  ShortMessage two_blocks;
  two_blocks.append("abcdbcdecdefdefgefghfghighij").append("").append("hijkijkljklmklmnlmnomnopnop").append('q');
  EXPECT_EQ(hex(Sha256State().finish(two_blocks)), "248d6a61d20638b8e5c026930c3e6039a33ce45964ff2167f6ecedd419db06c1");
}

TEST(Sha256Blocks, EveryLengthThatFits) {
  for (std::size_t length = 0; ShortMessage::fits(length); ++length) {
    const std::string text = of_length(length);
    ShortMessage message;
    message.append(text);
    ASSERT_EQ(Sha256State().finish(message), sha256_digest(text)) << length;
  }
  EXPECT_FALSE(ShortMessage::fits(ShortMessage::kBytesMax + 1));
}

TEST(Sha256Blocks, ABeginningOfWholeBlocksIsReadOnceForManyEnds) {
  for (const std::size_t blocks : {1U, 2U, 5U}) {
    const std::string beginning = of_length(blocks * kSha256BlockBytes);
    Sha256State state;
    state.read(beginning);
    for (std::size_t length = 0; length < 3 * kSha256BlockBytes; ++length) {
      ShortMessage end;
      end.append(of_length(length));
      ASSERT_EQ(state.finish(end, beginning.size()), sha256_digest(beginning + of_length(length))) << blocks << " " << length;
    }
  }
}

TEST(Sha256Blocks, NumbersStandMostSignificantByteFirst) {
  ShortMessage message;
  message.append_number(0x0102030405060708).append_number(2);
  EXPECT_EQ(message.view(), std::string_view("\1\2\3\4\5\6\7\x08\0\0\0\0\0\0\0\2", 16));
}

TEST(Sha256BlocksDeathTest, WhatDoesNotFitIsNoMessage) {
  ShortMessage message;
  message.append(std::string(ShortMessage::kBytesMax, 'x'));
  EXPECT_DEATH(message.append('x'), "kBytesMax");
  EXPECT_DEATH(Sha256State().read("not a block"), "kSha256BlockBytes");
}

}  // namespace
}  // namespace funcgate::crypto
