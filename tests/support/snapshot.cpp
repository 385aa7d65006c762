#include "support/snapshot.hpp"

#include <doctest/doctest.h>

#include <algorithm>
#include <cstring>

namespace slabheap::test {

void Snapshot::take() {
  copies_.clear();
  for (const Range& range : memory_) copies_.emplace_back(range.start, range.start + range.bytes);
}

void Snapshot::restore() const {
  for (std::size_t i = 0; i < copies_.size(); ++i) std::copy(copies_[i].begin(), copies_[i].end(), memory_[i].start);
}

std::vector<unsigned char*> Snapshot::differences() const {
  std::vector<unsigned char*> found;
  for (std::size_t i = 0; i < copies_.size(); ++i) {
    const Range& range = memory_[i];
    if (std::equal(copies_[i].begin(), copies_[i].end(), range.start)) continue;
    for (std::size_t at = 0; at < range.bytes; ++at) {
      if (range.start[at] != copies_[i][at]) found.push_back(range.start + at);
    }
  }
  return found;
}

bool Snapshot::differs_by(std::uint64_t* counter, std::uint64_t more) {
  for (std::size_t i = 0; i < copies_.size(); ++i) {
    const Range& range = memory_[i];
    if (!range.holds(counter)) continue;
    const auto offset = static_cast<std::size_t>(reinterpret_cast<unsigned char*>(counter) - range.start);
    std::uint64_t before = 0;
    std::memcpy(&before, copies_[i].data() + offset, sizeof before);
    if (*counter != before + more) return false;
    std::memcpy(copies_[i].data() + offset, counter, sizeof *counter);
  }
  return differences().empty();
}

std::uint64_t* Snapshot::grown_word() const {
  const std::vector<unsigned char*> changed = differences();
  REQUIRE_FALSE(changed.empty());
  auto* word = reinterpret_cast<std::uint64_t*>(reinterpret_cast<std::uintptr_t>(changed[0]) & ~std::uintptr_t{7});
  Snapshot seen = *this;
  REQUIRE(seen.differs_by(word, 1));
  return word;
}

}  // namespace slabheap::test
