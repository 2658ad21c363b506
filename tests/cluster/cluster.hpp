// Cluster: real nodes as a user starts them, by pp-launch or by hand.
#pragma once

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <initializer_list>
#include <string>
#include <utility>
#include <vector>

#include "process.hpp"

namespace pp::test {

// PP_LAUNCH_PROGRAM, UTS_PROGRAM, ... are the built programs' paths, given by CMakeLists.txt.
class Cluster : public testing::Test {
 protected:
  // pp-launch with a worker per node and a join limit that only a hang can reach.
  static std::vector<std::string> launch(int nodes, std::vector<std::string> program,
                                         std::vector<std::string> options = {}) {
    std::vector<std::string> words{PP_LAUNCH_PROGRAM, "-n", std::to_string(nodes), "--workers", "1",
                                   "--join-timeout",  "120"};
    words.insert(words.end(), options.begin(), options.end());
    words.push_back("--");
    words.insert(words.end(), program.begin(), program.end());
    return words;
  }

  static Process::Setting held_open(std::vector<std::string> environment = {}) {
    Process::Setting setting;
    setting.environment = std::move(environment);
    setting.input_stays_open = true;
    return setting;
  }

  std::string new_key(const std::string& name) {
    const std::string file = folder_ / name;
    Process keygen({PP_KEYGEN_PROGRAM, file});
    EXPECT_EQ(keygen.wait(), 0) << keygen.err();
    return file;
  }

  // The address at which a held driver (spread_app hold) says that it listens.
  static std::string address_of(Process& driver) {
    const std::string line = driver.wait_for_line("holding ");
    return line.substr(line.rfind(' ') + 1);
  }

  // A worker started by hand.
  static std::vector<std::string> worker_environment(const std::string& driver,
                                                     const std::string& key) {
    const std::string host = driver.substr(0, driver.rfind(':'));
    return {"PP_ROLE=worker", "PP_PEERS=" + driver, "PP_LISTEN=" + host + ":0",
            "PP_KEY_FILE=" + key, "PP_WORKERS=1"};
  }

  // What a held driver answers: a line that begins with the question's first word.
  static std::string ask(Process& driver, const std::string& question) {
    const std::string first_word = question.substr(0, question.find(' ')) + " ";
    const std::size_t before = count(driver.out(), first_word);
    driver.write_input(question + "\n");
    driver.wait_until([&] { return count(driver.out(), first_word) > before; },
                      "the answer to " + question, seconds{120});
    return lines_with(driver.out(), first_word).back();
  }

  // Asks a held driver until it answers with this line.
  static void ask_until(Process& driver, const std::string& question, const std::string& answer) {
    driver.wait_until([&] { return ask(driver, question) == answer; }, answer);
  }

  Folder folder_;
};

}  // namespace pp::test
