// pp-keygen: makes a cluster key, or tells the fingerprint of one.
#include <CLI/CLI.hpp>
#include <filesystem>
#include <iostream>
#include <pp/cluster_key.hpp>
#include <pp/error.hpp>
#include <pp/version.hpp>
#include <string>

namespace {

constexpr char kExamples[] = R"(Examples:
  pp-keygen cluster.key                   a new key, readable by you only
  pp-keygen --fingerprint cluster.key     which key is it? safe to show to anybody

Who has the file is a member of the cluster: copy it to the other machines over a channel that you trust.
Exit code: 0 done; 1 the file is there already, cannot be written or is no key; 2 the command line makes
no sense.)";

}  // namespace

int main(int argc, char** argv) {
  std::string file;
  bool fingerprint = false;
  CLI::App app("Makes the key of a pp cluster. An existing file is never overwritten.",
               "pp-keygen");
  app.footer(kExamples);
  app.set_version_flag("--version", "pp-keygen " + pp::versions());
  app.add_option("FILE", file, "The key file")->required();
  app.add_flag("-f,--fingerprint", fingerprint,
               "Make nothing, print the fingerprint of the key in FILE");
  try {
    app.parse(argc, argv);
  } catch (const CLI::ParseError& error) {
    if (error.get_exit_code() == 0) return app.exit(error);  // --help, --version
    std::cerr << "pp-keygen: " << error.what() << " (pp-keygen --help tells more)\n";
    return 2;
  }
  try {
    if (!fingerprint) {
      pp::ClusterKey::generate().save(file);
      std::cout << "new key in " << file << ", fingerprint ";
    }
    std::cout << pp::ClusterKey::load(file).fingerprint() << std::endl;
    if (!std::cout) throw pp::Error("the fingerprint could not be written to the standard output");
  } catch (const std::exception& error) {
    std::cerr << "pp-keygen: " << error.what() << '\n';
    return 1;
  }
}
