// Finds texts that are taken for addresses and change when they are written down, or refused in
// words that harm a terminal.
#include <algorithm>
#include <cstdint>
#include <pp/address.hpp>
#include <pp/error.hpp>

#include "promise.hpp"

using pp::Address;
using pp::fuzz::promise;

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const std::string_view text(reinterpret_cast<const char*>(data), size);
  try {
    const std::vector<Address> all = Address::parse_list(text);
    std::string written;
    for (const Address& address : all) {
      promise(!address.host.empty() && address.host.size() <= 253,
              "a host has 1 to 253 characters");
      promise(Address::parse(address.to_string()) == address, "an address is read as written");
      written += (written.empty() ? "" : ",") + address.to_string();
    }
    promise(Address::parse_list(written) == all, "a list is read as written");
    promise(all.size() == (text.empty() ? 0
                                        : 1 + static_cast<std::size_t>(
                                                  std::count(text.begin(), text.end(), ','))),
            "no entry is passed over");
  } catch (const pp::Error& error) {
    const std::string_view why(error.what());
    promise(why.size() < 512 &&
                std::all_of(why.begin(), why.end(), [](char c) { return c >= ' ' && c <= '~'; }),
            "a refusal may be shown");
  }
  return 0;
}
