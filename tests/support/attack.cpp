#include "support/attack.hpp"

#include <doctest/doctest.h>

#include <algorithm>
#include <bit>
#include <random>
#include <set>

namespace slabheap::test {
namespace {

using Calls = std::vector<WrongCall>;

unsigned char* bytes_of(void* block) { return static_cast<unsigned char*>(block); }

std::size_t class_bytes(const Arena& arena, std::size_t index) {
  HeapClassStats stats;
  REQUIRE(heap_class_stats(arena.heap(), index, &stats) == HEAP_STATUS_OK);
  return stats.block_size;
}

/// What a block of one page holds: no class honours more than a page.
std::size_t page_bytes(const Arena& arena) { return heap_usable_size(arena.heap(), 1, 2 * HEAP_MAX_PAGE_BYTES).max; }

void* place(const Arena& arena, const Subject& subject) { return arena.place(subject.size, subject.align); }

void deallocate(const Arena& arena, const Subject& subject, void* block) {
  REQUIRE(heap_deallocate(arena.heap(), block, subject.size, subject.align) == HEAP_STATUS_OK);
}

/// Three blocks side by side where there is room for them, and which of them is attacked: the one in the middle.
void* place_among_others(const Arena& arena, const Subject& subject) {
  arena.clear();
  void* first = place(arena, subject);
  REQUIRE(first != nullptr);
  void* second = place(arena, subject);
  (void)place(arena, subject);
  return second != nullptr ? second : first;
}

void* place_and_free(const Arena& arena, const Subject& subject) {
  void* block = place_among_others(arena, subject);
  deallocate(arena, subject, block);
  return block;
}

/// The same pointer wrong in the same way, whatever the call.
WrongCall call_at(const Subject& subject, void* block, HeapStatus status) {
  return {block, subject.size, subject.align, status, false};
}

/// Wrong only because of the layout.
WrongCall call_with(void* block, std::size_t size, std::size_t align, HeapStatus status = HEAP_STATUS_WRONG_LAYOUT) {
  return {block, size, align, status, true};
}

Calls free_twice(const Arena& arena, const Arena& /*other*/, const Subject& subject) {
  return {call_at(subject, place_and_free(arena, subject), HEAP_STATUS_NOT_ALLOCATED)};
}

Calls free_twice_with_much_between(const Arena& arena, const Arena& /*other*/, const Subject& subject) {
  void* block = place_and_free(arena, subject);
  std::mt19937 random{1};
  std::vector<void*> passing;
  for (int i = 0; i < 300; ++i) {
    const std::size_t size = std::size_t{1} << random() % 15;
    if (size == subject.size) continue;
    if (void* got = heap_allocate(arena.heap(), size, 1)) passing.push_back(got);
  }
  for (void* got : passing) REQUIRE(heap_free(arena.heap(), got) == HEAP_STATUS_OK);
  return {call_at(subject, block, HEAP_STATUS_NOT_ALLOCATED)};
}

Calls free_inside(const Arena& arena, const Arena& /*other*/, const Subject& subject) {
  unsigned char* block = bytes_of(place_among_others(arena, subject));
  Calls calls;
  for (const std::size_t offset : {subject.size / 4, subject.size / 2, subject.size / 4 * 3}) {
    calls.push_back(call_at(subject, block + offset, HEAP_STATUS_MISALIGNED));
  }
  return calls;
}

Calls free_misaligned(const Arena& arena, const Arena& /*other*/, const Subject& subject) {
  unsigned char* block = bytes_of(place_among_others(arena, subject));
  return {call_at(subject, block + 1, HEAP_STATUS_MISALIGNED),
          call_at(subject, block + subject.size - 1, HEAP_STATUS_MISALIGNED)};
}

Calls free_what_is_foreign(const Arena& arena, const Arena& /*other*/, const Subject& subject) {
  (void)place_among_others(arena, subject);
  static int of_the_program = 0;
  static const std::unique_ptr<int> of_libc = std::make_unique<int>(0);
  int of_the_stack = 0;
  unsigned char* start = arena.attacked().start;
  Calls calls;
  for (void* block : {static_cast<void*>(&of_the_stack), static_cast<void*>(&of_the_program), static_cast<void*>(of_libc.get()),
                      reinterpret_cast<void*>(&free_what_is_foreign), static_cast<void*>(start - 1),
                      static_cast<void*>(start + arena.attacked().bytes), reinterpret_cast<void*>(std::uintptr_t{8}),
                      reinterpret_cast<void*>(~std::uintptr_t{0})}) {
    calls.push_back(call_at(subject, block, HEAP_STATUS_NOT_OWNED));
  }
  return calls;
}

Calls free_what_another_heap_has(const Arena& arena, const Arena& other, const Subject& subject) {
  (void)place_among_others(arena, subject);
  return {call_at(subject, place_among_others(other, subject), HEAP_STATUS_NOT_OWNED)};
}

Calls free_metadata(const Arena& arena, const Arena& /*other*/, const Subject& subject) {
  (void)place_among_others(arena, subject);
  const std::vector<HeapRun> runs = arena.runs();
  unsigned char* pages = bytes_of(runs.front().start);
  unsigned char* pages_end = bytes_of(runs.back().start) + runs.back().bytes;
  const Range& region = arena.attacked();
  Calls calls = {call_at(subject, arena.heap(), HEAP_STATUS_NOT_ALLOCATED)};
  for (unsigned char* at : {region.start, pages - 1, pages_end, region.start + region.bytes - 1}) {
    if (region.holds(at) && (at < pages || at >= pages_end)) calls.push_back(call_at(subject, at, HEAP_STATUS_NOT_ALLOCATED));
  }
  return calls;
}

Calls free_free_memory(const Arena& arena, const Arena& /*other*/, const Subject& subject) {
  (void)place_among_others(arena, subject);
  Calls calls;
  for (const HeapRun& run : arena.runs()) {
    if (run.kind != HEAP_RUN_KIND_FREE) continue;
    for (const std::size_t offset : {std::size_t{0}, run.bytes / 2, run.bytes - 1}) {
      calls.push_back(call_at(subject, bytes_of(run.start) + offset, HEAP_STATUS_NOT_ALLOCATED));
    }
  }
  return calls;
}

/// A block whose set or run went back to the page layer, and the block of another kind that lies there now.
struct Reassigned {
  unsigned char* stale;
  void* covering;
};

/// Takes and frees blocks of the subject, then takes others of `size` until one lies over one of those.
Reassigned reassign(const Arena& arena, const Subject& subject, std::size_t size) {
  arena.clear();
  std::set<unsigned char*> stale;
  while (subject.size * stale.size() < 65536) {
    auto* block = bytes_of(place(arena, subject));
    if (block == nullptr) break;
    stale.insert(block);
  }
  for (void* block : stale) deallocate(arena, subject, block);
  (void)heap_trim(arena.heap());  // a set is kept back, and runs too
  for (const HeapRun& run : arena.runs()) REQUIRE(run.kind == HEAP_RUN_KIND_FREE);
  while (auto* block = bytes_of(arena.place(size, 1))) {
    const auto inside = stale.upper_bound(block);
    if (inside != stale.end() && *inside < block + size) return {*inside, block};
    if (stale.contains(block)) return {block, block};
  }
  FAIL("no block lies where one was");
  return {};
}

/// The size of another class, of which sets leave no page in part.
std::size_t other_class(const Subject& subject) {
  return std::size_t{64} << (static_cast<unsigned>(std::bit_width(subject.size)) + 2) % 7;
}

/// That of a large block of another length.
std::size_t other_length(const Subject& subject) { return subject.size == 8192 ? 16384 : 8192; }

template <std::size_t (*other)(const Subject& subject)>
Calls free_what_was_reassigned(const Arena& arena, const Arena& /*other*/, const Subject& subject) {
  const Reassigned reassigned = reassign(arena, subject, other(subject));
  unsigned char* inside = bytes_of(reassigned.covering) + 1;
  if (reassigned.stale != reassigned.covering) inside = reassigned.stale;
  return {call_with(reassigned.covering, subject.size, subject.align), call_at(subject, inside, HEAP_STATUS_MISALIGNED)};
}

template <std::size_t (*other)(const Subject& subject)>
Calls free_what_was_reassigned_and_freed(const Arena& arena, const Arena& /*other*/, const Subject& subject) {
  const Reassigned reassigned = reassign(arena, subject, other(subject));
  REQUIRE(heap_free(arena.heap(), reassigned.covering) == HEAP_STATUS_OK);
  return {call_at(subject, reassigned.stale, HEAP_STATUS_NOT_ALLOCATED)};
}

Calls free_what_was_never_handed_out(const Arena& arena, const Arena& /*other*/, const Subject& subject) {
  arena.clear();
  (void)place(arena, subject);
  Calls calls;
  for (const HeapRun& run : arena.runs()) {
    // The last block of a set, or what would be one in a free run.
    const bool is_set = run.kind == HEAP_RUN_KIND_SET;
    if (is_set && (run.used >> (run.total_blocks - 1) & 1) != 0) continue;
    if (run.kind == HEAP_RUN_KIND_LARGE) continue;
    const std::size_t from_end = run.bytes < subject.size ? run.bytes : subject.size;
    const std::size_t offset = is_set ? (run.total_blocks - 1) * run.block_size : run.bytes - from_end;
    calls.push_back(call_at(subject, bytes_of(run.start) + offset, HEAP_STATUS_NOT_ALLOCATED));
  }
  return calls;
}

Calls free_with_the_wrong_size(const Arena& arena, const Arena& /*other*/, const Subject& subject) {
  void* block = place_among_others(arena, subject);
  const std::size_t most = ~std::size_t{0};
  Calls calls;
  for (const std::size_t size : {std::size_t{0}, std::size_t{1}, subject.size / 2, subject.size + 1, 2 * subject.size, most / 2,
                                 most / 2 + 1, most - 1, most}) {
    const std::size_t held = heap_usable_size(arena.heap(), size, subject.align).max;
    if (held != subject.size) calls.push_back(call_with(block, size, subject.align));
  }
  return calls;
}

Calls free_with_the_wrong_alignment(const Arena& arena, const Arena& /*other*/, const Subject& subject) {
  void* block = place_among_others(arena, subject);
  // No class honours more than its size is even; a large block lies where it lies.
  const std::size_t known = subject.is_large ? reinterpret_cast<std::uintptr_t>(block) : subject.size;
  Calls calls;
  for (std::size_t align = (known & (~known + 1)) << 1; align != 0; align <<= 1) {
    calls.push_back(call_with(block, subject.size, align));
  }
  // A block that is large for its alignment alone would be one of a class.
  for (std::size_t align = subject.align >> 1; align != 0; align >>= 1) calls.push_back(call_with(block, subject.size, align));
  for (const std::size_t align : {std::size_t{0}, std::size_t{3}, subject.size + 1, ~std::size_t{0}}) {
    calls.push_back(call_with(block, subject.size, align, HEAP_STATUS_INVALID_ARGUMENT));
  }
  return calls;
}

Calls free_after_a_reset(const Arena& arena, const Arena& /*other*/, const Subject& subject) {
  void* block = place_among_others(arena, subject);
  REQUIRE(heap_reset(arena.heap()) == HEAP_STATUS_OK);
  return {call_at(subject, block, HEAP_STATUS_NOT_ALLOCATED)};
}

}  // namespace

std::vector<Subject> subjects_of(const Arena& arena) {
  std::vector<Subject> subjects;
  const std::size_t classes = arena.make().large_only ? 0 : heap_class_count(arena.heap());
  for (std::size_t i = 0; i < classes; ++i) subjects.push_back({class_bytes(arena, i), 1, false});
  const std::size_t largest_class = class_bytes(arena, heap_class_count(arena.heap()) - 1);
  const std::size_t page = page_bytes(arena);
  for (Subject subject{page, 1, true};; subject.size *= 2) {
    subject.align = subject.size > largest_class ? 1 : 2 * page;
    arena.clear();
    if (place(arena, subject) == nullptr) return subjects;
    subjects.push_back(subject);
  }
}

std::size_t subject_count(const Make& make) {
  const bool is_compact = make.preset == HEAP_PRESET_COMPACT;
  const std::size_t page = is_compact ? 1024 : 4096;
  const std::size_t compact_classes = make.heap_bytes < std::size_t{8} << 20 ? 27 : 58;
  const std::size_t classes = is_compact ? compact_classes : 7;
  // There is metadata in one half of the region: the longest block takes the other.
  const auto orders = static_cast<std::size_t>(std::bit_width(make.attacked_bytes / 2 / page));
  return (make.large_only ? 0 : classes) + orders;
}

const std::vector<Attack>& attacks() {
  static const std::vector<Attack> all = {
      {"double free", 1, 0, free_twice},
      {"double free after many other operations", 1, 0, free_twice_with_much_between},
      {"pointer into a block", 3, 0, free_inside},
      {"misaligned pointer", 2, 0, free_misaligned},
      {"foreign pointer", 8, 0, free_what_is_foreign},
      {"another heap's block", 1, 0, free_what_another_heap_has},
      {"pointer into metadata", 3, 0, free_metadata},
      {"pointer into free memory", 3, 0, free_free_memory},
      {"block of a set reassigned to a class", 1, 1, free_what_was_reassigned<other_class>},
      {"block of a set reassigned to a class, freed there too", 1, 0, free_what_was_reassigned_and_freed<other_class>},
      {"block of a set reassigned to a large block", 1, 1, free_what_was_reassigned<other_length>},
      {"block of a set reassigned to a large block, freed there too", 1, 0, free_what_was_reassigned_and_freed<other_length>},
      {"block never handed out", 1, 0, free_what_was_never_handed_out},
      {"wrong size", 0, 6, free_with_the_wrong_size},
      {"wrong alignment", 0, 4, free_with_the_wrong_alignment},
      {"block from before a reset", 1, 0, free_after_a_reset},
  };
  return all;
}

std::vector<WrongCall> arrange(const Attack& attack, const Arena& arena, const Arena& other, const Subject& subject) {
  std::vector<WrongCall> calls = attack.arrange(arena, other, subject);
  const auto is_layout = [](const WrongCall& call) { return call.only_with_layout; };
  const auto layouts = static_cast<std::size_t>(std::count_if(calls.begin(), calls.end(), is_layout));
  REQUIRE(layouts >= attack.least_layouts);
  REQUIRE(calls.size() - layouts >= attack.least_calls);
  return calls;
}

std::size_t arrangement_count() {
  std::size_t count = 0;
  for (const Make& make : makes()) count += subject_count(make) * attacks().size();
  return count;
}

}  // namespace slabheap::test
