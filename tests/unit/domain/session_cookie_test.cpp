#include "domain/session_cookie.h"

#include <gtest/gtest.h>

#include "support/counting_allocator.h"

namespace funcgate::domain {
namespace {

TEST(SessionCookie, TakesBothNamesAwayAndLeavesAllOtherPairs) {
  const struct {
    const char* in;
    const char* out;
  } rows[] = {
      {"funcgate=s3cret", ""},
      {"__Host-funcgate=s3cret", ""},
      {"a=1; funcgate=s3cret; b=2", "a=1; b=2"},
      {"__Host-funcgate=s3cret;a=1;;  b=2 ;funcgate=x=y", "a=1; b=2"},
      {" FuncGate =s3cret; __host-FUNCGATE=x; theme=dark", "theme=dark"},
      {"funcgate", ""},
      {"funcgate2=1; xfuncgate=2; __Host-funcgate-x=3; a=funcgate", "funcgate2=1; xfuncgate=2; __Host-funcgate-x=3; a=funcgate"},
      {"", ""},
      {";;", ""},
  };
  for (const auto& row : rows) EXPECT_EQ(without_session_cookies(row.in), row.out) << row.in;
}

TEST(SessionCookie, TouchesOnlyCookieHeadersThatHoldOne) {
  std::forward_list<std::string> storage;
  Header other{"x-cookie", "funcgate=1"}, harmless{"cookie", "a=1;b=2"}, mixed{"cookie", "a=1; funcgate=1"},
      alone{"cookie", "funcgate=1"};
  if (test::can_count_allocations()) {
    const test::AllocationCount count;
    EXPECT_TRUE(hide_session_cookies(other, storage));
    EXPECT_TRUE(hide_session_cookies(harmless, storage));
    EXPECT_EQ(count.value(), 0u);
  }
  EXPECT_TRUE(hide_session_cookies(other, storage) && hide_session_cookies(harmless, storage));
  EXPECT_EQ(other.value, "funcgate=1");
  EXPECT_EQ(harmless.value, "a=1;b=2") << "as it came";
  EXPECT_TRUE(hide_session_cookies(mixed, storage));
  EXPECT_FALSE(hide_session_cookies(alone, storage));
  EXPECT_EQ(mixed.value, "a=1") << "and it stays when more is stored";
}

}  // namespace
}  // namespace funcgate::domain
