// NodeId: drawn, printed, compared.
#include <gtest/gtest.h>

#include <pp/node_id.hpp>
#include <set>
#include <unordered_set>

namespace pp {
namespace {

TEST(NodeId, is_printed_as_hexadecimal_digits) {
  NodeId id;
  for (std::size_t i = 0; i < id.bytes.size(); ++i) {
    id.bytes[i] = static_cast<std::uint8_t>(i * 0x11);
  }
  EXPECT_EQ(id.to_string(), "00112233445566778899aabbccddeeff");
  EXPECT_EQ(id.short_name(), "00112233");
}

TEST(NodeId, each_draw_is_another) {
  std::set<NodeId> ordered;
  std::unordered_set<NodeId> hashed;
  for (int i = 0; i < 1000; ++i) {
    const NodeId id = NodeId::random();
    ordered.insert(id);
    hashed.insert(id);
  }
  EXPECT_EQ(ordered.size(), 1000u);
  EXPECT_EQ(hashed.size(), 1000u);
}

// Catches a draw that leaves bytes as they were.
TEST(NodeId, every_byte_is_drawn) {
  NodeId seen;
  for (int i = 0; i < 100; ++i) {
    const NodeId id = NodeId::random();
    for (std::size_t b = 0; b < seen.bytes.size(); ++b) seen.bytes[b] |= id.bytes[b];
  }
  for (const std::uint8_t byte : seen.bytes) EXPECT_EQ(byte, 0xff);
}

TEST(NodeId, is_ordered_from_its_first_byte) {
  NodeId small;
  NodeId large;
  small.bytes[15] = 255;
  large.bytes[0] = 1;
  EXPECT_LT(small, large);
  EXPECT_EQ(small, NodeId(small));
}

}  // namespace
}  // namespace pp
