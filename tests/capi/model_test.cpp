// Random operations on heaps of many shapes, every answer and every statistic compared with the reference model's.
#include "support/model.hpp"

#include <doctest/doctest.h>

#include <iostream>

#include "support/environment.hpp"
#include "support/figures.hpp"

using slabheap::test::environment_or;
using slabheap::test::Model;
using slabheap::test::Setup;
using slabheap::test::Shortage;

namespace {

constexpr std::size_t kib = 1024;

std::vector<Setup> setups() {
  const std::vector<std::size_t> odd = {9, 24, 100, 333, 1000, 3000, 5001, 20000};
  // Classes that serve all that routes to them, above such as do not.
  const std::vector<std::size_t> mixed = {20, 40, 64, 100, 128, 1000, 1024, 5001, 8192};
  std::vector<Setup> setups;
  for (const HeapPreset preset : {HEAP_PRESET_CLASSIC, HEAP_PRESET_COMPACT}) {
    const auto add = [&](const std::vector<std::size_t>& regions, std::size_t page_bytes = 0, std::size_t misalignment = 0,
                         HeapPageLayer pages = HEAP_PAGE_LAYER_PRESET, std::size_t set_blocks = 0,
                         const std::vector<std::size_t>& classes = {}) -> Setup& {
      return setups.emplace_back(Setup{preset, classes, set_blocks, page_bytes, pages, regions, misalignment});
    };
    add({1024 * kib});
    add({32 * kib}, 0, 40);
    add({256 * kib}, 512, 4095);
    add({512 * kib, 100 * kib, 300 * kib}, 0, 1234);
    add({128 * kib, 64 * kib, 64 * kib, 64 * kib, 64 * kib, 64 * kib}, 1024, 8);
    add({512 * kib}, 0, 0, HEAP_PAGE_LAYER_BUDDY);
    add({512 * kib}, 0, 0, HEAP_PAGE_LAYER_BEST_FIT);
    add({400 * kib, 200 * kib}, 2048, 1, HEAP_PAGE_LAYER_BEST_FIT, 7);
    add({400 * kib, 200 * kib}, 512, 1, HEAP_PAGE_LAYER_BUDDY, 1, odd);
    add({700 * kib}, 8192, 100, HEAP_PAGE_LAYER_BEST_FIT, 64, mixed);
    add({4096 * kib}, 65536);
    add({400 * kib, 100 * kib}, 0, 0, HEAP_PAGE_LAYER_BUDDY).freed_runs = HEAP_FREED_RUNS_MERGED;
    add({400 * kib, 100 * kib}, 0, 0, HEAP_PAGE_LAYER_BEST_FIT).freed_runs = HEAP_FREED_RUNS_MERGED;
    add({64 * kib, 64 * kib, 64 * kib, 200 * kib}).shortage = Shortage::adds_region;
    add({200 * kib}).shortage = Shortage::trims;
#ifdef SLABHEAP_OS
    add({1024 * kib, 300 * kib, 100 * kib}, 0, 0, HEAP_PAGE_LAYER_BUDDY).is_mapped = true;
    add({1024 * kib, 300 * kib, 100 * kib}, 0, 0, HEAP_PAGE_LAYER_BEST_FIT).is_mapped = true;
#endif
  }
  setups.push_back({HEAP_PRESET_COMPACT, {}, 0, 0, HEAP_PAGE_LAYER_PRESET, {8192 * kib}});  // which has the fine classes
  return setups;
}

}  // namespace

TEST_CASE("heaps of every shape do what the reference model does, and every invariant holds after every step") {
  const std::size_t seed = environment_or("SLABHEAP_SEED", 1);
  const std::size_t steps = environment_or("SLABHEAP_STEPS", 8000);
  const std::size_t stride = environment_or("SLABHEAP_STRIDE", 1);
  std::cout << "model: " << setups().size() << " heaps, " << steps << " operations each, SLABHEAP_SEED=" << seed << '\n';
  slabheap::test::set_figure("heaps", setups().size());
  slabheap::test::set_figure("seed", seed);
  slabheap::test::add_figure("operations", setups().size() * steps);
  for (const Setup& setup : setups()) {
    INFO(setup.name() << ", SLABHEAP_SEED=" << seed);
    std::mt19937_64 random{seed};
    Model model{setup};
    slabheap::test::drive(model, random, steps, stride);
    model.reset();
    model.check();
  }
}
