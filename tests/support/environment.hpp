// Numbers from the environment, so that a failing run can be repeated and a long one be asked for.
#pragma once

#include <cstddef>
#include <cstdlib>

namespace slabheap::test {

[[nodiscard]] inline std::size_t environment_or(const char* name, std::size_t otherwise) {
  const char* text = std::getenv(name);
  return text != nullptr ? std::strtoull(text, nullptr, 10) : otherwise;
}

}  // namespace slabheap::test
