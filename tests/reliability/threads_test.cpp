// What threads may do: use heaps of their own, hand one on, and read a heap that nobody changes.
#include <doctest/doctest.h>

#include <iostream>
#include <mutex>
#include <thread>

#include "support/environment.hpp"
#include "support/model.hpp"

using slabheap::test::environment_or;
using slabheap::test::Model;
using slabheap::test::Setup;

namespace {

constexpr std::size_t thread_count = 4;

template <typename Work>
void in_threads(Work work) {
  std::vector<std::thread> threads;
  for (std::size_t i = 0; i < thread_count; ++i) threads.emplace_back(work, i);
  for (std::thread& thread : threads) thread.join();
}

std::size_t count_blocks(const Heap* heap) {
  std::size_t count = 0;
  const auto visit = [](void* context, void*, std::size_t) { return ++*static_cast<std::size_t*>(context) != 0; };
  CHECK(heap_visit(heap, visit, &count) == HEAP_STATUS_OK);
  return count;
}

}  // namespace

TEST_CASE("threads that have a heap each do not meet") {
  const std::size_t seed = environment_or("SLABHEAP_SEED", 1);
  const std::size_t steps = environment_or("SLABHEAP_THREAD_STEPS", 20000);
  std::cout << "threads: " << steps << " operations each, SLABHEAP_SEED=" << seed << '\n';
  in_threads([=](std::size_t thread) {
    std::mt19937_64 random{seed + thread};
    Setup setup;
    setup.pages = thread % 2 == 0 ? HEAP_PAGE_LAYER_BUDDY : HEAP_PAGE_LAYER_BEST_FIT;
    Model model{setup};
    slabheap::test::drive(model, random, steps, 64);
  });
}

TEST_CASE("a heap that is handed on under a lock is used by every thread") {
  Model model{Setup{}};
  std::mutex lock;
  in_threads([&](std::size_t thread) {
    std::mt19937_64 random{thread};
    for (int i = 0; i < 200; ++i) {
      const std::scoped_lock guard{lock};
      slabheap::test::drive(model, random, 10, 10);
    }
  });
  model.check();
}

TEST_CASE("a heap that nobody changes is read by many threads at a time") {
  Model model{Setup{}};
  std::mt19937_64 random{3};
  slabheap::test::drive(model, random, 3000, 3000);
  const Heap* heap = model.heap();
  const HeapStats stats = heap_stats(heap);
  in_threads([&](std::size_t) {
    for (int i = 0; i < 50; ++i) {
      CHECK(heap_check(heap) == HEAP_STATUS_OK);
      CHECK(heap_stats(heap).used_bytes == stats.used_bytes);
      CHECK(count_blocks(heap) == stats.live_blocks);
      for (const auto& [address, block] : model.blocks()) {
        CHECK(heap_block_size(heap, reinterpret_cast<const void*>(address)) == block.held);
      }
      CHECK(heap_usable_size(heap, 100, 8).max == model.expected_block(100, 8).held);
    }
  });
}
