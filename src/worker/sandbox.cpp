#include "worker/sandbox.h"

#include <fcntl.h>
#include <linux/capability.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <csignal>

#include "base/files.h"

namespace funcgate::worker {
namespace {

#if defined(__has_feature)
#if __has_feature(address_sanitizer) || __has_feature(thread_sanitizer)
#define FUNCGATE_SHADOW_MEMORY 1
#endif
#endif
#ifdef FUNCGATE_SHADOW_MEMORY
constexpr bool kMemoryIsLimited = false;
#else
constexpr bool kMemoryIsLimited = true;
#endif

// Landlock by its numbers: the headers of the distribution are older than its kernels.
constexpr long kCreateRuleset = 444, kAddRule = 445, kRestrictSelf = 446;
constexpr unsigned kCreateRulesetVersion = 1;
constexpr int kRulePathBeneath = 1;
constexpr std::uint64_t kExecute = 1 << 0, kWriteFile = 1 << 1, kReadFile = 1 << 2, kReadDir = 1 << 3, kRefer = 1 << 13,
                        kTruncate = 1 << 14, kIoctlDevice = 1 << 15;
constexpr std::uint64_t kRemoveDir = 1 << 4, kRemoveFile = 1 << 5, kMakeDir = 1 << 7, kMakeRegular = 1 << 8, kMakeLink = 1 << 12;
constexpr std::uint64_t kFirstRights = (1 << 13) - 1;
constexpr std::uint64_t kBindTcp = 1 << 0, kConnectTcp = 1 << 1;
constexpr std::uint64_t kScopeAbstractSocket = 1 << 0, kScopeSignal = 1 << 1;

struct RulesetAttributes {
  std::uint64_t files = 0, network = 0, scoped = 0;
};
struct [[gnu::packed]] PathBeneath {
  std::uint64_t allowed = 0;
  std::int32_t folder = -1;
};

constexpr std::uint64_t kReadRights = kReadFile | kReadDir;
constexpr std::uint64_t kWriteRights =
    kReadRights | kWriteFile | kTruncate | kRemoveFile | kRemoveDir | kMakeDir | kMakeRegular | kMakeLink | kRefer;

constexpr const char* kReadable[] = {"/usr",
                                     "/lib",
                                     "/lib64",
                                     "/etc/ssl",
                                     "/etc/localtime",
                                     "/etc/resolv.conf",
                                     "/etc/hosts",
                                     "/etc/nsswitch.conf",
                                     "/etc/mime.types",
                                     "/etc/host.conf",
                                     "/etc/gai.conf",
                                     "/etc/ca-certificates",
                                     "/etc/services",
                                     "/etc/protocols",
                                     "/dev/urandom",
                                     "/dev/random",
                                     "/dev/zero"};

base::Error failed(const std::string& what) {
  return {base::Code::Unavailable, "the sandbox cannot be entered: " + what + ": " + base::errno_text(errno), {}};
}

base::Status limit(int resource, std::uint64_t value, const char* name) {
  rlimit wanted{};
  ::getrlimit(static_cast<__rlimit_resource>(resource), &wanted);
  // Never above what the operator allows the service.
  wanted.rlim_cur = std::min<rlim_t>(wanted.rlim_max, value);
  wanted.rlim_max = wanted.rlim_cur;
  if (::setrlimit(static_cast<__rlimit_resource>(resource), &wanted) != 0) return failed(name);
  return base::kDone;
}

base::Status set_limits(const SandboxRules& rules) {
  TRY_DONE(limit(RLIMIT_CORE, 0, "RLIMIT_CORE"));
  TRY_DONE(limit(RLIMIT_NOFILE, 256, "RLIMIT_NOFILE"));
  TRY_DONE(limit(RLIMIT_FSIZE, 16ull << 30, "RLIMIT_FSIZE"));
  TRY_DONE(limit(RLIMIT_MEMLOCK, 0, "RLIMIT_MEMLOCK"));
  TRY_DONE(limit(RLIMIT_MSGQUEUE, 0, "RLIMIT_MSGQUEUE"));
  if (!kMemoryIsLimited) return base::kDone;
  // Private writable memory is what a script allocates; the interpreter itself gets some on top. The address space bounds shared
  // mappings, which RLIMIT_DATA does not see, and leaves room for libraries and reserved stacks.
  TRY_DONE(limit(RLIMIT_DATA, rules.memory_bytes + (32ull << 20), "RLIMIT_DATA"));
  TRY_DONE(limit(RLIMIT_AS, rules.memory_bytes + (1024ull << 20), "RLIMIT_AS"));
  return base::kDone;
}

base::Status drop_privileges() {
  if (::prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) != 0) return failed("no_new_privs");
  __user_cap_header_struct head{_LINUX_CAPABILITY_VERSION_3, 0};
  __user_cap_data_struct none[2] = {};
  if (::syscall(SYS_capset, &head, none) != 0) return failed("capabilities");
  // No core file, no ptrace by processes of the same user.
  if (::prctl(PR_SET_DUMPABLE, 0, 0, 0, 0) != 0) return failed("dumpable");
  return base::kDone;
}

base::Status allow(int ruleset, const std::string& path, std::uint64_t rights, std::uint64_t handled, bool required) {
  const base::FileDescriptor target(::open(path.c_str(), O_PATH | O_CLOEXEC));
  if (!target) {
    if (!required && (errno == ENOENT || errno == EACCES)) return base::kDone;
    return failed("cannot open " + path);
  }
  PathBeneath rule{rights & handled, target.get()};
  if (::syscall(kAddRule, ruleset, kRulePathBeneath, &rule, 0) == 0) return base::kDone;
  if (errno == EINVAL) {
    // A file, not a folder: only rights that files have.
    rule.allowed &= kExecute | kWriteFile | kReadFile | kTruncate | kIoctlDevice;
    if (::syscall(kAddRule, ruleset, kRulePathBeneath, &rule, 0) == 0) return base::kDone;
  }
  return failed("Landlock rule for " + path);
}

base::Status restrict_files(const SandboxRules& rules) {
  const long version = ::syscall(kCreateRuleset, nullptr, 0, kCreateRulesetVersion);
  if (version < 1) {
    if (rules.reduced) return base::kDone;
    return base::Error{base::Code::Unavailable,
                       "the kernel offers no Landlock: use Linux 5.13 or newer with lsm=landlock, or allow the reduced sandbox",
                       {}};
  }
  RulesetAttributes attributes;
  attributes.files = kFirstRights;
  if (version >= 2) attributes.files |= kRefer;
  if (version >= 3) attributes.files |= kTruncate;
  if (version >= 5) attributes.files |= kIoctlDevice;
  if (version >= 4 && !rules.network) attributes.network = kBindTcp | kConnectTcp;
  if (version >= 6) attributes.scoped = kScopeAbstractSocket | kScopeSignal;
  const std::size_t size = version >= 6 ? 24 : version >= 4 ? 16 : 8;
  const base::FileDescriptor ruleset(static_cast<int>(::syscall(kCreateRuleset, &attributes, size, 0)));
  if (!ruleset) return failed("Landlock ruleset");
  for (const char* path : kReadable) TRY_DONE(allow(ruleset.get(), path, kReadRights, attributes.files, false));
  TRY_DONE(allow(ruleset.get(), "/dev/null", kReadFile | kWriteFile, attributes.files, false));
  for (const std::string& path : rules.read_only) TRY_DONE(allow(ruleset.get(), path, kReadRights, attributes.files, false));
  for (const std::string& path : rules.folders) TRY_DONE(allow(ruleset.get(), path, kWriteRights, attributes.files, true));
  if (::syscall(kRestrictSelf, ruleset.get(), 0) != 0) return failed("Landlock");
  return base::kDone;
}

}  // namespace

bool memory_is_limited() { return kMemoryIsLimited; }

base::Status enter_sandbox(const SandboxRules& rules) {
  // Writing to a closed connection and to a full file are errors, not deaths.
  ::signal(SIGPIPE, SIG_IGN);
  ::signal(SIGXFSZ, SIG_IGN);
  TRY_DONE(set_limits(rules));
  TRY_DONE(drop_privileges());
  TRY_DONE(restrict_files(rules));
  return install_seccomp_filter(rules.network);
}

}  // namespace funcgate::worker
