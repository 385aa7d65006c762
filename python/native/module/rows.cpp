#include "module/rows.hpp"

namespace slabheap::python {

namespace py = pybind11;
using namespace py::literals;

void register_rows() {
  PYBIND11_NUMPY_DTYPE(BlockRow, address, bytes);
  PYBIND11_NUMPY_DTYPE(RunRow, kind, total_blocks, address, bytes, block_size, used);
}

RunRow row_of(const HeapRun& run, std::uintptr_t origin) {
  return {static_cast<std::uint32_t>(run.kind),
          static_cast<std::uint32_t>(run.total_blocks),
          reinterpret_cast<std::uintptr_t>(run.start) - origin,
          run.bytes,
          run.block_size,
          run.used};
}

py::dict dict_of(const HeapStats& stats) {
  return py::dict("total_bytes"_a = stats.total_bytes, "used_bytes"_a = stats.used_bytes,
                  "available_bytes"_a = stats.available_bytes, "slab_total_bytes"_a = stats.slab_total_bytes,
                  "slab_used_bytes"_a = stats.slab_used_bytes, "buddy_total_bytes"_a = stats.buddy_total_bytes,
                  "buddy_used_bytes"_a = stats.buddy_used_bytes, "metadata_bytes"_a = stats.metadata_bytes,
                  "used_metadata_bytes"_a = stats.used_metadata_bytes, "peak_page_bytes"_a = stats.peak_page_bytes,
                  "largest_free_bytes"_a = stats.largest_free_bytes, "region_count"_a = stats.region_count,
                  "live_blocks"_a = stats.live_blocks, "allocations"_a = stats.allocations,
                  "deallocations"_a = stats.deallocations, "failed_allocations"_a = stats.failed_allocations,
                  "rejected_frees"_a = stats.rejected_frees);
}

py::dict dict_of(const HeapClassStats& stats) {
  return py::dict("block_size"_a = stats.block_size, "total_blocks"_a = stats.total_blocks, "used_blocks"_a = stats.used_blocks,
                  "sets"_a = stats.sets, "partial_sets"_a = stats.partial_sets, "allocations"_a = stats.allocations,
                  "deallocations"_a = stats.deallocations);
}

}  // namespace slabheap::python
