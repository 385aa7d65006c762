// Between the types of slabheap.h and those of the core. The numbers of enumerators are the same on both sides, which is
// asserted.
#pragma once

#include "os.hpp"
#include "slabheap/core/heap.hpp"

// The interface is all that a shared library shows; the header says nothing of it, because C compilers differ in how.
#pragma GCC visibility push(default)
#include "slabheap/slabheap.h"
#pragma GCC visibility pop

namespace slabheap {

[[nodiscard]] inline Heap* from_c(::Heap* heap) { return reinterpret_cast<Heap*>(heap); }
[[nodiscard]] inline const Heap* from_c(const ::Heap* heap) { return reinterpret_cast<const Heap*>(heap); }
[[nodiscard]] inline ::Heap* to_c(Heap* heap) { return reinterpret_cast<::Heap*>(heap); }

[[nodiscard]] constexpr HeapStatus to_c(Status status) { return static_cast<HeapStatus>(status); }
static_assert(to_c(Status::ok) == HEAP_STATUS_OK && to_c(Status::out_of_memory) == HEAP_STATUS_OUT_OF_MEMORY);
static_assert(to_c(Status::invalid_argument) == HEAP_STATUS_INVALID_ARGUMENT && to_c(Status::not_owned) == HEAP_STATUS_NOT_OWNED);
static_assert(to_c(Status::not_allocated) == HEAP_STATUS_NOT_ALLOCATED && to_c(Status::misaligned) == HEAP_STATUS_MISALIGNED);
static_assert(to_c(Status::wrong_layout) == HEAP_STATUS_WRONG_LAYOUT && to_c(Status::overlap) == HEAP_STATUS_OVERLAP);
static_assert(to_c(Status::too_small) == HEAP_STATUS_TOO_SMALL && to_c(Status::corrupt) == HEAP_STATUS_CORRUPT);
static_assert(to_c(Status::too_many_regions) == HEAP_STATUS_TOO_MANY_REGIONS);
static_assert(to_c(Status::unsupported) == HEAP_STATUS_UNSUPPORTED && status_count == HEAP_STATUS_UNSUPPORTED + 1);

static_assert(static_cast<HeapPreset>(Preset::classic) == HEAP_PRESET_CLASSIC);
static_assert(static_cast<HeapPreset>(Preset::compact) == HEAP_PRESET_COMPACT);

[[nodiscard]] constexpr os::HugePages from_c(HeapHugePages huge_pages) { return static_cast<os::HugePages>(huge_pages); }
static_assert(from_c(HEAP_HUGE_PAGES_SYSTEM) == os::HugePages::system);
static_assert(from_c(HEAP_HUGE_PAGES_WANTED) == os::HugePages::wanted);
static_assert(from_c(HEAP_HUGE_PAGES_UNWANTED) == os::HugePages::unwanted);

static_assert(max_regions == HEAP_MAX_REGIONS && max_classes == HEAP_MAX_CLASSES && max_set_blocks == HEAP_MAX_SET_BLOCKS);
static_assert(min_block_bytes == HEAP_MIN_BLOCK_BYTES && max_block_bytes == HEAP_MAX_BLOCK_BYTES);
static_assert(min_page_bytes == HEAP_MIN_PAGE_BYTES && max_page_bytes == HEAP_MAX_PAGE_BYTES);

/// Options as this version knows them, from those of a caller that may know fewer or more; HEAP_STATUS_UNSUPPORTED if one that
/// this version does not know is not zero.
[[nodiscard]] HeapStatus read_options(const HeapOptions& given, HeapOptions& known);

[[nodiscard]] Options from_c(const HeapOptions& options);
[[nodiscard]] HeapStats to_c(const Stats& stats);
[[nodiscard]] HeapClassStats to_c(const Heap& heap, const Slab& slab);
[[nodiscard]] HeapRun to_c(const RunView& run);

}  // namespace slabheap
