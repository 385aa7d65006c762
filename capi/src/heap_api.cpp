// The functions of slabheap.h: null checks, and the translation of types. What they promise stands in the header; what they do,
// in the core.
#include "memory_source.hpp"
#include "slabheap/core/heap_walks.hpp"
#include "status_text.hpp"
#include "translation.hpp"
#include "watched.hpp"

using slabheap::from_c;
using slabheap::Span;
using slabheap::to_c;
namespace watched = slabheap::watched;

Heap* heap_new(void* memory, size_t bytes) {
  HeapOptions options = heap_options_default();
  options.memory = memory;
  options.bytes = bytes;
  Heap* heap = nullptr;
  (void)heap_new_with(&options, &heap);
  return heap;
}

HeapStatus heap_new_with(const HeapOptions* options, Heap** heap) {
  if (options == nullptr || heap == nullptr) return HEAP_STATUS_INVALID_ARGUMENT;
  HeapOptions known;
  const HeapStatus readable = slabheap::read_options(*options, known);
  if (readable != HEAP_STATUS_OK) return readable;
  if (heap_options_problem(&known) != nullptr) return HEAP_STATUS_INVALID_ARGUMENT;

  slabheap::Heap::Created created{};
  const auto create = [&](Span span, bool is_zero, auto tag) {
    created = slabheap::Heap::create(span, from_c(known), is_zero, tag);
    if (created.heap != nullptr) watched::begin_region(*created.heap, span.start);
    return created.status;
  };
  const slabheap::Status status = slabheap::with_memory(known.memory, known.bytes, from_c(known.huge_pages), create);
  if (status == slabheap::Status::ok) *heap = to_c(created.heap);
  return to_c(status);
}

HeapOptions heap_options_default(void) {
  HeapOptions options{};
  options.options_bytes = sizeof(HeapOptions);
  return options;
}

const char* heap_options_problem(const HeapOptions* options) {
  if (options == nullptr) return "there are no options";
  HeapOptions known;
  const HeapStatus readable = slabheap::read_options(*options, known);
  if (readable == HEAP_STATUS_UNSUPPORTED) return "the options are of a later version and use what this one does not know";
  if (readable != HEAP_STATUS_OK) return "options_bytes is not the size of the options";
  if (known.invalid_free != HEAP_INVALID_FREE_REPORT && known.invalid_free != HEAP_INVALID_FREE_ABORT) {
    return "there is no such way to treat an invalid free";
  }
  if (known.freed_runs != HEAP_FREED_RUNS_KEPT && known.freed_runs != HEAP_FREED_RUNS_MERGED) {
    return "there is no such way to treat a freed run";
  }
  if (known.huge_pages > HEAP_HUGE_PAGES_UNWANTED) return "there is no such choice of huge pages";
  if (known.pages > HEAP_PAGE_LAYER_BEST_FIT) return "there is no such page layer";
  return slabheap::problem_of(from_c(known));
}

void heap_destroy(Heap* heap) {
  if (heap == nullptr) return;
  watched::end_regions(*from_c(heap));
  slabheap::unmap_regions(*from_c(heap));
}

HeapStatus heap_add_memory(Heap* heap, void* memory, size_t bytes) {
  if (heap == nullptr) return HEAP_STATUS_INVALID_ARGUMENT;
  const auto add = [&](Span span, bool is_zero, auto tag) {
    const slabheap::Status status = from_c(heap)->add_memory(span, is_zero, tag);
    if (status == slabheap::Status::ok) watched::begin_region(*from_c(heap), span.start);
    return status;
  };
  return to_c(slabheap::with_memory(memory, bytes, slabheap::huge_pages_of(*from_c(heap)), add));
}

void* heap_allocate(Heap* heap, size_t size, size_t align) {
  if (heap == nullptr) [[unlikely]]
    return nullptr;
  return watched::allocate(*from_c(heap), size, align);
}

void* heap_allocate_zeroed(Heap* heap, size_t size, size_t align) {
  return heap != nullptr ? watched::allocate_zeroed(*from_c(heap), size, align) : nullptr;
}

void* heap_reallocate(Heap* heap, void* block, size_t size, size_t align, size_t new_size) {
  return heap != nullptr ? watched::reallocate(*from_c(heap), block, size, align, new_size) : nullptr;
}

HeapStatus heap_deallocate(Heap* heap, void* block, size_t size, size_t align) {
  if (heap == nullptr) [[unlikely]]
    return HEAP_STATUS_INVALID_ARGUMENT;
  return to_c(watched::deallocate(*from_c(heap), block, size, align));
}

HeapStatus heap_free(Heap* heap, void* block) {
  if (heap == nullptr) [[unlikely]]
    return HEAP_STATUS_INVALID_ARGUMENT;
  return to_c(watched::free(*from_c(heap), block));
}

HeapUsableSize heap_usable_size(const Heap* heap, size_t size, size_t align) {
  const size_t max = heap != nullptr ? watched::usable_size(*from_c(heap), size, align) : 0;
  return max != 0 ? HeapUsableSize{size, max} : HeapUsableSize{};
}

size_t heap_block_size(const Heap* heap, const void* block) {
  return heap != nullptr ? watched::block_size(*from_c(heap), block) : 0;
}

size_t heap_total_bytes(const Heap* heap) { return heap != nullptr ? static_cast<size_t>(from_c(heap)->total_bytes()) : 0; }

size_t heap_used_bytes(const Heap* heap) { return heap != nullptr ? static_cast<size_t>(from_c(heap)->used_bytes()) : 0; }

size_t heap_available_bytes(const Heap* heap) { return heap_total_bytes(heap) - heap_used_bytes(heap); }

HeapStats heap_stats(const Heap* heap) { return heap != nullptr ? to_c(from_c(heap)->stats()) : HeapStats{}; }

size_t heap_class_count(const Heap* heap) { return heap != nullptr ? from_c(heap)->class_count() : 0; }

HeapStatus heap_class_stats(const Heap* heap, size_t index, HeapClassStats* stats) {
  if (index >= heap_class_count(heap) || stats == nullptr) return HEAP_STATUS_INVALID_ARGUMENT;
  *stats = to_c(*from_c(heap), from_c(heap)->slab(index));
  return HEAP_STATUS_OK;
}

HeapStatus heap_visit(const Heap* heap, HeapVisitor visitor, void* context) {
  if (heap == nullptr || visitor == nullptr) return HEAP_STATUS_INVALID_ARGUMENT;
  from_c(heap)->visit_blocks(
      [=](void* block, size_t bytes) { return visitor(context, block, watched::requested_bytes(block, bytes)); });
  return HEAP_STATUS_OK;
}

HeapStatus heap_visit_runs(const Heap* heap, HeapRunVisitor visitor, void* context) {
  if (heap == nullptr || visitor == nullptr) return HEAP_STATUS_INVALID_ARGUMENT;
  (void)from_c(heap)->visit_runs([=](const slabheap::RunView& view) {
    const HeapRun run = to_c(view);
    return visitor(context, &run);
  });
  return HEAP_STATUS_OK;
}

HeapStatus heap_check(const Heap* heap) {
  if (heap == nullptr) return HEAP_STATUS_INVALID_ARGUMENT;
  return from_c(heap)->validate() ? HEAP_STATUS_OK : HEAP_STATUS_CORRUPT;
}

size_t heap_trim(Heap* heap) { return heap != nullptr ? slabheap::trim(*from_c(heap)) : 0; }

HeapStatus heap_reset(Heap* heap) {
  if (heap == nullptr) return HEAP_STATUS_INVALID_ARGUMENT;
  watched::reset(*from_c(heap));
  return HEAP_STATUS_OK;
}

const char* heap_status_message(HeapStatus status) { return slabheap::text_of(static_cast<slabheap::Status>(status)); }

const char* heap_version(void) { return SLABHEAP_VERSION; }
