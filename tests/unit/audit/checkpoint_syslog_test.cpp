#include "audit/checkpoint_syslog.h"

#include <gmock/gmock.h>
#include <sys/socket.h>
#include <sys/un.h>

#include <array>
#include <cstring>

#include "base/files.h"
#include "support/fake_clock.h"
#include "support/temporary_folder.h"

namespace funcgate::audit {
namespace {

using base::Code;
using ::testing::HasSubstr;
using ::testing::IsEmpty;
using ::testing::MatchesRegex;
using ::testing::Not;

// A syslog daemon's socket.
class CheckpointSyslogTest : public ::testing::Test {
 protected:
  CheckpointSyslogTest() : socket_(::socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0)) {
    sockaddr_un address{};
    address.sun_family = AF_UNIX;
    std::memcpy(address.sun_path, path_.data(), path_.size());
    CHECK(::bind(socket_.get(), reinterpret_cast<const sockaddr*>(&address), sizeof address) == 0);
  }
  // What came; empty: nothing.
  std::string received() {
    std::array<char, 65536> bytes{};
    const ssize_t count = ::recv(socket_.get(), bytes.data(), bytes.size(), 0);
    return count < 0 ? std::string() : std::string(bytes.data(), static_cast<std::size_t>(count));
  }
  std::string problem(const base::Status& status) {
    EXPECT_FALSE(status.ok());
    if (status.ok()) return {};
    EXPECT_EQ(status.error().code, Code::Unavailable);
    return status.error().message;
  }

  test::TemporaryFolder folder_;
  const std::string path_ = folder_ / "log";
  base::FileDescriptor socket_;
};

TEST_F(CheckpointSyslogTest, IsOneDatagramInTheFormOfRfc5424) {
  ASSERT_TRUE(send_checkpoint(path_, R"({"checkpoint":{"heads":[]}})", test::kStartMs).ok());
  EXPECT_THAT(received(), MatchesRegex("<109>1 [0-9]+-[0-9]+-[0-9]+T[0-9]+:[0-9]+:[0-9]+\\.[0-9]+Z [!-~]+ funcgate [0-9]+ "
                                       "audit.checkpoint - \\{\"checkpoint\":\\{\"heads\":\\[\\]\\}\\}"));
  EXPECT_EQ(received(), "");
}

TEST_F(CheckpointSyslogTest, SaysWhatDoesNotFitADatagram) {
  EXPECT_THAT(problem(send_checkpoint(path_, std::string(4 << 20, 'x'), test::kStartMs)), HasSubstr("do not fit a datagram"));
  EXPECT_EQ(received(), "") << "no part of it either";
}

TEST_F(CheckpointSyslogTest, SaysThatNobodyListens) {
  EXPECT_THAT(problem(send_checkpoint(path_ + "2", "{}", test::kStartMs)), HasSubstr(path_ + "2"));
  socket_.reset();
  EXPECT_THAT(problem(send_checkpoint(path_, "{}", test::kStartMs)), HasSubstr("refused"));
  EXPECT_THAT(problem(send_checkpoint("/" + std::string(200, 'x'), "{}", test::kStartMs)), HasSubstr("too long"));
}

TEST_F(CheckpointSyslogTest, ADaemonThatTakesNothingIsWaitedForALittle) {
  base::Status last = base::kDone;
  for (int sent = 0; last.ok() && sent < 100'000; ++sent) last = send_checkpoint(path_, "{}", test::kStartMs);
  EXPECT_THAT(problem(last), HasSubstr("did not take it within 5 s"));
}

TEST_F(CheckpointSyslogTest, OnlyPathsThatASocketCanHaveAreTaken) {
  for (const char* path : {"", "/dev/log", "/run/systemd/journal/dev-log"})
    EXPECT_THAT(syslog_path_problem(path), IsEmpty()) << path;
  for (const std::string& path : {std::string("dev/log"), std::string("udp://127.0.0.1:514"), "/" + std::string(107, 'x')})
    EXPECT_THAT(syslog_path_problem(path), Not(IsEmpty())) << path;
  EXPECT_THAT(syslog_path_problem("/" + std::string(106, 'x')), IsEmpty());
}

}  // namespace
}  // namespace funcgate::audit
