// Plays kept inputs without a fuzzer. Usage: replay FOLDER...
#include <csignal>
#include <filesystem>
#include <fstream>
#include <iostream>
#include <iterator>
#include <vector>

#include "fuzz/target.hpp"

namespace {

namespace fs = std::filesystem;

std::string current;

void name_the_input(int /*signal*/) {
  std::cerr << "replay: while playing " << current << std::endl;
  std::_Exit(1);
}

void play(const fs::path& path) {
  current = path.string();
  std::ifstream file{path, std::ios::binary};
  const std::vector<char> bytes{std::istreambuf_iterator<char>{file}, {}};
  (void)LLVMFuzzerTestOneInput(reinterpret_cast<const std::uint8_t*>(bytes.data()), bytes.size());
}

}  // namespace

int main(int count, char** arguments) {
  for (const int signal : {SIGABRT, SIGSEGV, SIGBUS, SIGFPE}) (void)std::signal(signal, name_the_input);
  std::size_t played = 0;
  for (int i = 1; i < count; ++i) {
    for (const fs::directory_entry& entry : fs::directory_iterator{arguments[i]}) {
      play(entry.path());
      ++played;
    }
  }
  std::cout << played << " inputs played\n";
  return played != 0 ? 0 : 1;
}
