/* Sizes and offsets of everything that crosses the boundary, as rust/slabheap-sys/src/layout.rs asserts them of the declarations.
   C99 or later, C++11 or later; nothing of it is ever run. */
#include <slabheap/slabheap.h>

#define WORD sizeof(size_t)

/* Some 32-bit systems align uint64_t to four bytes, others to eight. */
struct Probe {
  char first;
  uint64_t aligned;
};
#define ALIGN offsetof(struct Probe, aligned)
#define ALIGNED(offset) (((offset) + ALIGN - 1) / ALIGN * ALIGN)

/* An array of -1 elements is an error in every standard, C99 has no static_assert. */
#define SIZE(type, bytes) extern const char size_of_##type[sizeof(type) == (bytes) ? 1 : -1]
#define FIELD(type, field, field_type, offset)                                              \
  extern const char offset_of_##type##_##field[offsetof(type, field) == (offset) ? 1 : -1]; \
  extern const char size_of_##type##_##field[sizeof(((type*)0)->field) == sizeof(field_type) ? 1 : -1]

SIZE(HeapOptions, 10 * WORD + 16);
FIELD(HeapOptions, options_bytes, size_t, 0);
FIELD(HeapOptions, memory, void*, WORD);
FIELD(HeapOptions, bytes, size_t, 2 * WORD);
FIELD(HeapOptions, preset, HeapPreset, 3 * WORD);
FIELD(HeapOptions, pages, HeapPageLayer, 3 * WORD + 4);
FIELD(HeapOptions, classes, const size_t*, 3 * WORD + 8);
FIELD(HeapOptions, class_count, size_t, 4 * WORD + 8);
FIELD(HeapOptions, set_blocks, size_t, 5 * WORD + 8);
FIELD(HeapOptions, page_bytes, size_t, 6 * WORD + 8);
FIELD(HeapOptions, invalid_free, HeapInvalidFree, 7 * WORD + 8);
FIELD(HeapOptions, freed_runs, HeapFreedRuns, 7 * WORD + 12);
FIELD(HeapOptions, huge_pages, HeapHugePages, 7 * WORD + 16);
FIELD(HeapOptions, out_of_memory, HeapOutOfMemory, 8 * WORD + 16);
FIELD(HeapOptions, context, void*, 9 * WORD + 16);

SIZE(HeapUsableSize, 2 * WORD);
FIELD(HeapUsableSize, min, size_t, 0);
FIELD(HeapUsableSize, max, size_t, WORD);

SIZE(HeapStats, ALIGNED(13 * WORD) + 32);
FIELD(HeapStats, total_bytes, size_t, 0);
FIELD(HeapStats, used_bytes, size_t, WORD);
FIELD(HeapStats, available_bytes, size_t, 2 * WORD);
FIELD(HeapStats, slab_total_bytes, size_t, 3 * WORD);
FIELD(HeapStats, slab_used_bytes, size_t, 4 * WORD);
FIELD(HeapStats, buddy_total_bytes, size_t, 5 * WORD);
FIELD(HeapStats, buddy_used_bytes, size_t, 6 * WORD);
FIELD(HeapStats, metadata_bytes, size_t, 7 * WORD);
FIELD(HeapStats, used_metadata_bytes, size_t, 8 * WORD);
FIELD(HeapStats, peak_page_bytes, size_t, 9 * WORD);
FIELD(HeapStats, largest_free_bytes, size_t, 10 * WORD);
FIELD(HeapStats, region_count, size_t, 11 * WORD);
FIELD(HeapStats, live_blocks, size_t, 12 * WORD);
FIELD(HeapStats, allocations, uint64_t, ALIGNED(13 * WORD));
FIELD(HeapStats, deallocations, uint64_t, ALIGNED(13 * WORD) + 8);
FIELD(HeapStats, failed_allocations, uint64_t, ALIGNED(13 * WORD) + 16);
FIELD(HeapStats, rejected_frees, uint64_t, ALIGNED(13 * WORD) + 24);

SIZE(HeapClassStats, ALIGNED(5 * WORD) + 16);
FIELD(HeapClassStats, block_size, size_t, 0);
FIELD(HeapClassStats, total_blocks, size_t, WORD);
FIELD(HeapClassStats, used_blocks, size_t, 2 * WORD);
FIELD(HeapClassStats, sets, size_t, 3 * WORD);
FIELD(HeapClassStats, partial_sets, size_t, 4 * WORD);
FIELD(HeapClassStats, allocations, uint64_t, ALIGNED(5 * WORD));
FIELD(HeapClassStats, deallocations, uint64_t, ALIGNED(5 * WORD) + 8);

SIZE(HeapRun, ALIGNED(5 * WORD) + 8);
FIELD(HeapRun, kind, HeapRunKind, 0);
FIELD(HeapRun, start, void*, WORD);
FIELD(HeapRun, bytes, size_t, 2 * WORD);
FIELD(HeapRun, block_size, size_t, 3 * WORD);
FIELD(HeapRun, total_blocks, size_t, 4 * WORD);
FIELD(HeapRun, used, uint64_t, ALIGNED(5 * WORD));

SIZE(HeapStatus, 4);
SIZE(HeapPreset, 4);
SIZE(HeapPageLayer, 4);
SIZE(HeapInvalidFree, 4);
SIZE(HeapFreedRuns, 4);
SIZE(HeapHugePages, 4);
SIZE(HeapRunKind, 4);
SIZE(HeapOutOfMemory, WORD);
SIZE(HeapVisitor, WORD);
SIZE(HeapRunVisitor, WORD);
