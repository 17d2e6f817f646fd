#include <fcntl.h>
#include <sched.h>
#include <seccomp.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cerrno>
#include <initializer_list>
#include <memory>
#include <string>

#include "worker/sandbox.h"

namespace funcgate::worker {
namespace {

// Everything a script has no use for and an attack has. Allowed is the rest: an allow-list would break with the next libc, and
// what remains is held by Landlock, limits and the missing privileges.
constexpr int kForbidden[] = {
    // other processes
    SCMP_SYS(ptrace), SCMP_SYS(process_vm_readv), SCMP_SYS(process_vm_writev), SCMP_SYS(process_madvise), SCMP_SYS(pidfd_getfd),
    SCMP_SYS(pidfd_open), SCMP_SYS(pidfd_send_signal), SCMP_SYS(kcmp), SCMP_SYS(tkill), SCMP_SYS(rt_tgsigqueueinfo),
    // new processes and programs
    SCMP_SYS(fork), SCMP_SYS(vfork), SCMP_SYS(execve), SCMP_SYS(execveat),
    // identities
    SCMP_SYS(setuid), SCMP_SYS(setgid), SCMP_SYS(setreuid), SCMP_SYS(setregid), SCMP_SYS(setresuid), SCMP_SYS(setresgid),
    SCMP_SYS(setfsuid), SCMP_SYS(setfsgid), SCMP_SYS(setgroups), SCMP_SYS(capset), SCMP_SYS(setns), SCMP_SYS(unshare),
    SCMP_SYS(setsid), SCMP_SYS(setpgid), SCMP_SYS(personality),
    // file systems
    SCMP_SYS(mount), SCMP_SYS(umount2), SCMP_SYS(pivot_root), SCMP_SYS(chroot), SCMP_SYS(move_mount), SCMP_SYS(open_tree),
    SCMP_SYS(fsopen), SCMP_SYS(fsmount), SCMP_SYS(fsconfig), SCMP_SYS(fspick), SCMP_SYS(mount_setattr), SCMP_SYS(quotactl),
    SCMP_SYS(open_by_handle_at), SCMP_SYS(name_to_handle_at), SCMP_SYS(fanotify_init), SCMP_SYS(mknod), SCMP_SYS(mknodat),
    // the machine
    SCMP_SYS(reboot), SCMP_SYS(swapon), SCMP_SYS(swapoff), SCMP_SYS(init_module), SCMP_SYS(finit_module), SCMP_SYS(delete_module),
    SCMP_SYS(kexec_load), SCMP_SYS(kexec_file_load), SCMP_SYS(acct), SCMP_SYS(settimeofday), SCMP_SYS(clock_settime),
    SCMP_SYS(clock_adjtime), SCMP_SYS(adjtimex), SCMP_SYS(sethostname), SCMP_SYS(setdomainname), SCMP_SYS(syslog), SCMP_SYS(iopl),
    SCMP_SYS(ioperm), SCMP_SYS(vhangup), SCMP_SYS(nfsservctl), SCMP_SYS(lookup_dcookie),
    // large kernel surfaces
    SCMP_SYS(bpf), SCMP_SYS(perf_event_open), SCMP_SYS(userfaultfd), SCMP_SYS(io_uring_setup), SCMP_SYS(io_uring_enter),
    SCMP_SYS(io_uring_register), SCMP_SYS(add_key), SCMP_SYS(request_key), SCMP_SYS(keyctl), SCMP_SYS(modify_ldt),
    SCMP_SYS(vmsplice), SCMP_SYS(move_pages), SCMP_SYS(migrate_pages), SCMP_SYS(mbind), SCMP_SYS(set_mempolicy),
    // System V and POSIX objects outlive the worker and are not files that Landlock sees
    SCMP_SYS(shmget), SCMP_SYS(shmat), SCMP_SYS(shmctl), SCMP_SYS(semget), SCMP_SYS(semctl), SCMP_SYS(semop),
    SCMP_SYS(semtimedop), SCMP_SYS(msgget), SCMP_SYS(msgsnd), SCMP_SYS(msgrcv), SCMP_SYS(msgctl), SCMP_SYS(mq_open),
    SCMP_SYS(mq_unlink)};

scmp_arg_cmp condition(unsigned argument, scmp_compare comparison, scmp_datum_t a, scmp_datum_t b = 0) {
  scmp_arg_cmp made{};
  made.arg = argument;
  made.op = comparison;
  made.datum_a = a;
  made.datum_b = b;
  return made;
}

constexpr unsigned kSocketTypeMask = 0xf;
constexpr unsigned kFamilyMax = 64;

class Filter {
 public:
  Filter() : context_(::seccomp_init(SCMP_ACT_ALLOW), &::seccomp_release) {}

  void deny(int call) { add(SCMP_ACT_ERRNO(EPERM), call, {}); }
  void deny(int call, std::initializer_list<scmp_arg_cmp> when) { add(SCMP_ACT_ERRNO(EPERM), call, when); }
  void answer(int call, int error) { add(SCMP_ACT_ERRNO(static_cast<unsigned>(error)), call, {}); }

  // 0, or the first error of any step.
  int load() {
    if (!context_) return -ENOMEM;
    if (error_ == 0) error_ = ::seccomp_attr_set(context_.get(), SCMP_FLTATR_CTL_NNP, 0);
    // Sorted as a tree: the filter runs on every system call of every call.
    if (error_ == 0) error_ = ::seccomp_attr_set(context_.get(), SCMP_FLTATR_CTL_OPTIMIZE, 2);
    return error_ == 0 ? ::seccomp_load(context_.get()) : error_;
  }

 private:
  void add(std::uint32_t action, int call, std::initializer_list<scmp_arg_cmp> when) {
    if (!context_ || error_ != 0) return;
    const int result = ::seccomp_rule_add_array(context_.get(), action, call, static_cast<unsigned>(when.size()), when.begin());
    // A call that this architecture does not have needs no rule.
    if (result != 0 && result != -EDOM) error_ = result;
  }

  std::unique_ptr<void, decltype(&::seccomp_release)> context_;
  int error_ = 0;
};

void deny_foreign_sockets(Filter& filter, bool network) {
  for (unsigned family = 0; family <= kFamilyMax; ++family) {
    const bool internet = family == AF_INET || family == AF_INET6 || family == AF_NETLINK;
    if (!internet || !network) filter.deny(SCMP_SYS(socket), {condition(0, SCMP_CMP_EQ, family)});
  }
  filter.deny(SCMP_SYS(socket), {condition(0, SCMP_CMP_GT, kFamilyMax)});
  // Raw packets; AF_NETLINK calls its ordinary type raw as well.
  for (unsigned family : {AF_INET, AF_INET6}) {
    if (network)
      filter.deny(SCMP_SYS(socket),
                  {condition(0, SCMP_CMP_EQ, family), condition(1, SCMP_CMP_MASKED_EQ, kSocketTypeMask, SOCK_RAW)});
  }
  // An event loop needs a connected stream pair; a datagram pair could still be sent to any path.
  for (unsigned type = 0; type <= kSocketTypeMask; ++type) {
    if (type != SOCK_STREAM) filter.deny(SCMP_SYS(socketpair), {condition(1, SCMP_CMP_MASKED_EQ, kSocketTypeMask, type)});
  }
}

}  // namespace

base::Status install_seccomp_filter(bool network) {
  Filter filter;
  for (int call : kForbidden) filter.deny(call);
  // libc falls back to clone, whose flags can be looked at. Threads are allowed, processes are not.
  filter.answer(SCMP_SYS(clone3), ENOSYS);
  filter.deny(SCMP_SYS(clone), {condition(0, SCMP_CMP_MASKED_EQ, CLONE_THREAD, 0)});
  const auto own = static_cast<scmp_datum_t>(::getpid());
  for (int call : {SCMP_SYS(kill), SCMP_SYS(tgkill), SCMP_SYS(rt_sigqueueinfo)})
    filter.deny(call, {condition(0, SCMP_CMP_NE, own)});
  filter.deny(SCMP_SYS(prlimit64), {condition(0, SCMP_CMP_NE, 0)});
  // Injecting input into a terminal.
  filter.deny(SCMP_SYS(ioctl), {condition(1, SCMP_CMP_MASKED_EQ, 0xffffffffu, 0x5412)});
  // Signals on behalf of a descriptor reach other processes without kill().
  filter.deny(SCMP_SYS(fcntl), {condition(1, SCMP_CMP_EQ, F_SETOWN)});
  filter.deny(SCMP_SYS(fcntl), {condition(1, SCMP_CMP_EQ, F_SETOWN_EX)});
  deny_foreign_sockets(filter, network);
  const int result = filter.load();
  if (result == 0) return base::kDone;
  return base::Error{base::Code::Unavailable, "the sandbox cannot be entered: seccomp error " + std::to_string(-result), {}};
}

}  // namespace funcgate::worker
