#include "audit/checkpoint.h"

#include "base/files.h"
#include "crypto/hmac.h"
#include "trail_fixture.h"

namespace funcgate::audit {
namespace {

using base::Code;
using base::SecretString;
using ::testing::HasSubstr;

class CheckpointTest : public TrailTest {
 protected:
  const crypto::SigningKey key_ = *checkpoint_key(SecretString(std::string(43, 'k')));
  const std::vector<StreamHead> calls_ = {{"calls", "main", 12, std::string(64, 'b')}};
};

TEST_F(CheckpointTest, ACheckpointIsReadBackWithItsKeyOnly) {
  const Checkpoint checkpoint{"instance1", clock_.wall_ms(), {{"admin", "", 8, std::string(64, 'a')}, calls_[0]}};
  const std::string line = sign_checkpoint(checkpoint, key_);
  EXPECT_EQ(line.find('\n'), std::string::npos);
  const auto read = read_checkpoint(line + "\n", key_.public_key());
  ASSERT_TRUE(read.ok()) << read.error().message;
  EXPECT_EQ(read->instance, "instance1");
  EXPECT_EQ(read->time_ms, checkpoint.time_ms);
  EXPECT_EQ(read->heads, checkpoint.heads);
  EXPECT_EQ(read->anchor("admin")->sequence, 8);
  EXPECT_EQ(read->anchor("calls")->hash, std::string(64, 'b'));
  EXPECT_EQ(read->anchor("calls", "main")->sequence, 12);
  EXPECT_FALSE(read->anchor("calls", "other").has_value());

  const auto other = checkpoint_key(SecretString(std::string(43, 'x')));
  const auto foreign = read_checkpoint(line, other->public_key());
  EXPECT_EQ(foreign.error().code, Code::DataLoss);
  EXPECT_THAT(foreign.error().message, HasSubstr("another key"));
}

TEST_F(CheckpointTest, EveryTouchedByteIsFound) {
  const std::string line = sign_checkpoint({"instance1", clock_.wall_ms(), calls_}, key_);
  for (std::size_t i = 0; i < line.size(); ++i) {
    std::string touched = line;
    touched[i] = static_cast<char>(touched[i] ^ 1);
    const auto read = read_checkpoint(touched, key_.public_key());
    // The member `key` is only a hint which key it was.
    const std::size_t hint = line.find("\"key\"");
    if (i >= hint && i < line.find("\"signature\"")) {
      if (read.ok()) EXPECT_EQ(read->heads, calls_);
    } else {
      EXPECT_FALSE(read.ok()) << touched;
    }
  }
  for (const char* text : {"", "{}", "[]", R"({"checkpoint":1})", R"({"checkpoint":{},"signature":""})"}) {
    EXPECT_FALSE(read_checkpoint(text, key_.public_key()).ok()) << text;
  }
}

TEST_F(CheckpointTest, AFileGrowsByWholeLinesAndIsReadAsAWhole) {
  const std::string path = folder_ / "checkpoints.ndjson";
  const auto line = [&](std::int64_t sequence) {
    return sign_checkpoint({"instance1", clock_.wall_ms(), {{"admin", "", sequence, std::string(64, 'a')}}}, key_);
  };
  const auto sequences = [&]() -> std::vector<std::int64_t> {
    const auto read = read_checkpoints(path, key_.public_key());
    EXPECT_TRUE(read.ok()) << (read.ok() ? "" : read.error().message);
    std::vector<std::int64_t> found;
    if (!read.ok()) return found;
    for (const Checkpoint& checkpoint : *read) found.push_back(checkpoint.anchor("admin")->sequence);
    return found;
  };
  EXPECT_EQ(read_checkpoints(path, key_.public_key()).error().code, Code::NotFound);
  ASSERT_TRUE(append_checkpoint(path, line(1)).ok());
  ASSERT_TRUE(append_checkpoint(path, line(2)).ok());
  EXPECT_EQ(*base::read_file(path, 10'000), line(1) + "\n" + line(2) + "\n");
  EXPECT_EQ(sequences(), (std::vector<std::int64_t>{1, 2}));
  // A crash in the middle of a line.
  ASSERT_TRUE(base::write_file_durably(path, line(1) + "\n" + line(2).substr(0, 40), 0600).ok());
  EXPECT_EQ(sequences(), (std::vector<std::int64_t>{1}));
  ASSERT_TRUE(append_checkpoint(path, line(3)).ok());
  EXPECT_EQ(sequences(), (std::vector<std::int64_t>{1, 3}));
  ASSERT_TRUE(base::write_file_durably(path, "half", 0600).ok());
  EXPECT_EQ(read_checkpoints(path, key_.public_key()).error().code, Code::NotFound);
  EXPECT_FALSE(append_checkpoint(folder_ / "no/such/folder", "{}").ok());
}

TEST_F(CheckpointTest, AForgedLineOfAFileIsNamed) {
  const std::string path = folder_ / "checkpoints.ndjson";
  const auto other = checkpoint_key(SecretString(std::string(43, 'x')));
  const Checkpoint checkpoint{"instance1", clock_.wall_ms(), calls_};
  ASSERT_TRUE(append_checkpoint(path, sign_checkpoint(checkpoint, key_)).ok());
  ASSERT_TRUE(append_checkpoint(path, sign_checkpoint(checkpoint, *other)).ok());
  ASSERT_TRUE(append_checkpoint(path, sign_checkpoint(checkpoint, key_)).ok());
  const auto read = read_checkpoints(path, key_.public_key());
  ASSERT_FALSE(read.ok());
  EXPECT_EQ(read.error().code, Code::DataLoss);
  EXPECT_THAT(read.error().message, HasSubstr(":2: "));
}

TEST_F(CheckpointTest, TakingOneAnchorsTheCallsAndSignsTheHeads) {
  record(3);
  domain::Actor actor;
  actor.kind = "USER";
  actor.login = "ada";
  const auto line = take_checkpoint({*store_, *changes_, clock_, key_, "instance1"}, calls_, actor);
  ASSERT_TRUE(line.ok()) << line.error().message;
  const domain::AuditEntry head = *store_->audit_head();
  EXPECT_EQ(head.event, "audit.checkpoint");
  EXPECT_EQ(head.actor_login, "ada");
  EXPECT_EQ(read_anchored_heads(head), calls_);
  const auto checkpoint = read_checkpoint(*line, key_.public_key());
  ASSERT_TRUE(checkpoint.ok());
  EXPECT_EQ(checkpoint->anchor("admin")->sequence, 4);
  EXPECT_EQ(checkpoint->anchor("admin")->hash, head.hash);
  EXPECT_EQ(checkpoint->anchor("calls")->sequence, 12);
  EXPECT_EQ(verified({.checkpoints = {*checkpoint->anchor("admin")}}), "4 records, chain intact");
  record(2);
  const auto anchored = anchored_head(*store_, "main");
  ASSERT_TRUE(anchored->has_value());
  EXPECT_EQ((*anchored)->sequence, 12);
  EXPECT_FALSE(anchored_head(*store_, "other")->has_value());
}

TEST_F(CheckpointTest, WithoutACheckpointNothingIsAnchored) { EXPECT_FALSE(anchored_head(*store_, "main")->has_value()); }

}  // namespace
}  // namespace funcgate::audit
