// What of a heap is resident, as the kernel sees it.
#pragma once

#include <cstdint>

#include "slabheap/slabheap.h"

namespace slabheap::replay {

/// The bytes of a heap that are resident: OS pages that its pages lie in, whoever has them now, and its metadata. Of several
/// regions, the metadata that was ever used stands for what is resident of it. 0 where the kernel does not tell. Cost: a step for
/// each run, and for each OS page.
[[nodiscard]] std::uint64_t resident_bytes(const Heap* heap);

}  // namespace slabheap::replay
