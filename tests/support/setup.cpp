#include "support/model.hpp"

namespace slabheap::test {

HeapOptions Setup::options() const {
  HeapOptions options = heap_options_default();
  options.preset = preset;
  options.classes = classes.empty() ? nullptr : classes.data();
  options.class_count = classes.size();
  options.set_blocks = set_blocks;
  options.page_bytes = page_bytes;
  options.pages = pages;
  options.freed_runs = freed_runs;
  return options;
}

std::size_t Setup::page_size() const {
  if (page_bytes != 0) return page_bytes;
  return preset == HEAP_PRESET_COMPACT ? 1024 : 4096;
}

HeapPageLayer Setup::layer() const {
  if (pages != HEAP_PAGE_LAYER_PRESET) return pages;
  return preset == HEAP_PRESET_COMPACT ? HEAP_PAGE_LAYER_BEST_FIT : HEAP_PAGE_LAYER_BUDDY;
}

std::string Setup::name() const {
  std::string name = preset == HEAP_PRESET_COMPACT ? "compact" : "classic";
  if (!classes.empty()) name += ", " + std::to_string(classes.size()) + " classes";
  if (set_blocks != 0) name += ", sets of " + std::to_string(set_blocks);
  name += ", pages of " + std::to_string(page_size());
  name += layer() == HEAP_PAGE_LAYER_BUDDY ? ", buddy" : ", best fit";
  for (const std::size_t bytes : regions) name += ", " + std::to_string(bytes) + " bytes";
  if (misalignment != 0) name += " at " + std::to_string(misalignment);
  if (freed_runs == HEAP_FREED_RUNS_MERGED) name += ", freed runs merged";
  if (is_mapped) name += ", mapped";
  if (shortage != Shortage::unasked) name += ", asked when memory runs out";
  return name;
}

}  // namespace slabheap::test
