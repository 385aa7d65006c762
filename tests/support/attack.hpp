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

/// What an arena is made of.
struct Make {
  Ground ground;
  HeapPreset preset;
  HeapPageLayer layer;
  std::size_t heap_bytes;      // of the first region: with 8 MiB the compact preset has its fine classes
  std::size_t attacked_bytes;  // of the region under attack, which is the first or the second
  bool large_only = false;     // whether no class is attacked

  [[nodiscard]] std::string name() const;
};

/// Every preset, page layer and ground, the compact preset also with its fine classes; and wide ones for longer large blocks.
[[nodiscard]] std::vector<Make> makes();

/// A heap of such a make, and all of its memory.
class Arena {
 public:
  explicit Arena(const Make& make, HeapInvalidFree invalid_free = HEAP_INVALID_FREE_REPORT);
  ~Arena() { heap_destroy(heap_); }
  Arena(const Arena&) = delete;
  Arena& operator=(const Arena&) = delete;

  [[nodiscard]] ::Heap* heap() const { return heap_; }
  [[nodiscard]] const std::vector<Range>& memory() const { return memory_; }
  [[nodiscard]] const Range& attacked() const { return memory_.back(); }
  /// The parts of the memory that are pages, and those that are not.
  [[nodiscard]] std::vector<Range> pages() const;
  [[nodiscard]] std::vector<Range> metadata() const;
  [[nodiscard]] const Make& make() const { return make_; }
  /// The runs of the region under attack, or of the one in another part of the memory.
  [[nodiscard]] std::vector<HeapRun> runs() const { return runs_in(attacked()); }
  [[nodiscard]] std::vector<HeapRun> runs_in(const Range& region) const;
  /// Frees every block, and takes up what memory there is elsewhere than in the region under attack.
  void clear() const;
  /// A block in the region under attack, or null.
  [[nodiscard]] void* place(std::size_t size, std::size_t align) const;

 private:
  Make make_;
  std::vector<std::unique_ptr<Memory>> owned_;
  std::vector<Range> memory_;
  ::Heap* heap_ = nullptr;
};

/// The one word that a refused free changes, found by making one.
[[nodiscard]] std::uint64_t* find_rejection_counter(const Arena& arena);

/// What is attacked: blocks of a class, or large blocks of one order.
struct Subject {
  std::size_t size;  // a request of so many bytes, and of this alignment, gets a block that holds exactly those
  std::size_t align;
  bool is_large;
};

/// Every class, and every order of large block that the region under attack can hold.
[[nodiscard]] std::vector<Subject> subjects_of(const Arena& arena);
/// How many those have to be.
[[nodiscard]] std::size_t subject_count(const Make& make);

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
  // The least number of calls that are wrong with and without a layout, and of those that are wrong with one only.
  std::size_t least_calls;
  std::size_t least_layouts;
  std::function<std::vector<WrongCall>(const Arena& arena, const Arena& other, const Subject& subject)> arrange;
};

[[nodiscard]] const std::vector<Attack>& attacks();
/// The calls of an attack, as many as there have to be.
[[nodiscard]] std::vector<WrongCall> arrange(const Attack& attack, const Arena& arena, const Arena& other,
                                             const Subject& subject);
/// How many arrangements there have to be: of each attack, on each subject of each make.
[[nodiscard]] std::size_t arrangement_count();

/// Calls `body(arena, other)` for each make; `other` is a second heap of the same.
template <typename Body>
void for_each_arena(HeapInvalidFree invalid_free, Body body) {
  for (const Make& make : makes()) {
    const Arena arena{make, invalid_free};
    const Arena other{make, invalid_free};
    body(arena, other);
  }
}

}  // namespace slabheap::test
