#include "wire/frame.h"

#include <gtest/gtest.h>

namespace funcgate::wire {
namespace {

std::string frame_with(std::string_view text) {
  std::string out;
  FrameWriter writer(out, MessageType::Ask, 0x1122334455667788, 9);
  writer.u8(5);
  writer.u16(600);
  writer.u32(70000);
  writer.i64(-5);
  writer.text(text);
  writer.finish();
  return out;
}

TEST(Frame, CarriesItsHeadAndFields) {
  const std::string bytes = "before" + frame_with("text");
  Frame frame;
  std::size_t used = 0;
  ASSERT_EQ(next_frame(std::string_view(bytes).substr(6), frame, used), FrameState::Complete);
  EXPECT_EQ(used, bytes.size() - 6);
  EXPECT_EQ(frame.head.type, MessageType::Ask);
  EXPECT_EQ(frame.head.call, 0x1122334455667788u);
  EXPECT_EQ(frame.head.slot, 9);
  FieldReader reader(frame.payload);
  EXPECT_EQ(reader.u8(), 5);
  EXPECT_EQ(reader.u16(), 600);
  EXPECT_EQ(reader.u32(), 70000u);
  EXPECT_EQ(reader.i64(), -5);
  EXPECT_EQ(reader.text(), "text");
  EXPECT_TRUE(reader.complete());
}

TEST(Frame, CarriesTextsOfAnyLengthBesideEachOther) {
  for (std::size_t size = 0; size < 5000; size = size < 40 ? size + 1 : size * 5 / 4) {
    const std::string text(size, 't');
    std::string bytes = "before";
    FrameWriter writer(bytes, MessageType::Ask, 1);
    for (int i = 0; i < 40; ++i) {
      writer.text(text);
      writer.u16(static_cast<std::uint16_t>(i));
    }
    writer.finish();
    Frame frame;
    std::size_t used = 0;
    ASSERT_EQ(next_frame(std::string_view(bytes).substr(6), frame, used), FrameState::Complete) << size;
    ASSERT_EQ(used, bytes.size() - 6) << size;
    FieldReader reader(frame.payload);
    for (int i = 0; i < 40; ++i) {
      ASSERT_EQ(reader.text(), text);
      ASSERT_EQ(reader.u16(), i);
    }
    EXPECT_TRUE(reader.complete());
  }
}

TEST(Frame, SaysHowMuchIsMissingWhateverTheCut) {
  const std::string bytes = frame_with("some text");
  for (std::size_t size = 0; size < bytes.size(); ++size) {
    Frame frame;
    std::size_t used = 99;
    EXPECT_EQ(next_frame(std::string_view(bytes).substr(0, size), frame, used), FrameState::NeedMore) << size;
    EXPECT_EQ(used, size < kHeadBytes ? 0 : bytes.size()) << size;
  }
}

TEST(Frame, TakesOneOfSeveral) {
  const std::string first = frame_with("a"), second = frame_with("bb");
  const std::string bytes = first + second;
  Frame frame;
  std::size_t used = 0;
  ASSERT_EQ(next_frame(bytes, frame, used), FrameState::Complete);
  EXPECT_EQ(used, first.size());
  ASSERT_EQ(next_frame(std::string_view(bytes).substr(used), frame, used), FrameState::Complete);
  EXPECT_EQ(used, second.size());
}

TEST(Frame, RefusesForeignHeads) {
  struct HeadCase {
    const char* rule;
    std::size_t offset;
    unsigned char value;
  };
  const HeadCase cases[] = {
      {"type 0", 4, 0},     {"type 8", 4, 8}, {"type 255", 4, 255}, {"version 0", 5, 0}, {"a later version", 5, kVersion + 1},
      {"too long", 3, 0xff}};
  for (const auto& [rule, offset, value] : cases) {
    std::string bytes = frame_with("x");
    bytes[offset] = static_cast<char>(value);
    Frame frame;
    std::size_t used = 0;
    EXPECT_EQ(next_frame(bytes, frame, used), FrameState::Broken) << rule;
    EXPECT_EQ(used, 0u) << rule;
  }
}

TEST(FieldReader, NeverReadsOutsideAndStaysFailed) {
  std::string bytes;
  FrameWriter writer(bytes, MessageType::Ask, 1);
  writer.u32(1000);  // the length of a text that is not there
  writer.u8(1);
  writer.finish();
  FieldReader reader(std::string_view(bytes).substr(kHeadBytes));
  EXPECT_EQ(reader.text(), "");
  EXPECT_TRUE(reader.failed());
  EXPECT_EQ(reader.u8(), 0);
  EXPECT_EQ(reader.i64(), 0);
  EXPECT_FALSE(reader.complete());
}

TEST(FieldReader, LeftOversAreNotComplete) {
  FieldReader reader(std::string_view("\1\2", 2));
  EXPECT_EQ(reader.u8(), 1);
  EXPECT_FALSE(reader.failed());
  EXPECT_FALSE(reader.complete());
}

}  // namespace
}  // namespace funcgate::wire
