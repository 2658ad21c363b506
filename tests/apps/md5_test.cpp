// MD5 against the test suite of RFC 1321 (appendix A.5), and digests as hexadecimal digits.
#include "md5.hpp"

#include <gtest/gtest.h>

#include <string>
#include <string_view>
#include <utility>

namespace md5 {
namespace {

TEST(Md5, the_digests_of_RFC_1321_come_out) {
  const std::pair<std::string_view, std::string_view> known[] = {
      {"", "d41d8cd98f00b204e9800998ecf8427e"},
      {"a", "0cc175b9c0f1b6a831c399e269772661"},
      {"abc", "900150983cd24fb0d6963f7d28e17f72"},
      {"message digest", "f96b697d7cb7938d525a2f31aaf161d0"},
      {"abcdefghijklmnopqrstuvwxyz", "c3fcd3d76192e4007dfb496cca67e13b"},
      {"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789",
       "d174ab98d277d9f5a5611c2c9f419d9f"},
      {"12345678901234567890123456789012345678901234567890123456789012345678901234567890",
       "57edf4a22be3c955ac49da2e2107b67a"},
  };
  for (const auto& [text, digits] : known) EXPECT_EQ(to_hex(digest_of(text)), digits) << text;
}

TEST(Md5, digits_are_read_in_either_case) {
  const std::string digits = "48ae4d2d384dcc470e471f4169daa96a";
  ASSERT_TRUE(from_hex(digits));
  EXPECT_EQ(to_hex(*from_hex(digits)), digits);
  EXPECT_EQ(from_hex("48AE4D2D384DCC470E471F4169DAA96A"), from_hex(digits));
}

TEST(Md5, what_is_not_32_digits_is_no_digest) {
  const std::string digits = "48ae4d2d384dcc470e471f4169daa96a";
  EXPECT_FALSE(from_hex(""));
  EXPECT_FALSE(from_hex(digits.substr(1)));
  EXPECT_FALSE(from_hex(digits + "0"));
  EXPECT_FALSE(from_hex("48ae4d2d384dcc470e471f4169daa96g"));
  EXPECT_FALSE(from_hex(std::string(31, '0') + '\0'));
}

}  // namespace
}  // namespace md5
