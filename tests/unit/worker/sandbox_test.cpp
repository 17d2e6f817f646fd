#include <fcntl.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <unistd.h>

#include <filesystem>
#include <fstream>

#include "unit/worker/worker_process.h"

namespace funcgate::test {
namespace {

using ::testing::AnyOf;
using ::testing::HasSubstr;

// Runs `code` in a function that returns what it raised or 'nothing'.
constexpr const char* kTry =
    "import os, socket, ctypes, errno, threading\nlibc = ctypes.CDLL(None, use_errno=True)\n"
    "def call(*a):\n    r = libc.syscall(*[ctypes.c_long(x) for x in a])\n"
    "    return errno.errorcode.get(ctypes.get_errno()) if r < 0 else 'allowed'\n"
    "@DFF.API('x')\ndef f(e):\n    try:\n        return eval(e)\n    except OSError as error:\n        return "
    "errno.errorcode.get(error.errno, str(error))\n";

class WorkerSandbox : public ::testing::Test {
 protected:
  void SetUp() override {
    char name[] = "/tmp/funcgate-sandbox-test-XXXXXX";
    root_ = ::mkdtemp(name);
    std::filesystem::create_directories(root_ + "/calls");
    std::ofstream(root_ + "/secret.txt") << "secret";
    WorkerSetup setup{{{"t__m", kTry}}, {}, {}};
    setup.folders = {root_ + "/calls"};
    worker_ = std::make_unique<WorkerProcess>(std::move(setup));
    ASSERT_TRUE(worker_->ready()) << base::to_json(worker_->report());
  }
  void TearDown() override { std::filesystem::remove_all(root_); }

  std::string run(const std::string& expression) {
    const auto reply = worker_->call_f("{\"e\":" + base::json_string(expression) + "}");
    return reply.outcome == wire::Outcome::Value ? reply.body : reply.problem;
  }

  std::string root_;
  std::unique_ptr<WorkerProcess> worker_;
};

TEST_F(WorkerSandbox, FilesAreClosedButForTheCallsFolders) {
  for (const std::string& path :
       {std::string("/etc/passwd"), root_ + "/secret.txt", std::string("/proc/self/environ"), std::string("/proc/1/cmdline"),
        root_ + "/calls/../secret.txt", std::string("/root/.profile"), std::string("/var/log/dpkg.log"),
        std::string("/sys/kernel/mm/transparent_hugepage/enabled"), std::string("/dev/mem")}) {
    EXPECT_THAT(run("open('" + path + "').read()"), AnyOf("EACCES", "ENOENT", "EPERM")) << path;
  }
  EXPECT_EQ(run("os.listdir('" + root_ + "')"), "EACCES");
  EXPECT_EQ(run("open('" + root_ + "/new', 'w')"), "EACCES");
  EXPECT_EQ(run("open('/usr/lib/new', 'w')"), "EACCES");
  EXPECT_EQ(run("os.symlink('" + root_ + "/secret.txt', '" + root_ + "/calls/link') or open('" + root_ + "/calls/link').read()"),
            "EACCES");
  EXPECT_THAT(run("os.link('" + root_ + "/secret.txt', '" + root_ + "/calls/hard')"), AnyOf("EXDEV", "EACCES"));
  EXPECT_THAT(run("os.rename('" + root_ + "/secret.txt', '" + root_ + "/calls/moved')"), AnyOf("EXDEV", "EACCES"));
  EXPECT_EQ(run("os.truncate('" + root_ + "/secret.txt', 0)"), "EACCES");
  EXPECT_EQ(run("open('" + root_ + "/calls/a', 'w').write('x') and open('" + root_ + "/calls/a').read()"), "x");
  EXPECT_EQ(run("len(open('/dev/urandom', 'rb').read(5))"), "5");
  EXPECT_EQ(std::filesystem::file_size(root_ + "/secret.txt"), 6u);
}

TEST_F(WorkerSandbox, NoProcessesAndPrograms) {
  EXPECT_EQ(run("os.fork()"), "EPERM");
  EXPECT_EQ(run("os.execv('/usr/bin/true', ['true'])"), "EPERM");
  EXPECT_EQ(run("os.posix_spawn('/usr/bin/true', ['true'], {})"), "EPERM");
  EXPECT_THAT(run("__import__('subprocess').run(['/usr/bin/true'])"), "EPERM");
  EXPECT_EQ(run("os.system('true')"), "32512") << "status 127: nothing could be started";
  EXPECT_EQ(run("os.kill(os.getppid(), 0)"), "EPERM");
  EXPECT_EQ(run("os.kill(1, 0)"), "EPERM");
  EXPECT_EQ(run("os.kill(-1, 0)"), "EPERM");
  EXPECT_EQ(run("os.kill(0, 0)"), "EPERM");
  EXPECT_EQ(run("os.kill(os.getpid(), 0)"), "null");
  EXPECT_EQ(run("[t.start() or t.join() or 'threads work' for t in [threading.Thread(target=int)]]"), "[\"threads work\"]");
}

TEST_F(WorkerSandbox, ForbiddenSystemCallsFail) {
  // Numbers of x86-64: ptrace, process_vm_readv, mount, chroot, unshare, setns, bpf, perf_event_open, keyctl, userfaultfd,
  // io_uring_setup, pidfd_getfd, setuid, personality, init_module, reboot, shmget.
  for (int number : {101, 310, 165, 161, 272, 308, 321, 298, 250, 323, 425, 438, 105, 135, 175, 169, 29}) {
    EXPECT_EQ(run("call(" + std::to_string(number) + ", 0, 0, 0, 0, 0)"), "EPERM") << number;
  }
  EXPECT_EQ(run("call(435, 0, 0)"), "ENOSYS") << "clone3";
  EXPECT_EQ(run("call(56, 17, 0, 0, 0, 0)"), "EPERM") << "clone without CLONE_THREAD";
}

TEST_F(WorkerSandbox, OnlyInternetSockets) {
  EXPECT_EQ(run("socket.socket(socket.AF_UNIX)"), "EPERM");
  EXPECT_EQ(run("socket.socket(socket.AF_PACKET, socket.SOCK_RAW)"), "EPERM");
  EXPECT_EQ(run("socket.socket(socket.AF_INET, socket.SOCK_RAW, 1)"), "EPERM");
  EXPECT_EQ(run("socket.socket(38)"), "EPERM") << "AF_ALG";
  EXPECT_EQ(run("socket.socketpair(socket.AF_UNIX, socket.SOCK_DGRAM)"), "EPERM");
  EXPECT_EQ(run("len(socket.socketpair())"), "2");
  EXPECT_EQ(run("socket.socket().close()"), "null");
}

TEST_F(WorkerSandbox, LimitsHold) {
  EXPECT_EQ(run("__import__('resource').getrlimit(4)"), "[0,0]") << "RLIMIT_CORE";
  EXPECT_EQ(run("__import__('resource').getrlimit(7)[1] <= 256"), "true") << "RLIMIT_NOFILE";
  EXPECT_EQ(run("[os.dup(0) for _ in range(300)]"), "EMFILE");
}

TEST(WorkerSandboxNetwork, CanBeSwitchedOff) {
  WorkerProcess worker(WorkerSetup{{{"t__m", kTry}}, ",\"network\":false", {}});
  for (const char* family : {"AF_INET", "AF_INET6", "AF_NETLINK", "AF_UNIX"}) {
    EXPECT_EQ(worker.call_f(std::string(R"({"e":"socket.socket(socket.)") + family + ", socket.SOCK_DGRAM)\"}").body, "EPERM")
        << family;
  }
}

TEST(Worker, InheritsNothing) {
  // Something open in this process that must not arrive; without close-on-exec on purpose.
  char name[] = "/tmp/funcgate-inherit-test-XXXXXX";
  const base::FileDescriptor canary(::mkstemp(name));
  ::unlink(name);
  ASSERT_EQ(::write(canary.get(), "canary", 6), 6);
  Zygote zygote;
  WorkerProcess worker(
      WorkerSetup{
          {{"t__m",
            "import os, sys, stat\n"
            "def kind(fd):\n    try:\n        mode = os.fstat(fd).st_mode\n    except OSError:\n        return None\n"
            "    return {stat.S_IFSOCK: 'socket', stat.S_IFREG: 'file', stat.S_IFCHR: 'device'}.get(stat.S_IFMT(mode), 'other')\n"
            "@DFF.API('x')\ndef f():\n"
            "    return [dict(os.environ), [kind(fd) for fd in range(3)], sorted(k for k in map(kind, range(3, 256)) if k), "
            "sys.path, sys.argv, sys.flags.isolated]\n"}},
          {},
          {}},
      zygote);
  // The standard streams are /dev/null; what else is open: the connection and the process's own memory figures.
  EXPECT_EQ(
      worker.call_f().body,
      R"([{"LANG":"C.UTF-8"},["device","device","device"],["file","socket"],["/usr/lib/python3.11","/usr/lib/python3.11/lib-dynload",)"
      R"("/usr/local/lib/python3.11/dist-packages","/usr/lib/python3/dist-packages"],[""],1])");
}

TEST(Worker, MemoryHoldsNoEnvironment) {
  Zygote zygote;
  WorkerProcess worker(WorkerSetup{{{"t__m", "def f(): pass\n"}}, {}, {}}, zygote);
  std::ifstream environment("/proc/" + std::to_string(zygote.pid()) + "/environ");
  const std::string content((std::istreambuf_iterator<char>(environment)), {});
  EXPECT_THAT(content, ::testing::Not(HasSubstr("canary-of-the-environment")));
}

}  // namespace
}  // namespace funcgate::test
