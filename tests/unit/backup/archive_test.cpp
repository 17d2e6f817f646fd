// pack() and unpack() together: what comes out is what went in, or nothing comes out.
#include <fcntl.h>
#include <sys/stat.h>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <map>

#include "backup/pack.h"
#include "backup/unpack.h"
#include "support/temporary_folder.h"

namespace funcgate::backup {
namespace {

using base::Code;
using ::testing::HasSubstr;

constexpr std::size_t kReadMax = 10 << 20;
using Files = std::map<std::string, std::string>;

Files some_files() {
  return {{"funcgate.db", "the configuration"},
          {"journal.db", std::string(3000, 'j')},
          {"resources/shop/" + std::string(150, 'n') + "/ä.csv", "a;b\n"},
          {"run/calls/TASK-1/file-0", ""}};
}

class Archive : public ::testing::Test {
 protected:
  // The path of an archive of the files.
  std::string make(const Files& files, const Step& step = {}) {
    Manifest manifest{.product_version = "1", .created_ms = 1, .schemas = {{"funcgate.db", 1}, {"journal.db", 1}}};
    std::map<std::string, std::string> paths;
    for (const auto& [name, content] : files) {
      folder_.write("in/" + name, content);
      paths[name] = folder_ / ("in/" + name);
      auto member = measure(name, paths[name], {});
      EXPECT_TRUE(member.ok());
      manifest.members.push_back(*member);
    }
    const std::string path = folder_ / "archive.tar";
    const base::FileDescriptor file(::open(path.c_str(), O_WRONLY | O_CREAT | O_TRUNC, 0600));
    packed_ = pack(file.get(), manifest, paths, step);
    return path;
  }

  base::Result<Manifest> unpack_fresh(const std::string& path, const Accept& accept = {}) {
    std::filesystem::remove_all(folder_ / "out");
    std::filesystem::create_directory(folder_ / "out");
    return unpack(path, folder_ / "out", accept, {});
  }

  Files found() const {
    Files files;
    for (const auto& entry : std::filesystem::recursive_directory_iterator(folder_ / "out")) {
      if (entry.is_regular_file())
        files[entry.path().string().substr((folder_ / "out/").size())] = *base::read_file(entry.path().string(), kReadMax);
    }
    return files;
  }

  test::TemporaryFolder folder_;
  base::Status packed_ = base::kDone;
};

TEST_F(Archive, GivesBackWhatWasPutIn) {
  const std::string path = make(some_files());
  ASSERT_TRUE(packed_.ok()) << packed_.error().message;
  const auto read = unpack_fresh(path);
  ASSERT_TRUE(read.ok()) << read.error().message;
  EXPECT_EQ(found(), some_files());
  EXPECT_EQ(read->members.size(), 4u);
  struct stat info{};
  ASSERT_EQ(::stat((folder_ / "out/journal.db").c_str(), &info), 0);
  EXPECT_EQ(info.st_mode & 0777, 0600u);
  ASSERT_EQ(::stat((folder_ / "out/run/calls").c_str(), &info), 0);
  EXPECT_EQ(info.st_mode & 0777, 0700u);
}

TEST_F(Archive, AChangedByteIsRefusedOrWithoutEffect) {
  const std::string path = make(some_files());
  const std::string good = *base::read_file(path, kReadMax);
  ASSERT_TRUE(unpack_fresh(path).ok());
  std::size_t refused = 0, tried = 0;
  constexpr std::size_t kStride = 29;
  for (std::size_t at = 0; at < good.size(); at += kStride) {
    std::string bad = good;
    bad[at] = static_cast<char>(bad[at] ^ 0x20);
    folder_.write("archive.tar", bad);
    const auto read = unpack_fresh(path);
    ++tried;
    if (read.ok()) {
      // Padding, and headers that say nothing about content.
      EXPECT_EQ(found(), some_files()) << "byte " << at;
    } else {
      EXPECT_EQ(read.error().code, Code::InvalidArgument) << "byte " << at << ": " << read.error().message;
      ++refused;
    }
  }
  EXPECT_GT(refused, tried / 4);
}

TEST_F(Archive, OneThatWasCutOffIsRefused) {
  const std::string path = make(some_files());
  const std::string good = *base::read_file(path, kReadMax);
  const std::size_t end = good.rfind("manifest.json\n");
  ASSERT_NE(end, std::string::npos);
  ASSERT_TRUE(unpack_fresh(path).ok());
  for (std::size_t length = 0; length < end; length += 97) {
    folder_.write("archive.tar", good.substr(0, length));
    const auto read = unpack_fresh(path);
    ASSERT_FALSE(read.ok()) << length;
    EXPECT_EQ(read.error().code, Code::InvalidArgument) << length;
  }
}

TEST_F(Archive, WhatIsNotAcceptedIsNotWritten) {
  const std::string path = make(some_files());
  const auto read = unpack_fresh(path, [](const Manifest& manifest) -> base::Status {
    EXPECT_EQ(manifest.schemas.at("funcgate.db"), 1);
    return base::Error{Code::FailedPrecondition, "too new", {}};
  });
  ASSERT_FALSE(read.ok());
  EXPECT_EQ(read.error().message, "too new");
  EXPECT_TRUE(found().empty());
}

TEST_F(Archive, AFileThatShrankIsNotPacked) {
  std::size_t steps = 0;
  make(some_files(), [&](std::string_view, std::uint64_t) {
    if (steps++ == 0) folder_.write("in/journal.db", "short");
    return true;
  });
  ASSERT_FALSE(packed_.ok());
  EXPECT_EQ(packed_.error().code, Code::DataLoss);
}

TEST_F(Archive, EndsWhenTheStepSaysNo) {
  make(some_files(), [](std::string_view, std::uint64_t) { return false; });
  ASSERT_FALSE(packed_.ok());
  EXPECT_EQ(packed_.error().code, Code::Cancelled);
}

TEST_F(Archive, LinksAndForeignNamesAreNotCopied) {
  folder_.write("secret", "s");
  std::filesystem::create_symlink(folder_ / "secret", folder_ / "link");
  std::filesystem::create_directory(folder_ / "folder");
  const std::pair<std::string, Code> cases[] = {
      {"link", Code::FailedPrecondition}, {"folder", Code::FailedPrecondition}, {"missing", Code::NotFound}};
  for (const auto& [name, code] : cases) {
    const auto copied = copy_and_measure("resources/x", folder_ / name, folder_ / "copy", {});
    ASSERT_FALSE(copied.ok()) << name;
    EXPECT_EQ(copied.error().code, code) << name;
    EXPECT_FALSE(std::filesystem::exists(folder_ / "copy")) << name;
  }
  const auto foreign = copy_and_measure("keystore-password", folder_ / "secret", folder_ / "copy", {});
  ASSERT_FALSE(foreign.ok());
  EXPECT_EQ(foreign.error().code, Code::InvalidArgument);
}

TEST_F(Archive, AFileThatIsNoArchiveSaysSo) {
  for (const std::string& content : {std::string(), std::string("hello"), std::string(20'000, '\0'), std::string(20'000, 'x')}) {
    folder_.write("archive.tar", content);
    const auto read = unpack_fresh(folder_ / "archive.tar");
    ASSERT_FALSE(read.ok());
    EXPECT_EQ(read.error().code, Code::InvalidArgument);
  }
  EXPECT_EQ(unpack_fresh(folder_ / "missing.tar").error().code, Code::NotFound);
}

}  // namespace
}  // namespace funcgate::backup
