// Numbers from the environment, so that a failing run can be repeated and a long one be asked for.
#pragma once

#include <cstddef>
#include <cstdlib>

namespace slabheap::test {

[[nodiscard]] inline std::size_t environment_or(const char* name, std::size_t otherwise) {
  const char* text = std::getenv(name);
  return text != nullptr ? static_cast<std::size_t>(std::strtoull(text, nullptr, 10)) : otherwise;
}

/// Of cases that are gone through one by one, how far it is from one that is tried to the next.
[[nodiscard]] inline std::size_t every_or(std::size_t otherwise) { return environment_or("SLABHEAP_EVERY", otherwise); }

}  // namespace slabheap::test
