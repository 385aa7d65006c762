// Where the recorder puts its records. It maps files and takes no memory from any allocator: the program's is what it watches.
#pragma once

#include "record/raw_recording.hpp"

namespace slabheap::record {

/// The next number in the order of calls; 0 if nothing is recorded. A process that was forked starts anew, with a file of its
/// own.
[[nodiscard]] std::uint64_t next_sequence();

/// Records a call; a sequence of 0 records nothing. Leaves errno alone.
void add(std::uint64_t sequence, RawOperation operation, const void* address, std::size_t size, std::size_t align);

}  // namespace slabheap::record
