// Work that ends a process, done in a child.
#pragma once

#include <doctest/doctest.h>
#include <sys/wait.h>
#include <unistd.h>

#include <csignal>
#include <string>

namespace slabheap::test {

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
    (void)std::signal(SIGABRT, SIG_DFL);
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
  return outcome;
}

}  // namespace slabheap::test
