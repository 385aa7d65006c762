// Streams of operations on heaps and their models: what bytes mean as a heap, and as a call on one.
#pragma once

#include <memory>
#include <vector>

#include "fuzz/stream.hpp"
#include "support/model.hpp"

namespace slabheap::fuzz {

/// Makes `heap_count` heaps, whose regions touch each other, and calls on them what the stream says.
void play(Stream stream, std::size_t heap_count);

}  // namespace slabheap::fuzz
