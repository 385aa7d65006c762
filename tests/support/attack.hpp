// A heap under attack: a heap whose every byte can be compared, and the wrong calls that can be made on it.
//
// What a wrong call has to be answered follows from how it was arranged, not from anything that the heap says of itself.
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "slabheap/slabheap.h"
#include "support/memory.hpp"
#include "support/snapshot.hpp"

namespace slabheap::test {

/// What the blocks under attack lie in.
enum class Ground { callers_memory, mapped_memory, second_region };

/// A heap on one of these grounds, and all of its memory.
class Arena {
 public:
  static constexpr std::size_t bytes = std::size_t{4} << 20;  // of the region under attack

  Arena(Ground ground, HeapPreset preset, HeapPageLayer layer, HeapInvalidFree invalid_free = HEAP_INVALID_FREE_REPORT);
  ~Arena() { heap_destroy(heap_); }
  Arena(const Arena&) = delete;
  Arena& operator=(const Arena&) = delete;

  [[nodiscard]] ::Heap* heap() const { return heap_; }
  [[nodiscard]] const std::vector<Range>& memory() const { return memory_; }
  [[nodiscard]] const Range& attacked() const { return memory_.back(); }
  /// The parts of the memory that are pages, and those that are not.
  [[nodiscard]] std::vector<Range> pages() const;
  [[nodiscard]] std::vector<Range> metadata() const;
  [[nodiscard]] const std::string& name() const { return name_; }
  /// The runs of the region under attack, or of the one in another part of the memory.
  [[nodiscard]] std::vector<HeapRun> runs() const { return runs_in(attacked()); }
  [[nodiscard]] std::vector<HeapRun> runs_in(const Range& region) const;
  /// A block in the region under attack, or null. What the request gets elsewhere stays allocated.
  [[nodiscard]] void* place(std::size_t size, std::size_t align) const;

 private:
  std::string name_;
  std::vector<std::unique_ptr<Memory>> owned_;
  std::vector<Range> memory_;
  ::Heap* heap_ = nullptr;
};

/// The one word that a refused free changes, found by making one.
[[nodiscard]] std::uint64_t* find_rejection_counter(const Arena& arena);

/// What is attacked: blocks of a class, or large blocks of one order.
struct Subject {
  std::size_t size;  // a request of so many bytes, and of alignment 1, gets a block that holds exactly those
  bool is_large;
};

/// Every class, and every order of large block that the region under attack can hold.
[[nodiscard]] std::vector<Subject> subjects_of(const Arena& arena);

struct WrongCall {
  void* block;
  std::size_t size;
  std::size_t align;
  HeapStatus status;
  bool only_with_layout;  // without a size and an alignment the call would not be wrong
};

/// A way to be wrong: brings the heap into a state, which it may find in any, and says what to call then.
struct Attack {
  std::string name;
  std::function<std::vector<WrongCall>(const Arena& arena, const Arena& other, const Subject& subject)> arrange;
};

[[nodiscard]] const std::vector<Attack>& attacks();

/// Calls `body(arena, other)` for each preset, page layer and ground; `other` is a second heap of the same make.
template <typename Body>
void for_each_arena(HeapInvalidFree invalid_free, Body body) {
  for (const Ground ground : {Ground::callers_memory, Ground::mapped_memory, Ground::second_region}) {
    for (const HeapPreset preset : {HEAP_PRESET_CLASSIC, HEAP_PRESET_COMPACT}) {
      for (const HeapPageLayer layer : {HEAP_PAGE_LAYER_BUDDY, HEAP_PAGE_LAYER_BEST_FIT}) {
        const Arena arena{ground, preset, layer, invalid_free};
        const Arena other{ground, preset, layer, invalid_free};
        body(arena, other);
      }
    }
  }
}

}  // namespace slabheap::test
