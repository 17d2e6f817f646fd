#include "audit/verify.h"

#include <gtest/gtest.h>

#include <functional>

#include "records.h"

namespace funcgate::audit {
namespace {

using Blocks = std::map<std::int64_t, domain::JournalBlock>;

constexpr int kBlocks = 40;  // more than are read at once
constexpr std::int64_t kStepMs = 20;

// `count` blocks of two calls each, 20 ms apart. Retention announces what is older than `kept_ms`.
Blocks a_chain(int count = kBlocks, std::int64_t kept_ms = 1'000'000) {
  Blocks blocks;
  ChainHead head = empty_chain();
  for (int i = 1; i <= count; ++i) {
    BlockPacker packer;
    const std::int64_t time_ms = kStartMs + i * kStepMs;
    packer.add(a_call(2 * i, "total", time_ms));
    packer.add(a_call(2 * i + 1, "total", time_ms));
    const std::int64_t first_ms = packer.first_ms(), last_ms = packer.last_ms();
    const auto block = seal_block(head, packer.finish(), first_ms, last_ms, 2, time_ms - kept_ms);
    head = {block.sequence, block.last_ms, block.hash};
    blocks[i] = block;
  }
  return blocks;
}

Verification verified(Blocks blocks, const VerifyOptions& options = {}) {
  test::MemoryJournalStore store;
  store.set_blocks(std::move(blocks));
  const auto result = verify(store, options);
  CHECK(result.ok());
  return *result;
}

// Moves the block at `from` to the place `to`, as somebody would who changes the sequence column.
void renumber(Blocks& blocks, std::int64_t from, std::int64_t to) {
  auto node = blocks.extract(from);
  node.key() = to;
  node.mapped().sequence = to;
  blocks.insert(std::move(node));
}

void rehash(domain::JournalBlock& block) { block.hash = block_hash(block); }

TEST(AuditVerify, PassesWhatWasWritten) {
  const Verification result = verified(a_chain());
  EXPECT_TRUE(result.intact());
  EXPECT_EQ(result.blocks, kBlocks);
  EXPECT_EQ(result.records, 2 * kBlocks);
  EXPECT_EQ(result.text(), "80 records in 40 blocks, chain intact");
  EXPECT_TRUE(verified({}).intact()) << "an empty journal";
}

TEST(AuditVerify, FindsEveryTampering) {
  struct Case {
    const char* what;
    std::function<void(Blocks&, std::int64_t)> tamper;  // at a block
    Damage damage;
    std::int64_t found_after = 0;  // blocks behind the one that was touched
    bool at_first = true, at_last = true;
  };
  const Case cases[] = {
      {"a byte of a record", [](Blocks& b, std::int64_t i) { b[i].records[b[i].records.size() / 2] ^= 1; }, Damage::HashMismatch},
      {"the last byte", [](Blocks& b, std::int64_t i) { b[i].records.back() ^= 1; }, Damage::HashMismatch},
      {"a record cut off", [](Blocks& b, std::int64_t i) { b[i].records.resize(b[i].records.size() - 40); },
       Damage::HashMismatch},
      {"the count", [](Blocks& b, std::int64_t i) { b[i].count = 1; }, Damage::HashMismatch},
      {"the first time", [](Blocks& b, std::int64_t i) { b[i].first_ms -= 1; }, Damage::HashMismatch},
      {"the last time", [](Blocks& b, std::int64_t i) { b[i].last_ms += 1; }, Damage::HashMismatch},
      {"the hash", [](Blocks& b, std::int64_t i) { b[i].hash[3] = b[i].hash[3] == 'a' ? 'b' : 'a'; }, Damage::HashMismatch},
      {"the link", [](Blocks& b, std::int64_t i) { b[i].previous_hash[3] ^= 1; }, Damage::HashMismatch},
      {"content and hash", [](Blocks& b, std::int64_t i) {
         b[i].records.back() ^= 1;
         rehash(b[i]);
       }, Damage::Order, 1, true, false},
      {"removed", [](Blocks& b, std::int64_t i) { b.erase(i); }, Damage::RecordMissing, 0, true, false},
      {"removed and closed up", [](Blocks& b, std::int64_t i) {
         b.erase(i);
         for (std::int64_t j = i + 1; j <= kBlocks; ++j) renumber(b, j, j - 1);
       }, Damage::Order, 0, false, false},
      {"two exchanged", [](Blocks& b, std::int64_t i) {
         renumber(b, i, 1000);
         renumber(b, i + 1, i);
         renumber(b, 1000, i + 1);
       }, Damage::Order, 0, false, false},
      {"one inserted", [](Blocks& b, std::int64_t i) {
         for (std::int64_t j = kBlocks; j >= i; --j) renumber(b, j, j + 1);
         const ChainHead head = i == 1 ? empty_chain() : ChainHead{i - 1, b[i - 1].last_ms, b[i - 1].hash};
         BlockPacker packer;
         packer.add(a_call(999));
         b[i] = seal_block(head, packer.finish(), kStartMs, kStartMs, 1, 0);
       }, Damage::Order, 1, true, true},
      {"a copy appended", [](Blocks& b, std::int64_t i) { b[kBlocks + 1] = b[i]; b[kBlocks + 1].sequence = kBlocks + 1; },
       Damage::Order, -1},
  };
  for (const Case& c : cases) {
    for (std::int64_t i = c.at_first ? 1 : 2; i <= kBlocks - (c.at_last ? 0 : 1); ++i) {
      Blocks blocks = a_chain();
      c.tamper(blocks, i);
      const Verification result = verified(blocks);
      ASSERT_EQ(damage_text(result.damage), damage_text(c.damage)) << c.what << " at " << i;
      ASSERT_EQ(result.sequence, c.found_after < 0 ? kBlocks + 1 : i + c.found_after) << c.what << " at " << i;
    }
  }
}

TEST(AuditVerify, TellsRetentionFromCuttingOff) {
  const Blocks whole = a_chain(kBlocks, 10 * kStepMs);
  // The newest block announced that blocks ending before (its time - 10 steps) may be gone: numbers up to 29.
  for (std::int64_t removed = 0; removed < kBlocks; ++removed) {
    Blocks blocks = whole;
    blocks.erase(blocks.begin(), blocks.upper_bound(removed));
    const Verification result = verified(blocks);
    EXPECT_EQ(result.intact(), removed <= 29) << removed;
    if (removed > 29) {
      EXPECT_EQ(result.damage, Damage::RecordMissing);
      EXPECT_EQ(result.sequence, removed);
    }
  }
}

TEST(AuditVerify, WhereRemovalsAreAnchoredNothingElseExplainsWhatIsMissing) {
  const Blocks whole = a_chain(kBlocks, 10 * kStepMs);
  VerifyOptions options;
  options.removed = ChainAnchor{12, whole.at(12).hash};
  for (std::int64_t removed = 0; removed < kBlocks; ++removed) {
    Blocks blocks = whole;
    blocks.erase(blocks.begin(), blocks.upper_bound(removed));
    const Verification result = verified(blocks, options);
    EXPECT_EQ(result.intact(), removed <= 12) << removed;
    if (removed > 12) {
      EXPECT_EQ(result.damage, Damage::RecordMissing);
      EXPECT_EQ(result.sequence, 13);
    }
  }
  // The chain that is left follows another block than the one that was removed, or the block is there and another one.
  options.removed->hash[3] ^= 1;
  Blocks blocks = whole;
  EXPECT_EQ(verified(blocks, options).damage, Damage::HashMismatch);
  EXPECT_EQ(verified(blocks, options).sequence, 12);
  blocks.erase(blocks.begin(), blocks.upper_bound(12));
  EXPECT_EQ(verified(blocks, options).damage, Damage::HashMismatch);
  EXPECT_EQ(verified(blocks, options).sequence, 13);
}

// Retention takes 50 blocks whenever some are read, as in the hour after a day's blocks were announced.
class RemovesWhileRead final : public domain::JournalStore {
 public:
  RemovesWhileRead(Blocks blocks, std::int64_t announced) : announced_(announced) { store_.set_blocks(std::move(blocks)); }
  base::Result<std::vector<domain::JournalBlock>> read(std::int64_t sequence, std::size_t count) override {
    auto found = store_.read(sequence, count);
    removed_ = std::min(removed_ + 50, announced_);
    CHECK(store_.prune(removed_, INT64_MAX, 0).ok());
    return found;
  }
  base::Status append(const domain::JournalBlock&, const std::vector<domain::StoredCallRecord>&) override { return unused(); }
  base::Result<domain::JournalBlock> newest() override { return unused(); }
  base::Result<std::vector<domain::JournalBlock>> read_back(const domain::BlockRange&, std::size_t) override { return unused(); }
  base::Status prune(std::int64_t, std::int64_t, std::int64_t) override { return unused(); }
  base::Result<std::vector<domain::StoredCallRecord>> query(const domain::CallQuery&) override { return unused(); }

 private:
  static base::Error unused() { return {base::Code::Internal, "unused", {}}; }
  const std::int64_t announced_;
  std::int64_t removed_ = 0;
  test::MemoryJournalStore store_;
};

TEST(AuditVerify, WhatRetentionRemovesMeanwhileInManyStepsIsNotMissing) {
  constexpr int kCount = 1000, kAnnounced = 900;
  const Blocks whole = a_chain(kCount);
  VerifyOptions options;
  options.removed = ChainAnchor{kAnnounced, whole.at(kAnnounced).hash};
  const auto verified_while_removed = [&](const Blocks& blocks) {
    RemovesWhileRead store(blocks, kAnnounced);
    return *verify(store, options);
  };
  const Verification result = verified_while_removed(whole);
  EXPECT_TRUE(result.intact()) << result.text();
  EXPECT_EQ(result.blocks, kCount - kAnnounced);
  // Whatever else is wrong is found all the same.
  Blocks gap = whole;
  gap.erase(950);
  EXPECT_EQ(verified_while_removed(gap).damage, Damage::RecordMissing);
  EXPECT_EQ(verified_while_removed(gap).sequence, 950);
  options.removed->hash[3] ^= 1;
  EXPECT_EQ(verified_while_removed(whole).damage, Damage::HashMismatch) << "another chain follows the announced one";
}

TEST(AuditVerify, FindsACutEndByItsCheckpoint) {
  Blocks blocks = a_chain();
  const VerifyOptions options{1, {ChainAnchor{kBlocks, blocks[kBlocks].hash}}};
  EXPECT_TRUE(verified(blocks, options).intact());
  Blocks cut = blocks;
  cut.erase(kBlocks);
  EXPECT_EQ(verified(cut, options).damage, Damage::HeadBehindCheckpoint);
  EXPECT_EQ(verified(cut, options).sequence, kBlocks - 1);
  EXPECT_EQ(verified({}, options).damage, Damage::HeadBehindCheckpoint);
  Blocks rewritten = blocks;
  rewritten[kBlocks].count = 1;
  rehash(rewritten[kBlocks]);
  EXPECT_TRUE(verified(rewritten).intact()) << "the last block can be forged whole";
  EXPECT_EQ(verified(rewritten, options).damage, Damage::HashMismatch) << "unless it was noted elsewhere";
}

TEST(AuditVerify, EveryNotedBlockCounts) {
  const Blocks blocks = a_chain();
  const ChainAnchor good{kBlocks, blocks.at(kBlocks).hash}, bad{2, std::string(64, 'a')};
  EXPECT_EQ(verified(blocks, {.checkpoints = {good, bad}}).sequence, 2) << "although the newest is right";
  EXPECT_TRUE(verified(blocks, {.checkpoints = {good, {2, blocks.at(2).hash}, good}}).intact());
}

TEST(AuditVerify, StartsWhereItIsTold) {
  Blocks blocks = a_chain();
  blocks[3].count = 1;
  EXPECT_EQ(verified(blocks).sequence, 3);
  const Verification later = verified(blocks, {.from_sequence = 4, .checkpoints = {}});
  EXPECT_TRUE(later.intact());
  EXPECT_EQ(later.blocks, kBlocks - 3);
  EXPECT_EQ(verified(blocks, {.from_sequence = 3, .checkpoints = {}}).sequence, 3);
}

TEST(AuditVerify, KnowsNothingWithoutTheStore) {
  test::MemoryJournalStore store;
  store.fail_reads();
  EXPECT_FALSE(verify(store).ok());
}

}  // namespace
}  // namespace funcgate::audit
