#include "domain/address.h"

#include <gtest/gtest.h>

#include <string>

namespace funcgate::domain {
namespace {

TEST(Address, ItsTextIsWhatItWasReadFrom) {
  for (const std::string text : {"0.0.0.0", "9.10.99.100", "127.0.0.1", "199.200.249.250", "255.255.255.255", "::1",
                                 "2001:db8::1", "2001:db8:0:1:2:3:4:5"}) {
    const auto address = Address::parse(text);
    ASSERT_TRUE(address) << text;
    EXPECT_EQ(address->text(), text);
  }
  for (unsigned byte = 0; byte < 256; ++byte) {
    const auto number = static_cast<unsigned char>(byte);
    const std::string text = Address::v4({number, 1, number, number}).text(), digits = std::to_string(byte);
    EXPECT_EQ(text, digits + ".1." + digits + "." + digits);
  }
  EXPECT_EQ(Address::parse("::ffff:192.0.2.1")->text(), "192.0.2.1");
  EXPECT_EQ(Address().text(), "local");
}

}  // namespace
}  // namespace funcgate::domain
