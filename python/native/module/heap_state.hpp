// What a Python heap and its blocks share: the C heap, which blocks Python holds, and how many views there are on them.
//
// A view (memoryview, NumPy array) points into the heap's memory. Memory with a view on it is never freed, moved or unmapped:
// such a call is a BufferError. The state outlives the Python heap as long as a block refers to it.
#pragma once

#include <pybind11/pybind11.h>

#include <cstdint>
#include <map>
#include <memory>
#include <vector>

#include "slabheap/slabheap.h"

namespace slabheap::python {

namespace py = pybind11;

/// A buffer that is held: writable and contiguous.
class HeldBuffer {
 public:
  explicit HeldBuffer(const py::object& object);

  [[nodiscard]] void* start() const { return view_->buf; }
  [[nodiscard]] std::size_t bytes() const { return static_cast<std::size_t>(view_->len); }

 private:
  struct Release {
    void operator()(Py_buffer* view) const {
      PyBuffer_Release(view);
      delete view;
    }
  };
  std::unique_ptr<Py_buffer, Release> view_;
};

/// A block that Python holds.
struct BlockState {
  void* address;
  std::size_t size;
  std::size_t align;
  std::size_t views = 0;
  bool is_live = true;
};

class HeapState {
 public:
  HeapState() = default;
  ~HeapState();
  HeapState(const HeapState&) = delete;
  HeapState& operator=(const HeapState&) = delete;

  /// Makes the heap. `memory` is none, to map `bytes` bytes, or a writable buffer.
  void open(HeapOptions options, const py::object& memory, const py::object& out_of_memory);
  /// Ends the heap; views make it a BufferError. Does nothing a second time.
  void close();
  [[nodiscard]] bool is_open() const { return heap_ != nullptr; }
  /// The heap; ValueError if it is closed.
  [[nodiscard]] ::Heap* heap() const;

  void add_memory(const py::object& memory_or_bytes);
  [[nodiscard]] std::shared_ptr<BlockState> allocate(std::size_t size, std::size_t align, bool zeroed);
  [[nodiscard]] std::shared_ptr<BlockState> reallocate(const BlockState& block, std::size_t new_size);
  void deallocate(void* block, std::size_t size, std::size_t align);
  void free(void* block);
  void reset();
  /// Refuses a block on behalf of the C heap, which knows addresses only: another block may be there by now.
  [[noreturn]] void refuse(HeapStatus status, const BlockState& block);
  [[nodiscard]] HeapStats stats() const;

  /// For what visits Python objects, the garbage collector.
  [[nodiscard]] py::object& out_of_memory() { return out_of_memory_; }

 private:
  template <typename Attempt>
  void* attempt_twice(std::size_t size, std::size_t align, Attempt attempt);
  [[nodiscard]] bool may_try_again(std::size_t size, std::size_t align) const;

  void refuse_views(const char* action) const;
  void refuse_views_on(void* block) const;
  [[nodiscard]] std::shared_ptr<BlockState> remember(void* address, std::size_t size, std::size_t align);
  void forget(void* address);

  ::Heap* heap_ = nullptr;
  std::uint64_t refused_ = 0;                            // frees that were not left to the C heap to refuse
  std::uint64_t second_attempts_ = 0;                    // allocations that the C heap counts as two
  std::map<void*, std::shared_ptr<BlockState>> blocks_;  // live blocks
  std::vector<HeldBuffer> memories_;                     // the caller's, held as long as the heap
  py::object out_of_memory_ = py::none();
};

/// Raises what a status stands for in Python, unless it is HEAP_STATUS_OK.
void raise_unless_ok(HeapStatus status, const std::string& what);
/// The same where a region was to be made of so many bytes.
void raise_unless_added(HeapStatus status, std::size_t bytes, const char* action);

}  // namespace slabheap::python
