// A folder that goes with the test, a clock that stands still, and short ways to files. For the tests of this folder.
#pragma once

#include <gtest/gtest.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <string>

#include "base/clock.h"
#include "base/files.h"
#include "base/secret.h"

namespace funcgate::keystore {

class StoppedClock final : public base::Clock {
 public:
  base::WallMs wall_ms() const override { return now_ms; }
  base::SteadyNs steady_ns() const override { return now_ms * base::kNsPerMs; }
  base::WallMs now_ms = 1'767'225'600'000;  // 2026-01-01T00:00:00Z
};

class TemporaryFolder {
 public:
  TemporaryFolder() {
    std::string name = (std::filesystem::temp_directory_path() / "funcgate-keystore-XXXXXX").string();
    EXPECT_NE(::mkdtemp(name.data()), nullptr);
    path_ = name;
  }
  TemporaryFolder(const TemporaryFolder&) = delete;
  TemporaryFolder& operator=(const TemporaryFolder&) = delete;
  ~TemporaryFolder() { std::ignore = base::remove_tree(path_); }  // nothing to be done about it in a test

  const std::string& path() const { return path_; }
  std::string file(const std::string& name) const { return path_ + "/" + name; }
  std::string write(const std::string& name, std::string_view content, unsigned mode = 0600) const {
    const std::string path = file(name);
    std::ofstream(path, std::ios::binary) << content;
    EXPECT_EQ(::chmod(path.c_str(), mode), 0);
    return path;
  }

 private:
  std::string path_;
};

inline std::string read_whole(const std::string& path) {
  auto content = base::read_file(path, 32 * 1024 * 1024);
  EXPECT_TRUE(content.ok()) << path;
  return content.ok() ? std::move(content).value() : std::string();
}

inline unsigned mode_of(const std::string& path) {
  struct stat info{};
  EXPECT_EQ(::stat(path.c_str(), &info), 0) << path;
  return info.st_mode & 07777;
}

inline bool contains(std::string_view text, std::string_view part) { return text.find(part) != std::string_view::npos; }

inline const base::SecretString kPassword(std::string("changeit"));
inline const base::SecretString kLongSecret(std::string("Kx8-u2Lr0wZ_c4Vb9QeN7sTyHj5MgA1dPf6XiUo3RtE"));
inline const base::SecretString kOtherSecret(std::string("pQ2_mN8vB4xZ6cL1kJ9hG3fD7sA5wE0rT-yUiOqWzXc"));

}  // namespace funcgate::keystore
