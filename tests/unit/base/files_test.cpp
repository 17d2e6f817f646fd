#include "base/files.h"

#include <fcntl.h>
#include <gtest/gtest.h>
#include <sys/stat.h>
#include <unistd.h>

#include <filesystem>

#include "support/temporary_folder.h"

namespace funcgate::base {
namespace {

unsigned mode_of(const std::string& path) {
  struct stat info{};
  EXPECT_EQ(::stat(path.c_str(), &info), 0);
  return info.st_mode & 0777;
}

std::size_t entries(const std::string& folder) {
  std::size_t count = 0;
  for ([[maybe_unused]] const auto& entry : std::filesystem::directory_iterator(folder)) ++count;
  return count;
}

TEST(Files, ADurableWriteReplacesTheWholeFileAndLeavesNothingElse) {
  const test::TemporaryFolder folder;
  const std::string path = folder / "state";
  ASSERT_TRUE(write_file_durably(path, "first, and longer", 0600).ok());
  ASSERT_TRUE(write_file_durably(path, "second", 0600).ok());
  EXPECT_EQ(read_file(path, 100).value(), "second");
  EXPECT_EQ(mode_of(path), 0600u);
  EXPECT_EQ(entries(folder.path()), 1u);
}

TEST(Files, ADurableWriteThatFailsKeepsTheOldContent) {
  const test::TemporaryFolder folder;
  const std::string path = folder / "state";
  ASSERT_TRUE(write_file_durably(path, "old", 0600).ok());
  // The name of the temporary file is taken by a folder.
  ASSERT_TRUE(make_folder(path + "." + std::to_string(::getpid()) + ".tmp", 0700).ok());
  const Status status = write_file_durably(path, "new", 0600);
  ASSERT_FALSE(status.ok());
  EXPECT_NE(status.error().message.find(path), std::string::npos) << "names the path";
  EXPECT_EQ(read_file(path, 100).value(), "old");
}

TEST(Files, ADurableWriteDoesNotFollowAPlantedLink) {
  const test::TemporaryFolder folder;
  const std::string path = folder / "state", target = folder / "elsewhere";
  folder.write("elsewhere", "untouched");
  ASSERT_EQ(::symlink(target.c_str(), (path + "." + std::to_string(::getpid()) + ".tmp").c_str()), 0);
  EXPECT_FALSE(write_file_durably(path, "new", 0600).ok());
  EXPECT_EQ(read_file(target, 100).value(), "untouched");
}

TEST(Files, ReadingIsBoundedAndNamesWhatIsMissing) {
  const test::TemporaryFolder folder;
  folder.write("ten", "0123456789");
  EXPECT_EQ(read_file(folder / "ten", 10).value(), "0123456789");
  EXPECT_EQ(read_file(folder / "ten", 9).error().code, Code::PayloadTooLarge);
  const auto missing = read_file(folder / "missing", 9);
  EXPECT_EQ(missing.error().code, Code::NotFound);
  EXPECT_NE(missing.error().message.find("missing"), std::string::npos);
  EXPECT_FALSE(write_file_durably(folder / "no/such/folder", "x", 0600).ok());
}

TEST(Files, MakingAFolderThatExistsIsFineAFileIsNot) {
  const test::TemporaryFolder folder;
  ASSERT_TRUE(make_folder(folder / "a/b/c", 0700).ok());
  EXPECT_EQ(mode_of(folder / "a/b/c"), 0700u);
  EXPECT_TRUE(make_folder(folder / "a/b/c", 0700).ok());
  folder.write("file", "");
  EXPECT_FALSE(make_folder(folder / "file", 0700).ok());
}

TEST(Files, RemovingATreeDoesNotFollowLinks) {
  const test::TemporaryFolder folder;
  folder.write("kept/file", "kept");
  folder.write("tree/deep/file", "gone");
  ASSERT_EQ(::symlink((folder / "kept").c_str(), (folder / "tree/link").c_str()), 0);
  EXPECT_TRUE(remove_tree(folder / "tree").ok());
  EXPECT_FALSE(std::filesystem::exists(folder / "tree"));
  EXPECT_EQ(read_file(folder / "kept/file", 10).value(), "kept");
  EXPECT_TRUE(remove_tree(folder / "tree").ok()) << "missing is fine";
}

TEST(Files, ASealedMemoryFileCannotBeChanged) {
  auto fd = sealed_memfd("test", "content");
  ASSERT_TRUE(fd.ok());
  char buffer[16] = {};
  EXPECT_EQ(::pread(fd->get(), buffer, sizeof buffer, 0), 7);
  EXPECT_STREQ(buffer, "content");
  EXPECT_LT(::pwrite(fd->get(), "x", 1, 0), 0);
  EXPECT_LT(::ftruncate(fd->get(), 1), 0);
  EXPECT_LT(::ftruncate(fd->get(), 100), 0);
  EXPECT_LT(::fcntl(fd->get(), F_ADD_SEALS, F_SEAL_WRITE), 0) << "the seals are sealed";
  EXPECT_NE(::fcntl(fd->get(), F_GETFD) & FD_CLOEXEC, 0);
}

TEST(FileDescriptor, HasOneOwner) {
  int ends[2];
  ASSERT_EQ(::pipe(ends), 0);
  FileDescriptor read_end(ends[0]);
  const FileDescriptor write_end(ends[1]);
  FileDescriptor moved = std::move(read_end);
  EXPECT_FALSE(read_end);
  EXPECT_EQ(moved.get(), ends[0]);
  moved.reset();
  EXPECT_EQ(::fcntl(ends[0], F_GETFD), -1) << "closed";
  EXPECT_FALSE(moved);
}

}  // namespace
}  // namespace funcgate::base
