// What walks and statistics look like in Python: rows of structured arrays, and dictionaries with the C interface's names.
#pragma once

#include <pybind11/numpy.h>

#include <cstdint>
#include <vector>

#include "slabheap/slabheap.h"

namespace slabheap::python {

struct BlockRow {
  std::uint64_t address;
  std::uint64_t bytes;
};

struct RunRow {
  std::uint32_t kind;
  std::uint32_t total_blocks;
  std::uint64_t address;
  std::uint64_t bytes;
  std::uint64_t block_size;
  std::uint64_t used;
};

/// Makes both rows known to NumPy.
void register_rows();

/// A run, its address counted from `origin`.
[[nodiscard]] RunRow row_of(const HeapRun& run, std::uintptr_t origin);

template <typename Row>
[[nodiscard]] pybind11::array_t<Row> array_of(const std::vector<Row>& rows) {
  return pybind11::array_t<Row>(static_cast<pybind11::ssize_t>(rows.size()), rows.data());
}

[[nodiscard]] pybind11::dict dict_of(const HeapStats& stats);
[[nodiscard]] pybind11::dict dict_of(const HeapClassStats& stats);

}  // namespace slabheap::python
