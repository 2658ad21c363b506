// Finds lines of a launched program that the launcher reads differently when they arrive in pieces,
// or that harm the terminal on which they are shown.
#include <algorithm>
#include <cstdint>
#include <vector>

#include "line_splitter.hpp"
#include "memory.hpp"
#include "promise.hpp"
#include "report_line.hpp"

namespace {

using namespace pp::tools;
using pp::fuzz::promise;

std::vector<std::string> lines(std::string_view text, std::size_t step) {
  constexpr std::size_t kLongest = 200;
  std::vector<std::string> all;
  LineSplitter splitter(kLongest);
  const auto sink = [&all](std::string_view line) {
    promise(line.size() <= kLongest, "no line is longer than the limit");
    promise(line.find('\n') == std::string_view::npos, "a line is one line");
    all.emplace_back(line);
  };
  for (; !text.empty(); text.remove_prefix(std::min(step, text.size())))
    splitter.feed(text.substr(0, step), sink);
  splitter.finish(sink);
  return all;
}

void check(const Report& report, std::string_view line) {
  for (const std::string& part :
       {report.node, report.name, report.address, report.provider, report.text})
    promise(line.find(part) != std::string_view::npos, "every part of a report stood in its line");
  if (report.kind == Report::Kind::kJoined) {
    const std::string again = "joined " + report.node + " " + report.name + " " + report.address +
                              " " + std::to_string(report.workers) + " " + report.provider;
    const Report twice = parse_report(again);
    promise(twice.kind == report.kind && twice.node == report.node && twice.name == report.name &&
                twice.address == report.address && twice.workers == report.workers &&
                twice.provider == report.provider,
            "what joined is read as written");
  }
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const std::string_view text(reinterpret_cast<const char*>(data), size);
  const std::vector<std::string> all = lines(text, 7);
  promise(all == lines(text, 1), "it makes no difference in which pieces lines arrive");
  for (const std::string& line : all) {
    check(parse_report(line), line);
    const std::string shown = printable(line, 80);
    promise(shown.size() <= 83 && std::all_of(shown.begin(), shown.end(),
                                              [](unsigned char c) { return c >= ' ' && c != 127; }),
            "what is shown is short and has no control characters");
  }
  return 0;
}
