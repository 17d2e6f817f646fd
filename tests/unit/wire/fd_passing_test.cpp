#include "wire/fd_passing.h"

#include <fcntl.h>
#include <gtest/gtest.h>
#include <sys/socket.h>
#include <unistd.h>

namespace funcgate::wire {
namespace {

struct Pair {
  Pair() {
    int ends[2] = {-1, -1};
    EXPECT_EQ(::socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, ends), 0);
    a = base::FileDescriptor(ends[0]);
    b = base::FileDescriptor(ends[1]);
  }
  base::FileDescriptor a, b;
};

TEST(FdPassing, DescriptorsArriveInOrderAndCloseOnExec) {
  Pair pair;
  auto first = base::sealed_memfd("first", "1"), second = base::sealed_memfd("second", "22");
  ASSERT_TRUE(first.ok() && second.ok());
  ASSERT_TRUE(send_packet(pair.a.get(), "hello", {first->get(), second->get()}).ok());
  auto packet = receive_packet(pair.b.get());
  ASSERT_TRUE(packet.ok());
  EXPECT_EQ(packet->bytes, "hello");
  ASSERT_EQ(packet->descriptors.size(), 2u);
  EXPECT_EQ(::lseek(packet->descriptors[0].get(), 0, SEEK_END), 1);
  EXPECT_EQ(::lseek(packet->descriptors[1].get(), 0, SEEK_END), 2);
  EXPECT_EQ(::fcntl(packet->descriptors[0].get(), F_GETFD) & FD_CLOEXEC, FD_CLOEXEC);
}

TEST(FdPassing, MessagesKeepTheirBounds) {
  Pair pair;
  ASSERT_TRUE(send_packet(pair.a.get(), "a", {}).ok());
  ASSERT_TRUE(send_packet(pair.a.get(), std::string(60000, 'b'), {}).ok());
  EXPECT_EQ(receive_packet(pair.b.get())->bytes, "a");
  EXPECT_EQ(receive_packet(pair.b.get())->bytes.size(), 60000u);
}

TEST(FdPassing, AClosedPeerIsNotFound) {
  Pair pair;
  pair.a.reset();
  const auto packet = receive_packet(pair.b.get());
  ASSERT_FALSE(packet.ok());
  EXPECT_EQ(packet.error().code, base::Code::NotFound);
  EXPECT_FALSE(send_packet(pair.b.get(), "x", {}).ok());
}

}  // namespace
}  // namespace funcgate::wire
