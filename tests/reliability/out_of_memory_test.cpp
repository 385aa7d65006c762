// Memory that runs out at the n-th growth of a heap, for every n of a script: once, and for ever.
//
// A heap has no state outside of its memory. So at any step of the script the rest of the heap can be handed out, the step be
// seen to fail, and all bytes be brought back.
#include <doctest/doctest.h>

#include <iostream>
#include <random>
#include <utility>

#include "slabheap/slabheap.h"
#include "support/environment.hpp"
#include "support/figures.hpp"
#include "support/free_memory.hpp"
#include "support/memory.hpp"
#include "support/picture.hpp"
#include "support/snapshot.hpp"

using slabheap::test::every_or;
using slabheap::test::Memory;
using slabheap::test::Range;
using slabheap::test::Snapshot;
using slabheap::test::Stride;
using slabheap::test::take_free_memory;

namespace {

constexpr std::size_t heap_bytes = 512 << 10;
constexpr std::size_t step_count = 400;

struct Step {
  enum class Kind { allocate, allocate_zeroed, reallocate, free } kind;
  std::size_t size;
  std::size_t align;
  std::size_t of;  // the step whose block this is about
};

/// Blocks grow in number to the middle of the script and then become fewer: there are growths all along.
std::vector<Step> make_script() {
  std::mt19937 random{7};
  std::vector<Step> script;
  for (std::size_t i = 0; i < step_count; ++i) {
    const std::size_t dice = random() % 100;
    const std::size_t allocations = i < step_count / 2 ? 75 : 45;
    const std::size_t size = std::size_t{1} << random() % (dice % 8 == 0 ? 15 : 12);
    const std::size_t align = std::size_t{1} << random() % 8;
    Step::Kind kind = dice % 5 == 0 ? Step::Kind::allocate_zeroed : Step::Kind::allocate;
    if (dice >= allocations) kind = dice % 3 == 0 ? Step::Kind::reallocate : Step::Kind::free;
    script.push_back({kind, size + random() % size, align, i == 0 ? 0 : random() % i});
  }
  return script;
}

/// A heap, and the blocks that the steps of a script have left.
class Run {
 public:
  explicit Run(const HeapOptions& options) : memory_{heap_bytes} {
    HeapOptions own = options;
    own.memory = memory_.start();
    own.bytes = memory_.bytes();
    own.context = this;
    own.out_of_memory = [](void* context, Heap* heap, size_t, size_t) { return static_cast<Run*>(context)->add_spare(heap); };
    REQUIRE(heap_new_with(&own, &heap_) == HEAP_STATUS_OK);
  }

  struct Block {
    unsigned char* start;
    std::size_t size;
    std::size_t align;
  };
  using Blocks = std::vector<Block>;

  [[nodiscard]] Heap* heap() const { return heap_; }
  [[nodiscard]] std::vector<Range> memory() const { return {{static_cast<unsigned char*>(memory_.start()), memory_.bytes()}}; }
  [[nodiscard]] std::ptrdiff_t offset_of(const unsigned char* block) const {
    return block - static_cast<unsigned char*>(memory_.start());
  }

  /// Does a step; false if it wanted memory and got none.
  bool take(const Step& step, Blocks& blocks) const {
    Block& result = blocks.emplace_back(Block{});
    Block& of = blocks[step.of];
    switch (step.kind) {
      case Step::Kind::allocate: result = {to_bytes(heap_allocate(heap_, step.size, step.align)), step.size, step.align}; break;
      case Step::Kind::allocate_zeroed:
        result = {to_bytes(heap_allocate_zeroed(heap_, step.size, step.align)), step.size, step.align};
        break;
      case Step::Kind::reallocate:
        if (of.start == nullptr) return true;
        result = {to_bytes(heap_reallocate(heap_, of.start, of.size, of.align, step.size)), step.size, of.align};
        if (result.start != nullptr) of.start = nullptr;
        break;
      case Step::Kind::free:
        CHECK(heap_deallocate(heap_, of.start, of.size, of.align) == HEAP_STATUS_OK);
        of.start = nullptr;
        return true;
    }
    return result.start != nullptr;
  }

  /// What the callback adds when memory runs out the next time.
  void offer(const Memory* spare) { spare_ = spare; }

 private:
  static unsigned char* to_bytes(void* block) { return static_cast<unsigned char*>(block); }
  bool add_spare(Heap* heap) {
    const Memory* spare = std::exchange(spare_, nullptr);
    return spare != nullptr && heap_add_memory(heap, spare->start(), spare->bytes()) == HEAP_STATUS_OK;
  }

  Memory memory_;
  const Memory* spare_ = nullptr;
  Heap* heap_ = nullptr;
};

std::vector<HeapOptions> all_options() {
  std::vector<HeapOptions> all;
  for (const HeapPreset preset : {HEAP_PRESET_CLASSIC, HEAP_PRESET_COMPACT}) {
    for (const HeapPageLayer pages : {HEAP_PAGE_LAYER_BUDDY, HEAP_PAGE_LAYER_BEST_FIT}) {
      HeapOptions options = heap_options_default();
      options.preset = preset;
      options.pages = pages;
      all.push_back(options);
    }
  }
  return all;
}

/// The word that counts failed requests.
std::uint64_t* find_failure_counter(const Run& run) {
  const Snapshot before{run.memory()};
  REQUIRE(heap_allocate(run.heap(), 2 * heap_bytes, 8) == nullptr);
  return before.grown_word();
}

/// Does a step that has no memory a second time. By the first time the heap has given up what it kept back, which moves pages
/// from slabs to the page layer; what its user sees is as before, and from then on all of its bytes.
void fail_again(const Run& run, const Step& step, Run::Blocks& blocks, const HeapStats& before, std::uint64_t* counter) {
  const HeapStats after = heap_stats(run.heap());
  CHECK(after.total_bytes == before.total_bytes);
  CHECK(after.used_bytes == before.used_bytes);
  CHECK(after.live_blocks == before.live_blocks);
  CHECK(after.failed_allocations == before.failed_allocations + 1);
  Snapshot failed{run.memory()};
  blocks.pop_back();
  CHECK_FALSE(run.take(step, blocks));
  CHECK(failed.differs_by(counter, 1));
}

/// The rest of the script without any memory left, and the end: all that was taken comes back.
void go_on_without_memory(const Run& run, const std::vector<Step>& script, Run::Blocks blocks, const std::vector<void*>& taken,
                          std::uint64_t* counter) {
  for (std::size_t i = blocks.size(); i < script.size(); ++i) {
    const HeapStats before = heap_stats(run.heap());
    if (!run.take(script[i], blocks)) fail_again(run, script[i], blocks, before, counter);
  }
  CHECK(heap_check(run.heap()) == HEAP_STATUS_OK);
  for (const Run::Block& block : blocks) CHECK(heap_free(run.heap(), block.start) == HEAP_STATUS_OK);
  for (void* block : taken) CHECK(heap_free(run.heap(), block) == HEAP_STATUS_OK);
  CHECK(heap_stats(run.heap()).used_bytes == 0);
  CHECK(heap_check(run.heap()) == HEAP_STATUS_OK);
}

/// Steps that fail for want of memory, each tried once with a callback that helps, and for ever without; for some of them the
/// script goes on without memory.
void fail_at_every_growth(const HeapOptions& options, Stride& growths) {
  const std::vector<Step> script = make_script();
  const Memory spare{heap_bytes};
  Run run{options};
  const Run undisturbed{options};
  std::uint64_t* const counter = find_failure_counter(run);
  (void)find_failure_counter(undisturbed);
  Run::Blocks blocks;
  Run::Blocks expected;
  for (const Step& step : script) {
    const Snapshot start{run.memory()};
    const std::vector<void*> taken = take_free_memory(run.heap());
    Snapshot drained{run.memory()};
    Run::Blocks trial = blocks;
    if (!run.take(step, trial)) {
      CHECK(drained.differs_by(counter, 1));  // for ever: the same again
      trial = blocks;
      CHECK_FALSE(run.take(step, trial));
      CHECK(drained.differs_by(counter, 1));
      trial = blocks;
      run.offer(&spare);  // once: the second try has memory
      CHECK(run.take(step, trial));
      CHECK(heap_check(run.heap()) == HEAP_STATUS_OK);
      drained.restore();
      if (growths.tries_next()) go_on_without_memory(run, script, blocks, taken, counter);
    }
    start.restore();
    CHECK(run.take(step, blocks) == undisturbed.take(step, expected));
    const bool is_block = blocks.back().start != nullptr;
    CHECK(is_block == (expected.back().start != nullptr));
    if (is_block) CHECK(run.offset_of(blocks.back().start) == undisturbed.offset_of(expected.back().start));
    CHECK(heap_check(run.heap()) == HEAP_STATUS_OK);
  }
  CHECK(slabheap::test::picture(run.heap()) == slabheap::test::picture(undisturbed.heap()));
}

}  // namespace

TEST_CASE("memory that runs out at any growth, once or for ever, changes nothing but the counter of failures") {
  Stride growths{every_or(8)};
  for (const HeapOptions& options : all_options()) fail_at_every_growth(options, growths);
  CHECK(growths.passed() > step_count / 4);  // of four scripts: most steps find a free block in a set
  slabheap::test::add_figure("growths", growths.passed());
  std::cout << "out of memory: " << growths.passed() << " growths, " << growths.tried() << " scripts gone on with\n";
}
