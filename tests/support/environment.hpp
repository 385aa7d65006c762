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

/// The same for cases that are nested: counts them all, and says which are tried.
class Stride {
 public:
  explicit Stride(std::size_t every) : every_{every} {}

  [[nodiscard]] bool tries_next() { return passed_++ % every_ == 0; }
  /// The cases so far, and how many of them were tried.
  [[nodiscard]] std::size_t passed() const { return passed_; }
  [[nodiscard]] std::size_t tried() const { return (passed_ + every_ - 1) / every_; }

 private:
  std::size_t every_;
  std::size_t passed_ = 0;
};

}  // namespace slabheap::test
