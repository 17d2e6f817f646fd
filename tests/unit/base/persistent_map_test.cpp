#include "base/persistent_map.h"

#include <gtest/gtest.h>

#include <atomic>
#include <map>
#include <memory>
#include <random>
#include <string>
#include <string_view>
#include <thread>
#include <vector>

#include "support/counting_allocator.h"

namespace funcgate::base {
namespace {

struct Word {
  std::string key;
  int value = 0;
};

struct ByHash {
  static std::string_view key(const Word& word) { return word.key; }
  static std::uint64_t hash(std::string_view key) { return std::hash<std::string_view>()(key); }
};
// Hashes of 12 bits spread over all 64, so that every depth and the lists of equal hashes are met.
struct ByPoorHash {
  static std::string_view key(const Word& word) { return word.key; }
  static std::uint64_t hash(std::string_view key) {
    const std::uint64_t full = std::hash<std::string_view>()(key);
    return (full & 0x7) | (full & 0x30) << 26 | (full & 0xc00) << 50;
  }
};
struct ByNothing {
  static std::string_view key(const Word& word) { return word.key; }
  static std::uint64_t hash(std::string_view) { return 0xffff'ffff'ffff'ffffULL; }
};

// The pointer's space, as the directory has it.
struct BySharedWord {
  static std::string_view key(const std::shared_ptr<const Word>& word) { return word->key; }
  static std::uint64_t hash(std::string_view key) { return std::hash<std::string_view>()(key); }
};

template <class Map>
std::map<std::string, int> contents(const Map& map) {
  std::map<std::string, int> out;
  map.each([&](const Word& word) {
    EXPECT_TRUE(out.emplace(word.key, word.value).second) << word.key;
    return true;
  });
  return out;
}

template <class Traits>
class PersistentMapOf : public ::testing::Test {};
using AllTraits = ::testing::Types<ByHash, ByPoorHash, ByNothing>;
TYPED_TEST_SUITE(PersistentMapOf, AllTraits);

// Random changes of random copies: each copy goes on to equal its std::map, whatever happens to the others.
TYPED_TEST(PersistentMapOf, BehavesLikeAStandardMapInEveryCopy) {
  using Map = PersistentMap<Word, TypeParam>;
  std::mt19937 random(7);
  std::vector<std::pair<Map, std::map<std::string, int>>> copies(1);
  for (int step = 0; step < 6000; ++step) {
    auto& [map, model] = copies[random() % copies.size()];
    const std::string key = "key " + std::to_string(random() % 150);
    switch (random() % 8) {
      case 0:
      case 1:
      case 2:
      case 3: ASSERT_EQ(map.put({key, step}), model.insert_or_assign(key, step).second); break;
      case 4:
      case 5: ASSERT_EQ(map.erase(key), model.erase(key) > 0); break;
      case 6:
        if (Word* word = map.edit(key)) {
          word->value = -step;
          model.at(key) = -step;
        } else {
          ASSERT_FALSE(model.contains(key));
        }
        break;
      default:
        if (copies.size() < 6) {
          auto copy = copies[random() % copies.size()];
          copies.push_back(std::move(copy));
        } else {
          copies.erase(copies.begin() + static_cast<long>(random() % copies.size()));
        }
        continue;
    }
    ASSERT_EQ(map.size(), model.size());
    const Word* found = map.find(key);
    ASSERT_EQ(found != nullptr, model.contains(key));
    if (found != nullptr) ASSERT_EQ(found->value, model.at(key));
    if (step % 50 == 0) {
      for (const auto& [each_map, each_model] : copies) ASSERT_EQ(contents(each_map), each_model) << step;
    }
  }
  for (const auto& [map, model] : copies) EXPECT_EQ(contents(map), model);
}

TYPED_TEST(PersistentMapOf, IsEmptyAfterEverythingWasErased) {
  PersistentMap<Word, TypeParam> map;
  for (int i = 0; i < 500; ++i) map.put({std::to_string(i), i});
  const auto copy = map;
  for (int i = 499; i >= 0; --i) EXPECT_TRUE(map.erase(std::to_string(i)));
  EXPECT_TRUE(map.empty());
  EXPECT_EQ(map.find("7"), nullptr);
  EXPECT_FALSE(map.erase("7"));
  EXPECT_EQ(contents(map).size(), 0U);
  EXPECT_EQ(contents(copy).size(), 500U);
}

TEST(PersistentMap, FindsByAnyViewOfTheKey) {
  PersistentMap<Word, ByHash> map;
  map.put({"usr-a", 1});
  const std::string text = "xx usr-a xx";
  ASSERT_NE(map.find(std::string_view(text).substr(3, 5)), nullptr);
  EXPECT_EQ(map.find(""), nullptr);
}

TEST(PersistentMap, ErasesByAKeyThatStandsInTheEntryItself) {
  PersistentMap<Word, ByHash> map;
  map.put({"a long key that is not stored within its string", 1});
  const Word* word = map.find("a long key that is not stored within its string");
  EXPECT_TRUE(map.erase(word->key));
  EXPECT_TRUE(map.empty());
}

TEST(PersistentMap, StopsVisitingWhenTold) {
  PersistentMap<Word, ByHash> map;
  for (int i = 0; i < 100; ++i) map.put({std::to_string(i), i});
  int visited = 0;
  EXPECT_FALSE(map.each([&](const Word&) { return ++visited < 10; }));
  EXPECT_EQ(visited, 10);
}

TEST(PersistentMap, KeepsEntriesOfAnOldCopyWhereTheyAre) {
  PersistentMap<Word, ByHash> map;
  for (int i = 0; i < 1000; ++i) map.put({std::to_string(i), i});
  const auto old = map;
  const Word* before = old.find("500");
  for (int i = 0; i < 1000; ++i) map.put({std::to_string(i), -i});
  EXPECT_EQ(old.find("500"), before);
  EXPECT_EQ(before->value, 500);
  EXPECT_EQ(map.find("500")->value, -500);
}

TEST(PersistentMap, LooksUpWithoutAllocation) {
  if (!test::can_count_allocations()) GTEST_SKIP();
  PersistentMap<Word, ByHash> map;
  for (int i = 0; i < 1000; ++i) map.put({std::to_string(i), i});
  const test::AllocationCount count;
  EXPECT_NE(map.find("500"), nullptr);
  EXPECT_EQ(map.find("none"), nullptr);
  EXPECT_EQ(count.value(), 0U);
}

using SharedWordMap = PersistentMap<std::shared_ptr<const Word>, BySharedWord>;

// As large as the pointers that a directory keeps.
struct ByNumber {
  static std::uint64_t key(std::uint64_t number) { return number; }
  static std::uint64_t hash(std::uint64_t number) { return (number ^ number >> 29) * 0x9e3779b97f4a7c15ULL; }
};

TEST(PersistentMap, OneChangeCopiesLittle) {
  if (!test::can_count_allocations()) GTEST_SKIP();
  PersistentMap<std::uint64_t, ByNumber> map;
  for (std::uint64_t i = 0; i < 1'000'000; ++i) map.put(i);
  for (const std::uint64_t number : {0U, 12'345U, 999'999U, 1'000'000U}) {
    const auto before = test::allocated_bytes_of_this_thread();
    auto copy = map;
    copy.put(number);
    EXPECT_LT(test::allocated_bytes_of_this_thread() - before, 4096U) << number;
    const auto between = test::allocated_bytes_of_this_thread();
    auto other = map;
    other.erase(number);
    EXPECT_LT(test::allocated_bytes_of_this_thread() - between, 4096U) << number;
    EXPECT_EQ(other.contains(number), false);
    EXPECT_EQ(map.contains(number), number < 1'000'000);
  }
}

TEST(PersistentMap, ChangesInPlaceWhatNobodyShares) {
  if (!test::can_count_allocations()) GTEST_SKIP();
  SharedWordMap map;
  std::vector<std::shared_ptr<const Word>> words;
  for (int i = 0; i < 10'000; ++i) words.push_back(std::make_shared<const Word>(Word{std::to_string(i), i}));
  for (const auto& word : words) map.put(word);
  const test::AllocationCount count;
  for (const auto& word : words) map.put(word);
  EXPECT_EQ(count.value(), 0U);
}

// For the thread sanitizer: readers of old copies beside a writer of new ones, and copies that end on other threads.
TEST(PersistentMap, IsReadBesideAWriterOfItsCopy) {
  PersistentMap<Word, ByPoorHash> map;
  for (int i = 0; i < 200; ++i) map.put({std::to_string(i), i});
  std::atomic<bool> failed = false;
  for (int round = 0; round < 20; ++round) {
    std::vector<std::thread> readers;
    for (int r = 0; r < 3; ++r) {
      readers.emplace_back([copy = map, round, &failed]() mutable {
        for (int i = 0; i < 200; ++i) {
          const Word* word = copy.find(std::to_string(i));
          if (word == nullptr || word->value != i + 1000 * round) failed = true;
        }
        copy.put({"mine", 1});
        copy.erase("7");
      });
    }
    for (int i = 0; i < 200; ++i) map.put({std::to_string(i), i + 1000 * (round + 1)});
    for (std::thread& reader : readers) reader.join();
  }
  EXPECT_FALSE(failed);
  EXPECT_EQ(map.size(), 200U);
}

}  // namespace
}  // namespace funcgate::base
