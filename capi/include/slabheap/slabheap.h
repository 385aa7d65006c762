/*
 * slabheap: a heap that tells you exactly what it holds and catches every wrong free.
 *
 * Sizes are bytes. An alignment is a power of two. C99 or later, C++11 or later. Generated from rust/slabheap-sys by cbindgen.
 */

#ifndef SLABHEAP_SLABHEAP_H
#define SLABHEAP_SLABHEAP_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/**
 * The most regions that a heap can have.
 */
#define HEAP_MAX_REGIONS 64

/**
 * The most size classes that a heap can have.
 */
#define HEAP_MAX_CLASSES 128

/**
 * The most blocks that a set can have.
 */
#define HEAP_MAX_SET_BLOCKS 64

/**
 * The smallest block that a size class can have, in bytes.
 */
#define HEAP_MIN_BLOCK_BYTES 8

/**
 * The largest block that a size class can have, in bytes. Larger requests get whole pages.
 */
#define HEAP_MAX_BLOCK_BYTES 65536

/**
 * The smallest page, in bytes.
 */
#define HEAP_MIN_PAGE_BYTES 512

/**
 * The largest page, in bytes.
 */
#define HEAP_MAX_PAGE_BYTES 65536

/**
 * What a call answers. A call that does not answer HEAP_STATUS_OK has changed nothing, except that a refused free is counted.
 */
enum HeapStatus
#if defined(__cplusplus) || __STDC_VERSION__ >= 202311L
  : uint32_t
#endif // defined(__cplusplus) || __STDC_VERSION__ >= 202311L
 {
  /**
   * Done.
   */
  HEAP_STATUS_OK = 0,
  /**
   * There is no memory for it, even after everything kept back was given up.
   */
  HEAP_STATUS_OUT_OF_MEMORY = 1,
  /**
   * An argument or an option is outside of its range; for options, heap_options_problem() says which.
   */
  HEAP_STATUS_INVALID_ARGUMENT = 2,
  /**
   * No region of this heap holds the pointer.
   */
  HEAP_STATUS_NOT_OWNED = 3,
  /**
   * The pointer lies in this heap but in no live block: it was freed before, or never handed out.
   */
  HEAP_STATUS_NOT_ALLOCATED = 4,
  /**
   * The pointer lies inside a live block, not at its start.
   */
  HEAP_STATUS_MISALIGNED = 5,
  /**
   * A live block, but not of the class that this size and alignment belong to.
   */
  HEAP_STATUS_WRONG_LAYOUT = 6,
  /**
   * The memory overlaps a region of this heap.
   */
  HEAP_STATUS_OVERLAP = 7,
  /**
   * The memory cannot hold the heap's metadata and one page.
   */
  HEAP_STATUS_TOO_SMALL = 8,
  /**
   * The heap has HEAP_MAX_REGIONS regions already, or no numbers left for so many pages.
   */
  HEAP_STATUS_TOO_MANY_REGIONS = 9,
  /**
   * An invariant does not hold: something wrote over the heap's metadata.
   */
  HEAP_STATUS_CORRUPT = 10,
  /**
   * This system, or the way that the library was built, cannot do it.
   */
  HEAP_STATUS_UNSUPPORTED = 11,
};
#ifndef __cplusplus
#if __STDC_VERSION__ >= 202311L
typedef enum HeapStatus HeapStatus;
#else
typedef uint32_t HeapStatus;
#endif // __STDC_VERSION__ >= 202311L
#endif // __cplusplus

/**
 * A choice of size classes, set size, page size and page layer that go together.
 */
enum HeapPreset
#if defined(__cplusplus) || __STDC_VERSION__ >= 202311L
  : uint32_t
#endif // defined(__cplusplus) || __STDC_VERSION__ >= 202311L
 {
  /**
   * Seven classes of 64, 128, ... 4096 bytes in sets of 64 blocks, over a buddy allocator of 4096-byte pages.
   */
  HEAP_PRESET_CLASSIC = 0,
  /**
   * For space: 27 classes of 16 to 4096 bytes, 58 in a heap that is made of 8 MiB or more; sets only as long as leaves little of them
   * unused, best fit, 1024-byte pages.
   */
  HEAP_PRESET_COMPACT = 1,
};
#ifndef __cplusplus
#if __STDC_VERSION__ >= 202311L
typedef enum HeapPreset HeapPreset;
#else
typedef uint32_t HeapPreset;
#endif // __STDC_VERSION__ >= 202311L
#endif // __cplusplus

/**
 * What hands out runs of pages, to sets and to large blocks.
 */
enum HeapPageLayer
#if defined(__cplusplus) || __STDC_VERSION__ >= 202311L
  : uint32_t
#endif // defined(__cplusplus) || __STDC_VERSION__ >= 202311L
 {
  /**
   * The preset's.
   */
  HEAP_PAGE_LAYER_PRESET = 0,
  /**
   * A buddy allocator: naturally aligned runs of a power of two of pages, the surplus of a request given back at once. Every
   * operation is bounded by the number of orders.
   */
  HEAP_PAGE_LAYER_BUDDY = 1,
  /**
   * Best fit by two-level bins over runs of any length, merged at once. Every operation is bounded by a constant.
   */
  HEAP_PAGE_LAYER_BEST_FIT = 2,
};
#ifndef __cplusplus
#if __STDC_VERSION__ >= 202311L
typedef enum HeapPageLayer HeapPageLayer;
#else
typedef uint32_t HeapPageLayer;
#endif // __STDC_VERSION__ >= 202311L
#endif // __cplusplus

/**
 * What the heap does when a free is refused.
 */
enum HeapInvalidFree
#if defined(__cplusplus) || __STDC_VERSION__ >= 202311L
  : uint32_t
#endif // defined(__cplusplus) || __STDC_VERSION__ >= 202311L
 {
  /**
   * Counts it and returns the reason.
   */
  HEAP_INVALID_FREE_REPORT = 0,
  /**
   * Prints the reason and the pointer to the standard error stream and aborts the process. In a library that was built without an
   * operating system, it traps without a word.
   */
  HEAP_INVALID_FREE_ABORT = 1,
};
#ifndef __cplusplus
#if __STDC_VERSION__ >= 202311L
typedef enum HeapInvalidFree HeapInvalidFree;
#else
typedef uint32_t HeapInvalidFree;
#endif // __STDC_VERSION__ >= 202311L
#endif // __cplusplus

/**
 * What becomes of a run of pages that is freed.
 */
enum HeapFreedRuns
#if defined(__cplusplus) || __STDC_VERSION__ >= 202311L
  : uint32_t
#endif // defined(__cplusplus) || __STDC_VERSION__ >= 202311L
 {
  /**
   * While less than half of the heap is in use, runs of up to 64 pages, with the buddy those that are aligned to their length, are
   * kept by their length for the next request of as many: a third of the heap and 512 runs at the most. They are free to every
   * figure and every walk. All of them are merged, by one call that takes up to 512 merges more than others, before a request fails;
   * when, with more than half of the heap in use, a request finds no kept run of its length; when a block grows where it is into one
   * of them; and by heap_add_memory() and heap_trim().
   */
  HEAP_FREED_RUNS_KEPT = 0,
  /**
   * It is merged with its free neighbours at once: no call finds kept runs to merge, but each that takes or gives a run cuts or merges.
   */
  HEAP_FREED_RUNS_MERGED = 1,
};
#ifndef __cplusplus
#if __STDC_VERSION__ >= 202311L
typedef enum HeapFreedRuns HeapFreedRuns;
#else
typedef uint32_t HeapFreedRuns;
#endif // __STDC_VERSION__ >= 202311L
#endif // __cplusplus

/**
 * Whether memory that a heap maps from the OS, when it is made or later, is to be backed by huge pages: of 2 MiB on most systems, so that
 * there is none in a region of less. It is advice: a system without huge pages ignores it. The caller's memory is left as it is.
 */
enum HeapHugePages
#if defined(__cplusplus) || __STDC_VERSION__ >= 202311L
  : uint32_t
#endif // defined(__cplusplus) || __STDC_VERSION__ >= 202311L
 {
  /**
   * As the system does by itself.
   */
  HEAP_HUGE_PAGES_SYSTEM = 0,
  /**
   * They are wanted. The first use of memory costs far less on the whole, and the processor translates the heap's addresses faster. But
   * resident memory, that of metadata too, grows by huge pages, each of which is cleared as a whole when a byte of it is first touched.
   */
  HEAP_HUGE_PAGES_WANTED = 1,
  /**
   * They are not, even on a system that uses them by itself: resident memory grows by small pages.
   */
  HEAP_HUGE_PAGES_UNWANTED = 2,
};
#ifndef __cplusplus
#if __STDC_VERSION__ >= 202311L
typedef enum HeapHugePages HeapHugePages;
#else
typedef uint32_t HeapHugePages;
#endif // __STDC_VERSION__ >= 202311L
#endif // __cplusplus

/**
 * What a run of pages is.
 */
enum HeapRunKind
#if defined(__cplusplus) || __STDC_VERSION__ >= 202311L
  : uint32_t
#endif // defined(__cplusplus) || __STDC_VERSION__ >= 202311L
 {
  /**
   * Free.
   */
  HEAP_RUN_KIND_FREE = 0,
  /**
   * Cut into blocks of one size class.
   */
  HEAP_RUN_KIND_SET = 1,
  /**
   * One block.
   */
  HEAP_RUN_KIND_LARGE = 2,
};
#ifndef __cplusplus
#if __STDC_VERSION__ >= 202311L
typedef enum HeapRunKind HeapRunKind;
#else
typedef uint32_t HeapRunKind;
#endif // __STDC_VERSION__ >= 202311L
#endif // __cplusplus

/**
 * A heap. It lies in the memory that it manages; a pointer to it is all there is to hold.
 *
 * A `Heap *` is used by one thread at a time, a `const Heap *` by any number at once while nobody uses it as `Heap *`.
 */
typedef struct Heap Heap;

/**
 * Called when there is no memory for a request of `size` bytes at `align`. It may call heap_add_memory(), heap_trim() and every
 * function that takes a `const Heap *`, and nothing else, on this heap. True: the request is tried once more. False: it fails.
 */
typedef bool (*HeapOutOfMemory)(void *context, struct Heap *heap, size_t size, size_t align);

/**
 * What a heap is made with. Start from heap_options_default() and set what should differ; zero and NULL stand for the default.
 */
typedef struct HeapOptions {
  /**
   * sizeof(HeapOptions) as the caller knows it, so that a later library can tell what it was given.
   */
  size_t options_bytes;
  /**
   * The memory to manage, of any alignment; NULL to map it from the OS.
   */
  void *memory;
  /**
   * How many bytes.
   */
  size_t bytes;
  /**
   * Where the choices left at zero below come from.
   */
  HeapPreset preset;
  /**
   * The page layer.
   */
  HeapPageLayer pages;
  /**
   * `class_count` block sizes in bytes, ascending, each HEAP_MIN_BLOCK_BYTES to HEAP_MAX_BLOCK_BYTES; read, not kept. NULL: the
   * preset's. A block is aligned to the largest power of two that divides its size, up to a page: one of 48 bytes, to 16. A table of two
   * bytes for each 8 up to the largest, but 1 KiB at the most, is part of the metadata. Where it says nothing, because the block size is
   * above 4096, or two share 8 bytes, a request takes a binary search among them.
   */
  const size_t *classes;
  /**
   * How many, at most HEAP_MAX_CLASSES.
   */
  size_t class_count;
  /**
   * The blocks that a set aims at, 1 to HEAP_MAX_SET_BLOCKS. It has as many as fit into the pages that these need, or less where fewer
   * pages leave less unused. A set takes no more than a 128th of the heap, unless one block needs more, nor more than 256 pages or
   * the longest free run.
   */
  size_t set_blocks;
  /**
   * Bytes of a page: a power of two, HEAP_MIN_PAGE_BYTES to HEAP_MAX_PAGE_BYTES.
   */
  size_t page_bytes;
  /**
   * What to do about invalid frees.
   */
  HeapInvalidFree invalid_free;
  /**
   * What becomes of freed runs.
   */
  HeapFreedRuns freed_runs;
  /**
   * Whether mapped memory is to be backed by huge pages.
   */
  HeapHugePages huge_pages;
  /**
   * Called before a request fails for want of memory.
   */
  HeapOutOfMemory out_of_memory;
  /**
   * Passed to `out_of_memory`.
   */
  void *context;
} HeapOptions;

/**
 * What a request gets.
 */
typedef struct HeapUsableSize {
  /**
   * What was asked for, in bytes; 0 if the arguments are invalid.
   */
  size_t min;
  /**
   * What the block would hold, in bytes; 0 if the arguments are invalid.
   */
  size_t max;
} HeapUsableSize;

/**
 * What a heap holds. At every moment total = slab total + buddy total, used = slab used + buddy used, available = total - used,
 * and total + metadata + the edges that no page fits into = the bytes given.
 */
typedef struct HeapStats {
  /**
   * All pages of all regions, in bytes.
   */
  size_t total_bytes;
  /**
   * The bytes of live blocks, each counted as what it holds, not as what was asked for.
   */
  size_t used_bytes;
  /**
   * total_bytes - used_bytes, wherever they lie.
   */
  size_t available_bytes;
  /**
   * Pages lent to slabs, in bytes, whatever part of them holds blocks.
   */
  size_t slab_total_bytes;
  /**
   * Live blocks of slabs, in bytes.
   */
  size_t slab_used_bytes;
  /**
   * Pages that the page layer, buddy or best fit, has not lent to slabs, in bytes.
   */
  size_t buddy_total_bytes;
  /**
   * Live large blocks, in bytes.
   */
  size_t buddy_used_bytes;
  /**
   * What the heap needs for itself, in bytes.
   */
  size_t metadata_bytes;
  /**
   * The part of `metadata_bytes` that belongs to pages handed out so far and to those passed over between them, or to the heap as a
   * whole. Of mapped memory, the rest has not been touched.
   */
  size_t used_metadata_bytes;
  /**
   * The most bytes of pages that were in use at once, by slabs and large blocks together.
   */
  size_t peak_page_bytes;
  /**
   * The longest run of pages that one request is sure to get, in bytes: one at an alignment up to a page succeeds if its block would
   * hold no more, as heap_usable_size() tells. Sets that are kept back empty and kept runs count as free. With the buddy it is a power
   * of two of pages, aligned to its length, and so may be shorter than the longest free run that heap_visit_runs() shows: half of an
   * empty heap of 1 MiB and its metadata. Best fit files free runs by their length, four bins to a doubling, and compares eight of a
   * bin at the most: of a bin that has more, this figure may pass over a longer one. A larger request gets that one, perhaps, or a
   * free block of a set.
   */
  size_t largest_free_bytes;
  /**
   * Regions.
   */
  size_t region_count;
  /**
   * Blocks allocated and not freed.
   */
  size_t live_blocks;
  /**
   * Blocks handed out so far. A reallocation that moves counts as one more, and as one more freed.
   */
  uint64_t allocations;
  /**
   * Blocks taken back so far.
   */
  uint64_t deallocations;
  /**
   * Requests that failed for want of memory.
   */
  uint64_t failed_allocations;
  /**
   * Frees and reallocations that were refused.
   */
  uint64_t rejected_frees;
} HeapStats;

/**
 * What one size class holds.
 */
typedef struct HeapClassStats {
  /**
   * Bytes of a block.
   */
  size_t block_size;
  /**
   * Blocks in all sets.
   */
  size_t total_blocks;
  /**
   * Live blocks.
   */
  size_t used_blocks;
  /**
   * Sets.
   */
  size_t sets;
  /**
   * Sets with a used and a free block.
   */
  size_t partial_sets;
  /**
   * Blocks handed out so far.
   */
  uint64_t allocations;
  /**
   * Blocks taken back so far.
   */
  uint64_t deallocations;
} HeapClassStats;

/**
 * Called for a live block of `bytes` usable bytes. False ends the walk. Must not change the heap.
 */
typedef bool (*HeapVisitor)(void *context, void *block, size_t bytes);

/**
 * A run of pages.
 */
typedef struct HeapRun {
  /**
   * What it is.
   */
  HeapRunKind kind;
  /**
   * Where it starts.
   */
  void *start;
  /**
   * How long it is.
   */
  size_t bytes;
  /**
   * Bytes of each of its blocks; of a large block, `bytes`; 0 if the run is free.
   */
  size_t block_size;
  /**
   * Blocks in it: 1 to 64 in a set, 1 in a large block, 0 if the run is free.
   */
  size_t total_blocks;
  /**
   * Bit k is set if block k, which starts k * block_size behind `start`, is live.
   */
  uint64_t used;
} HeapRun;

/**
 * Called for a run. False ends the walk. Must not change the heap.
 */
typedef bool (*HeapRunVisitor)(void *context, const struct HeapRun *run);

#ifdef __cplusplus
extern "C" {
#endif // __cplusplus

/**
 * Makes a classic heap of `bytes` bytes at `memory`, of any alignment; of memory mapped from the OS if `memory` is NULL, which takes
 * up room only where it is used. The heap keeps its metadata in that memory and never writes outside of it.
 *
 * Returns the heap, or NULL: see heap_new_with() for the reasons.
 *
 * Cost: proportional to the metadata, about 0.5 % of the memory and more of a small one, which has to be cleared; for mapped memory, to
 * the number of classes and the bytes of their routing table.
 *
 * The caller's memory must stay until heap_destroy(); nothing else may use it but through blocks of this heap.
 */
extern struct Heap *heap_new(void *memory,
                             size_t bytes);

/**
 * Like heap_new(), with every option, and with a reason.
 *
 * Returns HEAP_STATUS_OK and stores the heap in `*heap`. Otherwise `*heap` stays as it was: HEAP_STATUS_INVALID_ARGUMENT (NULL, or an
 * option out of range, or memory that wraps around, or more than 2^31 pages), HEAP_STATUS_TOO_SMALL, HEAP_STATUS_OUT_OF_MEMORY (the
 * OS gives none), HEAP_STATUS_UNSUPPORTED (options of a later version that are not zero, or no OS to map from).
 */
extern HeapStatus heap_new_with(const struct HeapOptions *options,
                                struct Heap **heap);

/**
 * Options that heap_new_with() turns into what heap_new(NULL, 0) would make; set `bytes` at least.
 */
extern struct HeapOptions heap_options_default(void);

/**
 * What is wrong with the options, as a sentence for people; NULL if nothing is. Memory is not looked at.
 */
extern const char *heap_options_problem(const struct HeapOptions *options);

/**
 * Ends a heap and all of its blocks. Memory that it mapped goes back to the OS; the caller's memory is the caller's again. NULL does
 * nothing.
 *
 * Cost: a call of the OS for each mapped region.
 */
extern void heap_destroy(struct Heap *heap);

/**
 * Adds a region of `bytes` bytes at `memory`, of any alignment; mapped from the OS if `memory` is NULL, with huge pages or without as
 * the heap's options say. Regions may touch; a block never spans two of them.
 *
 * Returns HEAP_STATUS_OK, or HEAP_STATUS_INVALID_ARGUMENT (NULL heap, or memory that wraps around, or more than 2^31 pages),
 * HEAP_STATUS_TOO_SMALL, HEAP_STATUS_OVERLAP, HEAP_STATUS_TOO_MANY_REGIONS, HEAP_STATUS_OUT_OF_MEMORY or HEAP_STATUS_UNSUPPORTED (as
 * heap_new_with()).
 *
 * Cost and lifetime: as heap_new(); and up to 512 kept runs are merged.
 */
extern HeapStatus heap_add_memory(struct Heap *heap,
                                  void *memory,
                                  size_t bytes);

/**
 * Allocates a block of at least `size` bytes at a multiple of `align`, a power of two. For 0 bytes, a distinct block of the smallest
 * class. Its contents are indeterminate.
 *
 * Returns the block; NULL if there is no memory, or `align` is no power of two, or either is above SIZE_MAX / 2.
 *
 * A request goes to the smallest class whose blocks hold it and honour its alignment, or, if there is none, to whole pages. At an
 * alignment above a page, the buddy cuts them from a free run that is at least as long as the alignment.
 *
 * Cost: constant for a class. For whole pages, and when a class needs a new set: one take from the page layer, bounded by the number
 * of orders (buddy) or constant (best fit), and a mark for each order (a large block) or for each page of the set; with
 * HEAP_FREED_RUNS_KEPT, a call may first merge up to 512 kept runs. Before it fails, one step more for each class, and with best fit
 * for each of up to 1,024 free runs of nearly the length.
 */
extern void *heap_allocate(struct Heap *heap,
                           size_t size,
                           size_t align);

/**
 * Like heap_allocate(), with the first `size` bytes zero. Cost: that of clearing them, too.
 */
extern void *heap_allocate_zeroed(struct Heap *heap, size_t size, size_t align);

/**
 * Gives a block that was allocated with `size` and `align` a new size. It stays where it is if the new size has the same class, and, if
 * both take whole pages, if it shrinks or the pages behind it are free; otherwise it moves, and its first bytes, as many as
 * both sizes have, move with it. A NULL block: like heap_allocate(heap, new_size, align). A `new_size` of 0 frees nothing: it is a
 * size like others, of the smallest class.
 *
 * Returns the block. NULL, and the old block is as it was, if there is no memory, if an argument is invalid, or if the old block is
 * refused as heap_deallocate() would refuse it, which counts as a rejected free.
 *
 * Cost: that of an allocation, a copy and a free. In place, constant within a class; for whole pages that of a free, and if it grows,
 * a step for each free run that it takes, and the merging of all kept runs if one of those is kept.
 */
extern void *heap_reallocate(struct Heap *heap,
                             void *block,
                             size_t size,
                             size_t align,
                             size_t new_size);

/**
 * Frees a block that was allocated with this `size` and `align`, or with others of the same class, or, for whole pages, of the
 * same number of pages. NULL does nothing.
 *
 * Returns HEAP_STATUS_OK. Otherwise nothing has changed but `rejected_frees`: HEAP_STATUS_NOT_OWNED, HEAP_STATUS_NOT_ALLOCATED,
 * HEAP_STATUS_MISALIGNED, HEAP_STATUS_WRONG_LAYOUT, or HEAP_STATUS_INVALID_ARGUMENT (NULL heap, or `align` is no power of two). A heap
 * made with HEAP_INVALID_FREE_ABORT aborts instead.
 *
 * Cost: constant; when a set or large block goes back to the page layer, bounded by the number of orders (buddy) or constant (best
 * fit); with several regions, a binary search among them where the region is not that of the last free; for a large block that is
 * freed otherwise than by its own layout, a step for each order to find it.
 *
 * Not guaranteed: a stale pointer whose block has been handed out again is a live block, and freed.
 */
extern HeapStatus heap_deallocate(struct Heap *heap,
                                  void *block,
                                  size_t size,
                                  size_t align);

/**
 * Like heap_deallocate(), whatever size and alignment the block was allocated with.
 */
extern HeapStatus heap_free(struct Heap *heap, void *block);

/**
 * What a request of `size` bytes at `align` asks for and what its block would hold; zeros if the arguments are invalid. Cost: constant.
 */
extern struct HeapUsableSize heap_usable_size(const struct Heap *heap,
                                              size_t size,
                                              size_t align);

/**
 * How many bytes a live block of this heap holds; 0 if the pointer is not the start of one. Cost: as a free.
 */
extern size_t heap_block_size(const struct Heap *heap, const void *block);

/**
 * The bytes of all pages: what the heap could hand out if it were empty. Constant cost. 0 for a NULL heap, like the next two.
 */
extern size_t heap_total_bytes(const struct Heap *heap);

/**
 * The bytes of live blocks, each counted as what it holds. Cost: a step for each class.
 */
extern size_t heap_used_bytes(const struct Heap *heap);

/**
 * heap_total_bytes() - heap_used_bytes().
 */
extern size_t heap_available_bytes(const struct Heap *heap);

/**
 * Every figure at once. Cost: some steps for each class and, for `largest_free_bytes`, a look around each set that is kept back empty
 * and each kept run, 512 at the most; blocks and other sets are not walked. All zero for a NULL heap.
 */
extern struct HeapStats heap_stats(const struct Heap *heap);

/**
 * The number of size classes; 0 for a NULL heap.
 */
extern size_t heap_class_count(const struct Heap *heap);

/**
 * Stores the figures of the class at `index`, counted from 0 in ascending order of block size. Constant cost.
 *
 * Returns HEAP_STATUS_OK, or HEAP_STATUS_INVALID_ARGUMENT (a NULL pointer, or no such class), and `*stats` stays as it was.
 */
extern HeapStatus heap_class_stats(const struct Heap *heap, size_t index, struct HeapClassStats *stats);

/**
 * Calls `visitor` for every live block in order of address until it returns false.
 *
 * Returns HEAP_STATUS_OK, also if the visitor ended it, or HEAP_STATUS_INVALID_ARGUMENT (NULL heap or visitor).
 *
 * Cost: proportional to runs and live blocks; free memory is skipped a run at a time.
 */
extern HeapStatus heap_visit(const struct Heap *heap, HeapVisitor visitor, void *context);

/**
 * Like heap_visit(), for every run of pages: sets, large blocks and free runs, which together are all pages of the heap.
 */
extern HeapStatus heap_visit_runs(const struct Heap *heap, HeapRunVisitor visitor, void *context);

/**
 * Walks all metadata and checks every invariant.
 *
 * Returns HEAP_STATUS_OK, HEAP_STATUS_CORRUPT, or HEAP_STATUS_INVALID_ARGUMENT (NULL heap). After HEAP_STATUS_CORRUPT, nothing is
 * promised of any other call.
 *
 * Cost: a look at each page that was ever handed out, at each live block, and at each size class and its part of the routing table;
 * with the buddy, at a word for each 32 pages, too. Needs about 5 KiB of stack.
 */
extern HeapStatus heap_check(const struct Heap *heap);

/**
 * Gives the sets that are kept back empty, and kept runs, to the page layer, and free runs of pages to the OS if they were mapped from
 * there, but for what was never handed out, and for runs that are as the last trim left them; their pages read as zero when they are
 * used again. Live blocks stay as they are. What goes back of a huge page that is partly in use, the OS may hold until it is short of
 * memory, or make resident anew by itself.
 *
 * Returns the bytes that went back to the OS; a run counts with its whole length, whether all of its pages were touched since the
 * last trim or not. For a heap without mapped memory: the bytes of the sets that went to the page layer. 0 for a NULL heap.
 *
 * Cost: proportional to the number of runs, and a call of the OS for each free run.
 */
extern size_t heap_trim(struct Heap *heap);

/**
 * Frees every block at once. Regions, options and counters stay; blocks count as deallocated.
 *
 * Returns HEAP_STATUS_OK, or HEAP_STATUS_INVALID_ARGUMENT (NULL heap).
 *
 * Cost: proportional to the number of runs.
 */
extern HeapStatus heap_reset(struct Heap *heap);

/**
 * A status in words, for people; never NULL, also for a number that is no status. The text is static.
 */
extern const char *heap_status_message(HeapStatus status);

/**
 * The version of the library, as "1.2.3". The text is static.
 */
extern const char *heap_version(void);

#ifdef __cplusplus
}  // extern "C"
#endif  // __cplusplus

#endif  /* SLABHEAP_SLABHEAP_H */
