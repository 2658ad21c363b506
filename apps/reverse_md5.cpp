// reverse_md5: which number has this MD5? A search in 128 jobs that ends when one of them has found
// it: the others are not wanted any more.
//
//   reverse_md5                      alone: the digest of 1829182
//   reverse_md5 202cb962ac59075b964b07152d234b70
//   pp-launch -n 2 -- ./reverse_md5  two nodes
//
// It prints "md5 48ae4d2d384dcc470e471f4169daa96a comes from 1829182" and ends with 0; with 1 if
// the digest comes from no number below 2,000,000; with 2 after a mistake on the command line.
#include <cstdint>
#include <iostream>
#include <optional>
#include <pp/pp.hpp>
#include <string>
#include <vector>

#include "md5.hpp"

constexpr std::uint32_t kEnd = 2'000'000;
constexpr std::uint32_t kStep = kEnd / 128;

// A job: the number from `first` on that has this digest, if it is among the next kStep.
std::optional<std::uint32_t> search(md5::Digest wanted, std::uint32_t first) {
  for (std::uint32_t n = first; n < first + kStep; ++n) {
    pp::this_job().throw_if_stopped();
    if (md5::digest_of(std::to_string(n)) == wanted) return n;
  }
  return std::nullopt;
}

int find(pp::Runtime& rt, const md5::Digest& wanted) {
  std::vector<pp::Future<std::optional<std::uint32_t>>> parts;
  for (std::uint32_t first = 0; first < kEnd; first += kStep) {
    parts.push_back(rt.submit<search>(wanted, first));
  }
  for (const std::size_t part : pp::as_completed(parts)) {
    if (const auto number = parts[part].get()) {
      for (auto& other : parts) other.cancel();
      std::cout << "md5 " << md5::to_hex(wanted) << " comes from " << *number << '\n';
      return 0;
    }
  }
  std::cerr << "md5 " << md5::to_hex(wanted) << " comes from no number below " << kEnd << '\n';
  return 1;
}

int main(int argc, char** argv) {
  const auto wanted = md5::from_hex(argc > 1 ? argv[1] : "48ae4d2d384dcc470e471f4169daa96a");
  if (argc > 2 || !wanted) {
    std::cerr << "reverse_md5: which digest? 32 hexadecimal digits, for example: "
                 "reverse_md5 202cb962ac59075b964b07152d234b70\n";
    return 2;
  }
  return pp::run(argc, argv, [&](pp::Runtime& rt) { return find(rt, *wanted); });
}
