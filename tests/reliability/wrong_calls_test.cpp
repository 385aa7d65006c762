// The matrix of wrong calls: every way to be wrong, on blocks of every class and order, by every call that takes a block.
#include <doctest/doctest.h>

#include <iostream>

#include "support/attack.hpp"
#include "support/environment.hpp"
#include "support/figures.hpp"

using slabheap::test::Arena;
using slabheap::test::Attack;
using slabheap::test::attacks;
using slabheap::test::every_or;
using slabheap::test::find_rejection_counter;
using slabheap::test::for_each_arena;
using slabheap::test::Range;
using slabheap::test::Snapshot;
using slabheap::test::Subject;
using slabheap::test::subjects_of;
using slabheap::test::WrongCall;

namespace {

/// One call each; whether it was answered as it has to be.
bool deallocate_is_refused(Heap* heap, const WrongCall& call) {
  return heap_deallocate(heap, call.block, call.size, call.align) == call.status;
}

bool free_is_refused(Heap* heap, const WrongCall& call) { return heap_free(heap, call.block) == call.status; }

bool reallocate_is_refused(Heap* heap, const WrongCall& call) {
  return heap_reallocate(heap, call.block, call.size, call.align, call.size) == nullptr &&
         heap_reallocate(heap, call.block, call.size, call.align, 2 * call.size + 1) == nullptr &&
         heap_reallocate(heap, call.block, call.size, call.align, 0) == nullptr;
}

bool block_size_is_zero(Heap* heap, const WrongCall& call) { return heap_block_size(heap, call.block) == 0; }

struct Entry {
  const char* name;
  bool takes_layout;
  std::uint64_t rejections;  // that it counts
  bool (*is_refused)(Heap* heap, const WrongCall& call);
};

constexpr Entry entries[] = {
    {"heap_deallocate", true, 1, deallocate_is_refused},
    {"heap_free", false, 1, free_is_refused},
    {"heap_reallocate", true, 3, reallocate_is_refused},
    {"heap_block_size", false, 0, block_size_is_zero},
};

/// Makes one wrong call by every entry point that it is wrong for; how many those are.
std::size_t make(const Arena& arena, const WrongCall& call, Snapshot& metadata, std::uint64_t* counter) {
  std::size_t cells = 0;
  for (const Entry& entry : entries) {
    if (call.only_with_layout && !entry.takes_layout) continue;
    CAPTURE(std::string{entry.name});
    CAPTURE(call.block);
    CAPTURE(call.size);
    CAPTURE(call.align);
    CHECK(entry.is_refused(arena.heap(), call));
    CHECK(metadata.differs_by(counter, entry.rejections));  // (I6)
    ++cells;
  }
  return cells;
}

/// `pages` are as they were before the first attack: nobody writes to them.
std::size_t attack(const Arena& arena, const Arena& other, const Attack& attack, const Subject& subject, const Snapshot& pages,
                   std::uint64_t* counter) {
  CAPTURE(attack.name);
  CAPTURE(subject.size);
  CAPTURE(subject.align);
  const std::vector<WrongCall> calls = attack.arrange(arena, other, subject);
  REQUIRE_FALSE(calls.empty());
  Snapshot metadata{arena.metadata()};
  std::size_t cells = 0;
  for (const WrongCall& call : calls) cells += make(arena, call, metadata, counter);
  CHECK(pages.differences().empty());
  CHECK(heap_check(arena.heap()) == HEAP_STATUS_OK);
  return cells;
}

}  // namespace

TEST_CASE("every wrong call gets its status, is counted once, and changes no other byte of the heap") {
  const std::size_t every = every_or(1);
  std::size_t cells = 0;
  std::size_t arrangements = 0;
  for_each_arena(HEAP_INVALID_FREE_REPORT, [&](const Arena& arena, const Arena& other) {
    CAPTURE(arena.make().name());
    std::uint64_t* const counter = find_rejection_counter(arena);
    const Snapshot pages{arena.pages()};
    const std::vector<Subject> subjects = subjects_of(arena);
    for (std::size_t i = 0; i < subjects.size(); i += every) {
      for (const Attack& one : attacks()) {
        cells += attack(arena, other, one, subjects[i], pages, counter);
        ++arrangements;
      }
    }
  });
  slabheap::test::add_figure("wrong_calls", cells);
  slabheap::test::add_figure("arrangements", arrangements);
  std::cout << "wrong calls: " << cells << " cells of " << arrangements << " arrangements\n";
}

TEST_CASE("the comparison of all bytes sees one changed bit anywhere") {
  const Arena arena{{slabheap::test::Ground::second_region, HEAP_PRESET_CLASSIC, HEAP_PAGE_LAYER_BUDDY, 96 << 10, 4 << 20}};
  std::uint64_t* const counter = find_rejection_counter(arena);
  Snapshot metadata{arena.metadata()};
  const Snapshot pages{arena.pages()};
  for (const Range& range : arena.memory()) {
    for (std::size_t at = 0; at < range.bytes; at += range.bytes / 97) {
      range.start[at] = static_cast<unsigned char>(range.start[at] ^ 1);
      CHECK(metadata.differs_by(counter, 0) != pages.differences().empty());  // one of them has the byte
      range.start[at] = static_cast<unsigned char>(range.start[at] ^ 1);
    }
  }
  CHECK(metadata.differs_by(counter, 0));
  CHECK_FALSE(metadata.differs_by(counter, 1));
  CHECK(pages.differences().empty());
}
