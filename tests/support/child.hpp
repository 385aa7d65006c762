// Work that ends a process, done in a child.
#pragma once

#include <doctest/doctest.h>
#include <sys/wait.h>
#include <unistd.h>

#include <csignal>
#include <string>

// There if what is tested counts what is reached of it.
extern "C" [[gnu::weak]] void __gcov_dump();   // NOLINT(bugprone-reserved-identifier)
extern "C" [[gnu::weak]] void __gcov_reset();  // NOLINT(bugprone-reserved-identifier)

namespace slabheap::test {

/// Ends by this signal, with what was reached written to the files of the counters, if there are any.
inline void end_counted(int signal) {
  if (__gcov_dump != nullptr) __gcov_dump();
  (void)std::signal(signal, SIG_DFL);
  (void)std::raise(signal);
}

struct Outcome {
  int status;        // as of waitpid
  std::string text;  // printed to the standard error stream
};

/// How a child that does this ends, and what it prints. A child whose work returns ends with status 0.
template <typename Work>
[[nodiscard]] Outcome outcome_of(Work work) {
  int ends[2];
  REQUIRE(pipe(ends) == 0);
  const pid_t child = fork();
  REQUIRE(child >= 0);
  if (child == 0) {
    dup2(ends[1], STDERR_FILENO);
    if (__gcov_reset != nullptr) __gcov_reset();
    (void)std::signal(SIGABRT, end_counted);
    work();
    _exit(0);
  }
  close(ends[1]);
  Outcome outcome{};
  char buffer[256];
  for (ssize_t got = 0; (got = read(ends[0], buffer, sizeof buffer)) > 0;) {
    outcome.text.append(buffer, static_cast<std::size_t>(got));
  }
  close(ends[0]);
  REQUIRE(waitpid(child, &outcome.status, 0) == child);
  // An emulator has a word of its own on a signal.
  if (const std::size_t own = outcome.text.find("qemu: uncaught target signal"); own != std::string::npos)
    outcome.text.erase(own);
  return outcome;
}

}  // namespace slabheap::test
