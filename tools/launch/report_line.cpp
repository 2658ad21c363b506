// The report lines' grammar.
#include "report_line.hpp"

#include <charconv>
#include <optional>

namespace pp::tools {
namespace {

// Takes the first word off `text`; the rest loses the one space between them.
std::string_view first_word(std::string_view& text) {
  const std::size_t end = text.find(' ');
  const std::string_view word = text.substr(0, end);
  text.remove_prefix(end == std::string_view::npos ? text.size() : end + 1);
  return word;
}

std::string_view last_word(std::string_view& text) {
  const std::size_t space = text.rfind(' ');
  const std::size_t begin = space == std::string_view::npos ? 0 : space + 1;
  const std::string_view word = text.substr(begin);
  text = text.substr(0, space == std::string_view::npos ? 0 : space);
  return word;
}

std::optional<unsigned> number(std::string_view text) {
  unsigned value = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
  if (error != std::errc{} || end != text.data() + text.size()) return std::nullopt;
  return value;
}

// The name may hold spaces, the other words may not: it is what is left between them.
Report joined(std::string_view rest) {
  Report report;
  report.node = first_word(rest);
  report.provider = last_word(rest);
  const std::optional<unsigned> workers = number(last_word(rest));
  report.address = last_word(rest);
  report.name = rest;
  if (!workers || report.name.empty()) return {};
  report.workers = *workers;
  report.kind = Report::Kind::kJoined;
  return report;
}

}  // namespace

Report parse_report(std::string_view line) {
  using Kind = Report::Kind;
  const std::string_view verb = first_word(line);
  Report report;
  if (verb == "joined") return joined(line);
  if (verb == "ready") {
    report.kind = Kind::kReady;
  } else if (verb == "drains") {
    report.kind = Kind::kDrains;
  } else if (verb == "version") {
    report.kind = Kind::kVersion;
    report.text = line;
  } else if (verb == "listening" && !line.empty()) {
    report.kind = Kind::kListening;
    report.address = first_word(line);
  } else if (verb == "left") {
    report.kind = Kind::kLeft;
    report.node = first_word(line);
    report.text = line;
  } else if (verb == "refused" || verb == "error" || verb == "http") {
    report.kind = verb == "error" ? Kind::kError : verb == "http" ? Kind::kHttp : Kind::kRefused;
    report.text = line;
  } else if (verb == "unreachable") {
    report.kind = Kind::kUnreachable;
    report.address = first_word(line);
    report.text = line;
  } else if (verb == "missing") {
    const std::optional<unsigned> count = number(line);
    if (!count) return report;
    report.kind = Kind::kMissing;
    report.count = *count;
  }
  return report;
}

std::string printable(std::string_view text, std::size_t longest) {
  constexpr char kHex[] = "0123456789abcdef";
  std::string out;
  for (const char c : text) {
    const auto byte = static_cast<unsigned char>(c);
    const bool control = byte < 0x20 || byte == 0x7f;
    if (out.size() + (control ? 4 : 1) > longest) {
      out += "...";
      break;
    }
    if (control) {
      out += {'\\', 'x', kHex[byte >> 4], kHex[byte & 15]};
    } else {
      out += c;
    }
  }
  return out;
}

}  // namespace pp::tools
