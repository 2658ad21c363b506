// JSON: reads what a program has written, strictly, for tests that look into it.
#pragma once

#include <cstdlib>
#include <map>
#include <stdexcept>
#include <string>
#include <string_view>
#include <vector>

namespace pp::test {

// A value. What is not there is null: at() never fails.
struct Json {
  enum class Kind { kNull, kBool, kNumber, kString, kList, kObject } kind = Kind::kNull;
  double number = 0;
  std::string text;
  std::vector<Json> list;
  std::map<std::string, Json> members;

  const Json& operator[](const std::string& name) const {
    static const Json null;
    const auto member = members.find(name);
    return member == members.end() ? null : member->second;
  }
  bool is_null() const { return kind == Kind::kNull; }

  // Throws std::runtime_error where it is none.
  static Json parse(std::string_view text) {
    Reader reader{text};
    Json value = reader.value();
    reader.space();
    if (!reader.rest.empty()) reader.fail("something follows");
    return value;
  }

 private:
  struct Reader {
    std::string_view rest;

    [[noreturn]] void fail(const std::string& what) const {
      throw std::runtime_error("no JSON: " + what + " at: " + std::string(rest.substr(0, 60)));
    }
    void space() { rest.remove_prefix(std::min(rest.find_first_not_of(" \t\r\n"), rest.size())); }
    bool skip(std::string_view word) {
      space();
      if (!rest.starts_with(word)) return false;
      rest.remove_prefix(word.size());
      return true;
    }
    void expect(std::string_view word) {
      if (!skip(word)) fail("no " + std::string(word));
    }
    std::string string() {
      expect("\"");
      std::string text;
      while (!rest.empty() && rest.front() != '"') {
        if (static_cast<unsigned char>(rest.front()) < 0x20) fail("a control character");
        if (rest.front() == '\\') {
          rest.remove_prefix(1);
          if (rest.empty()) break;
          if (rest.front() == 'u') {
            if (rest.size() < 5) fail("half a character");
            text += static_cast<char>(std::stoi(std::string(rest.substr(1, 4)), nullptr, 16));
            rest.remove_prefix(5);
            continue;
          }
          if (std::string_view("\"\\/bfnrt").find(rest.front()) == std::string_view::npos)
            fail("an unknown escape");
        }
        text += rest.front();
        rest.remove_prefix(1);
      }
      expect("\"");
      return text;
    }
    Json value() {
      Json json;
      space();
      if (skip("{")) {
        json.kind = Kind::kObject;
        if (skip("}")) return json;
        do {
          const std::string name = string();
          expect(":");
          if (!json.members.emplace(name, value()).second) fail("twice: " + name);
        } while (skip(","));
        expect("}");
      } else if (skip("[")) {
        json.kind = Kind::kList;
        if (skip("]")) return json;
        do json.list.push_back(value());
        while (skip(","));
        expect("]");
      } else if (rest.starts_with('"')) {
        json.kind = Kind::kString;
        json.text = string();
      } else if (skip("true") || skip("false")) {
        json.kind = Kind::kBool;
      } else if (!skip("null")) {
        const std::size_t length = std::min(rest.find_first_not_of("+-.0123456789eE"), rest.size());
        if (length == 0) fail("no value");
        json.kind = Kind::kNumber;
        const std::string digits(rest.substr(0, length));
        char* end = nullptr;
        json.number = std::strtod(digits.c_str(), &end);
        if (*end != 0) fail("no number");
        rest.remove_prefix(length);
      }
      return json;
    }
  };
};

}  // namespace pp::test
