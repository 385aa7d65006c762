// A heap as a line of text, to compare a whole state with a literal: "[64: 1/64] [free 3] [large 2]" is a set of 64-byte blocks
// with one of 64 in use, a free run of three pages, and a large block of two. A bar starts a further region.
#pragma once

#include <cstddef>
#include <string>

#include "slabheap/slabheap.h"

namespace slabheap::test {

[[nodiscard]] std::string picture(const ::Heap* heap, std::size_t page_bytes = 4096);

}  // namespace slabheap::test
