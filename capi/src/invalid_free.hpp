// The end of a process that frees wrongly and asked to be ended.
#pragma once

#include "slabheap/core/heap.hpp"

namespace slabheap {

/// A hook of the core: says which pointer was refused and why, and aborts.
void abort_on_refused_free(const Heap& heap, const void* block, Status status);

}  // namespace slabheap
