#include "translation.hpp"

#include "invalid_free.hpp"
#include "slabheap/core/memory.hpp"

namespace slabheap {
namespace {

/// A hook of the core: calls what the heap's owner asked to be called.
bool call_out_of_memory(Heap& heap, std::size_t size, std::size_t align) {
  const auto out_of_memory = reinterpret_cast<HeapOutOfMemory>(heap.owner().function);
  return out_of_memory(heap.owner().context, to_c(&heap), size, align);
}

}  // namespace

HeapStatus read_options(const HeapOptions& given, HeapOptions& known) {
  // The first version ends with `context`.
  if (given.options_bytes < sizeof(HeapOptions)) return HEAP_STATUS_INVALID_ARGUMENT;
  const auto* bytes = reinterpret_cast<const unsigned char*>(&given);
  for (std::size_t i = sizeof(HeapOptions); i < given.options_bytes; ++i) {
    if (bytes[i] != 0) return HEAP_STATUS_UNSUPPORTED;
  }
  copy_bytes(&known, &given, sizeof(HeapOptions));
  known.options_bytes = sizeof(HeapOptions);
  return HEAP_STATUS_OK;
}

Options from_c(const HeapOptions& options) {
  Options core;
  core.preset = static_cast<Preset>(options.preset);
  core.classes = options.classes;
  core.class_count = options.class_count;
  core.set_blocks = options.set_blocks;
  core.page_bytes = options.page_bytes;
  core.has_pages = options.pages != HEAP_PAGE_LAYER_PRESET;
  core.pages = options.pages == HEAP_PAGE_LAYER_BEST_FIT ? PageLayerKind::best_fit : PageLayerKind::buddy;
  core.has_cache = options.freed_runs == HEAP_FREED_RUNS_KEPT;
  if (options.invalid_free == HEAP_INVALID_FREE_ABORT) core.hooks.refused_free = abort_on_refused_free;
  if (options.out_of_memory != nullptr) {
    core.hooks.out_of_memory = call_out_of_memory;
    core.owner = {reinterpret_cast<void (*)()>(options.out_of_memory), options.context};
  }
  return core;
}

HeapStats to_c(const Stats& stats) {
  HeapStats c{};
  c.total_bytes = static_cast<size_t>(stats.total_bytes);
  c.used_bytes = static_cast<size_t>(stats.used_bytes);
  c.available_bytes = static_cast<size_t>(stats.available_bytes);
  c.slab_total_bytes = static_cast<size_t>(stats.slab_total_bytes);
  c.slab_used_bytes = static_cast<size_t>(stats.slab_used_bytes);
  c.buddy_total_bytes = static_cast<size_t>(stats.buddy_total_bytes);
  c.buddy_used_bytes = static_cast<size_t>(stats.buddy_used_bytes);
  c.metadata_bytes = static_cast<size_t>(stats.metadata_bytes);
  c.used_metadata_bytes = static_cast<size_t>(stats.used_metadata_bytes);
  c.peak_page_bytes = static_cast<size_t>(stats.peak_page_bytes);
  c.largest_free_bytes = static_cast<size_t>(stats.largest_free_bytes);
  c.region_count = static_cast<size_t>(stats.region_count);
  c.live_blocks = static_cast<size_t>(stats.live_blocks);
  c.allocations = stats.allocations;
  c.deallocations = stats.deallocations;
  c.failed_allocations = stats.failed_allocations;
  c.rejected_frees = stats.rejected_frees;
  return c;
}

HeapClassStats to_c(const Heap& heap, const Slab& slab) {
  HeapClassStats c{};
  c.block_size = slab.block_bytes();
  c.total_blocks = static_cast<size_t>(slab.total_blocks());
  c.used_blocks = static_cast<size_t>(heap.used_blocks(slab));
  c.sets = slab.set_count();
  c.partial_sets = heap.partial_sets(slab);
  c.allocations = slab.allocations();
  c.deallocations = heap.deallocations(slab);
  return c;
}

HeapRun to_c(const RunView& run) {
  const HeapRunKind kind = run.kind == PageKind::set     ? HEAP_RUN_KIND_SET
                           : run.kind == PageKind::large ? HEAP_RUN_KIND_LARGE
                                                         : HEAP_RUN_KIND_FREE;
  return {kind, reinterpret_cast<void*>(run.start), run.bytes, run.block_bytes, run.total_blocks, run.used};
}

}  // namespace slabheap
