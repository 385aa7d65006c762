// What walks and statistics look like in Python: rows of structured arrays, and dictionaries with the C interface's names.
#pragma once

#include <pybind11/numpy.h>

#include <cstdint>
#include <cstring>
#include <type_traits>
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

/// An array of copies of rows, their padding included: NumPy would copy field by field, and leave the rest to chance.
template <typename Row>
[[nodiscard]] pybind11::array_t<Row> array_of(const Row* rows, std::size_t count) {
  static_assert(std::is_trivially_copyable_v<Row>);
  pybind11::array_t<Row> array(static_cast<pybind11::ssize_t>(count));
  if (count != 0) std::memcpy(array.mutable_data(), rows, count * sizeof(Row));
  return array;
}

template <typename Row>
[[nodiscard]] pybind11::array_t<Row> array_of(const std::vector<Row>& rows) {
  return array_of(rows.data(), rows.size());
}

[[nodiscard]] pybind11::dict dict_of(const HeapStats& stats);
[[nodiscard]] pybind11::dict dict_of(const HeapClassStats& stats);

}  // namespace slabheap::python
