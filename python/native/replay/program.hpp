// A compiled trace: steps in a file, mapped by whoever replays them. A program may so be larger than memory, and a second process
// replays it without a copy.
#pragma once

#include <string>

#include "replay/compiler.hpp"

namespace slabheap::replay {

class Program {
 public:
  /// Keeps its steps in an unnamed file in this folder, or, if it is empty, in memory. Throws std::system_error.
  explicit Program(const std::string& folder);
  ~Program();
  Program(const Program&) = delete;
  Program& operator=(const Program&) = delete;

  /// Compiles further events; throws as Compiler::compile does.
  void append(const trace::Event* events, std::size_t count);

  [[nodiscard]] const Compiler& compiler() const { return compiler_; }
  [[nodiscard]] int file() const { return file_; }

 private:
  int file_;
  Compiler compiler_;
};

}  // namespace slabheap::replay
