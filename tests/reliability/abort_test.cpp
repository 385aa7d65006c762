// Wrong calls on heaps that are to abort: each ends the process, a child here, and says why.
#include <doctest/doctest.h>

#include <cstdio>
#include <iostream>

#include "support/attack.hpp"
#include "support/child.hpp"
#include "support/environment.hpp"
#include "support/figures.hpp"

using slabheap::test::Arena;
using slabheap::test::arrangement_count;
using slabheap::test::Attack;
using slabheap::test::attacks;
using slabheap::test::every_or;
using slabheap::test::for_each_arena;
using slabheap::test::makes;
using slabheap::test::Outcome;
using slabheap::test::outcome_of;
using slabheap::test::Stride;
using slabheap::test::Subject;
using slabheap::test::subjects_of;
using slabheap::test::WrongCall;

namespace {

std::string message_of(const Heap* heap, const WrongCall& call) {
  char line[256];
  const int digits = static_cast<int>(2 * sizeof(void*));
  (void)std::snprintf(line, sizeof line, "slabheap: invalid free of 0x%0*zx in heap 0x%0*zx: %s\n", digits,
                      reinterpret_cast<std::size_t>(call.block), digits, reinterpret_cast<std::size_t>(heap),
                      heap_status_message(call.status));
  return line;
}

void check_aborted(const Outcome& outcome, const Heap* heap, const WrongCall& call) {
  CHECK(WIFSIGNALED(outcome.status));
  CHECK(WTERMSIG(outcome.status) == SIGABRT);
  CHECK(outcome.text == message_of(heap, call));
}

/// The calls that free; how many are wrong.
std::size_t make(const Arena& arena, const WrongCall& call) {
  Heap* heap = arena.heap();
  check_aborted(outcome_of([&] { (void)heap_deallocate(heap, call.block, call.size, call.align); }), heap, call);
  check_aborted(outcome_of([&] { (void)heap_reallocate(heap, call.block, call.size, call.align, call.size); }), heap, call);
  if (call.only_with_layout) return 2;
  check_aborted(outcome_of([&] { (void)heap_free(heap, call.block); }), heap, call);
  return 3;
}

}  // namespace

TEST_CASE("on a heap that is to abort, every wrong call ends the process by SIGABRT and says which pointer and why") {
  Stride arrangements{every_or(37)};
  std::size_t cells = 0;
  std::size_t least_cells = 0;
  for_each_arena(HEAP_INVALID_FREE_ABORT, [&](const Arena& arena, const Arena& other) {
    CAPTURE(arena.make().name());
    for (const Subject& subject : subjects_of(arena)) {
      CAPTURE(subject.size);
      CAPTURE(subject.align);
      for (const Attack& attack : attacks()) {
        CAPTURE(attack.name);
        if (!arrangements.tries_next()) continue;
        for (const WrongCall& call : arrange(attack, arena, other, subject)) cells += make(arena, call);
        least_cells += 3 * attack.least_calls + 2 * attack.least_layouts;
      }
    }
  });
  CHECK(arrangements.passed() == arrangement_count());
  CHECK(cells >= least_cells);
  slabheap::test::add_figure("aborts", cells);
  std::cout << "wrong calls that abort: " << cells << " processes\n";
}

TEST_CASE("a heap that is to abort does so on nothing but an invalid free") {
  const Arena arena{makes()[0], HEAP_INVALID_FREE_ABORT};
  const Outcome outcome = outcome_of([&] {
    Heap* heap = arena.heap();
    int outside = 0;
    void* block = heap_allocate(heap, 100, 8);
    (void)heap_allocate(heap, arena.attacked().bytes, 8);
    (void)heap_allocate(heap, 100, 3);
    (void)heap_block_size(heap, &outside);
    (void)heap_free(heap, nullptr);
    (void)heap_free(heap, block);
  });
  CHECK(outcome.status == 0);
  CHECK(outcome.text.empty());
}
