#include "replay/mapped_steps.hpp"

#include <sys/mman.h>

namespace slabheap::replay {

MappedSteps::MappedSteps(int file, std::uint64_t count) : count_{count} {
  if (count == 0) return;
  void* steps = mmap(nullptr, count * sizeof(Step), PROT_READ, MAP_SHARED, file, 0);
  if (steps == MAP_FAILED) return;
  (void)madvise(steps, count * sizeof(Step), MADV_SEQUENTIAL);
  steps_ = static_cast<const Step*>(steps);
}

MappedSteps::~MappedSteps() {
  if (steps_ != nullptr) munmap(const_cast<Step*>(steps_), count_ * sizeof(Step));
}

void MappedSteps::fetch(std::uint64_t first, std::uint64_t count) const {
  const auto* byte = reinterpret_cast<const volatile char*>(steps_ + first);
  const auto* last = reinterpret_cast<const volatile char*>(steps_ + first + count) - 1;
  for (; byte < last; byte += 4096) (void)*byte;
  (void)*last;
}

}  // namespace slabheap::replay
