// The matrix of wrong calls: every way to be wrong, on blocks of every class and order, by every call that takes a block.
#include <doctest/doctest.h>

#include <iostream>

#include "support/attack.hpp"
#include "support/environment.hpp"
#include "support/figures.hpp"

using slabheap::test::Arena;
using slabheap::test::arrangement_count;
using slabheap::test::Attack;
using slabheap::test::attacks;
using slabheap::test::every_or;
using slabheap::test::find_rejection_counter;
using slabheap::test::for_each_arena;
using slabheap::test::Range;
using slabheap::test::Snapshot;
using slabheap::test::Stride;
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

/// What takes a block. A wrong layout is for those alone that take one, and a question after a size counts as no rejection.
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

/// Of so many calls, and of others that are wrong with a layout only: four functions take a block, two of them a layout.
constexpr std::size_t cells_of(std::size_t calls, std::size_t layouts) { return 4 * calls + 2 * layouts; }

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

/// How many wrong calls there are by one arrangement of an attack.
std::size_t attack(const Arena& arena, const Arena& other, const Attack& attack, const Subject& subject, std::uint64_t* counter) {
  CAPTURE(attack.name);
  const std::vector<WrongCall> calls = arrange(attack, arena, other, subject);
  Snapshot metadata{arena.metadata()};
  std::size_t cells = 0;
  std::size_t layouts = 0;
  for (const WrongCall& call : calls) {
    cells += make(arena, call, metadata, counter);
    if (call.only_with_layout) ++layouts;
  }
  CHECK(cells == cells_of(calls.size() - layouts, layouts));
  CHECK(heap_check(arena.heap()) == HEAP_STATUS_OK);
  return cells;
}

}  // namespace

TEST_CASE("every wrong call gets its status, is counted once, and changes no other byte of the heap") {
  CHECK(attacks().size() == 16);
  Stride arrangements{every_or(1)};
  std::size_t cells = 0;
  std::size_t least_cells = 0;
  std::size_t classes = 0;
  std::size_t large_blocks = 0;
  for_each_arena(HEAP_INVALID_FREE_REPORT, [&](const Arena& arena, const Arena& other) {
    CAPTURE(arena.make().name());
    std::uint64_t* const counter = find_rejection_counter(arena);
    const Snapshot pages{arena.pages()};
    for (const Subject& subject : subjects_of(arena)) {
      CAPTURE(subject.size);
      CAPTURE(subject.align);
      const std::size_t before = arrangements.tried();
      for (const Attack& one : attacks()) {
        if (!arrangements.tries_next()) continue;
        cells += attack(arena, other, one, subject, counter);
        least_cells += cells_of(one.least_calls, one.least_layouts);
      }
      if (arrangements.tried() == before) continue;
      CHECK(pages.differences().empty());  // nobody writes to them
      ++(subject.is_large ? large_blocks : classes);
    }
  });
  CHECK(arrangements.passed() == arrangement_count());
  CHECK(cells >= least_cells);
  CHECK(classes > 0);
  CHECK(large_blocks > 0);
  slabheap::test::add_figure("wrong_calls", cells);
  slabheap::test::add_figure("arrangements", arrangements.tried());
  std::cout << "wrong calls: " << cells << " cells of " << arrangements.tried() << " arrangements\n";
}

TEST_CASE("the comparison of all bytes sees one changed bit anywhere") {
  const Arena arena{{slabheap::test::Ground::second_region, HEAP_PRESET_CLASSIC, HEAP_PAGE_LAYER_BUDDY, 8 << 10, 12 << 10}};
  std::uint64_t* const counter = find_rejection_counter(arena);
  Snapshot metadata{arena.metadata()};
  const Snapshot pages{arena.pages()};
  Stride bits{every_or(1)};
  for (const Range& range : arena.memory()) {
    for (std::size_t bit = 0; bit < 8 * range.bytes; ++bit) {
      if (!bits.tries_next()) continue;
      unsigned char& byte = range.start[bit / 8];
      byte = static_cast<unsigned char>(byte ^ 1U << bit % 8);
      CHECK(metadata.differs_by(counter, 0) != pages.differences().empty());  // one of them has the byte
      byte = static_cast<unsigned char>(byte ^ 1U << bit % 8);
    }
  }
  CHECK(metadata.differs_by(counter, 0));
  CHECK_FALSE(metadata.differs_by(counter, 1));
  CHECK(pages.differences().empty());
}
