// What a heap is made with, as Python gives it.
#pragma once

#include <pybind11/pybind11.h>

#include <cstdint>
#include <optional>
#include <vector>

#include "slabheap/slabheap.h"

namespace slabheap::python {

struct HeapChoice {
  std::size_t bytes;
  std::uint32_t preset;
  std::optional<std::vector<std::size_t>> classes;
  std::size_t set_blocks;
  std::size_t page_bytes;
  std::uint32_t pages;
  std::uint32_t freed_runs;
  std::uint32_t huge_pages;

  /// The options; they point into this. Memory is left to be mapped.
  [[nodiscard]] HeapOptions options() const;
};

void bind_heap_choice(pybind11::module_& module);

}  // namespace slabheap::python
