#include "module/heap_state.hpp"

#include <stdexcept>
#include <string>
#include <utility>

namespace slabheap::python {

void raise_unless_ok(HeapStatus status, const std::string& what) {
  if (status == HEAP_STATUS_OK) return;
  const py::object error = py::module_::import("slabheap.errors").attr("error_of");
  const py::object raised = error(static_cast<std::uint32_t>(status), what + ": " + heap_status_message(status));
  PyErr_SetObject(py::type::handle_of(raised).ptr(), raised.ptr());
  throw py::error_already_set();
}

void raise_unless_added(HeapStatus status, std::size_t bytes, const char* action) {
  const std::string what = action + std::to_string(bytes) + " bytes";
  // Options and addresses are known to be good by now.
  if (status == HEAP_STATUS_INVALID_ARGUMENT) throw py::value_error(what + ": a region has at most 2^31 pages");
  raise_unless_ok(status, what);
}

namespace {

std::string type_name(const py::object& object) { return py::type::of(object).attr("__name__").cast<std::string>(); }

std::string text_of(const void* address) {
  return py::str("{:#x}").format(reinterpret_cast<std::uintptr_t>(address)).cast<std::string>();
}

}  // namespace

HeldBuffer::HeldBuffer(const py::object& object) {
  if (!PyObject_CheckBuffer(object.ptr()))
    throw py::type_error("memory must be a writable buffer, not of the type " + type_name(object));
  auto view = std::make_unique<Py_buffer>();
  if (PyObject_GetBuffer(object.ptr(), view.get(), PyBUF_CONTIG) != 0) {
    const py::error_already_set raised;
    if (!raised.matches(PyExc_ValueError)) throw raised;
    // NumPy has a ValueError where others have a BufferError.
    throw py::buffer_error(py::str(raised.value()).cast<std::string>());
  }
  view_.reset(view.release());
}

HeapState::~HeapState() { heap_destroy(heap_); }

::Heap* HeapState::heap() const {
  if (heap_ == nullptr) throw py::value_error("the heap is closed");
  return heap_;
}

void HeapState::open(HeapOptions options, const py::object& memory, const py::object& out_of_memory) {
  if (heap_ != nullptr) throw py::value_error("the heap is open");
  if (!out_of_memory.is_none() && PyCallable_Check(out_of_memory.ptr()) == 0) {
    throw py::type_error("out_of_memory must be callable, not of the type " + type_name(out_of_memory));
  }
  if (!memory.is_none()) {
    memories_.emplace_back(memory);
    options.memory = memories_.back().start();
    options.bytes = memories_.back().bytes();
  }
  out_of_memory_ = out_of_memory;
  const HeapStatus status = heap_new_with(&options, &heap_);
  if (status != HEAP_STATUS_OK) memories_.clear();
  raise_unless_added(status, options.bytes, "a heap of ");
}

void HeapState::close() {
  if (heap_ == nullptr) return;
  refuse_views("closed");
  for (auto& [address, block] : blocks_) block->is_live = false;
  blocks_.clear();
  heap_destroy(std::exchange(heap_, nullptr));
  memories_.clear();
  out_of_memory_ = py::none();
}

void HeapState::refuse_views(const char* action) const {
  for (const auto& [address, block] : blocks_) {
    if (block->views == 0) continue;
    const std::string message =
        "the heap cannot be " + std::string{action} + ": there is a view on the block at " + text_of(address);
    throw py::buffer_error(message);
  }
}

void HeapState::refuse_views_on(void* block) const {
  const auto found = blocks_.find(block);
  if (found == blocks_.end() || found->second->views == 0) return;
  throw py::buffer_error("the block at " + text_of(block) + " cannot be freed or moved: there is a view on it");
}

void HeapState::add_memory(const py::object& memory_or_bytes) {
  if (PyLong_Check(memory_or_bytes.ptr())) {
    const auto bytes = memory_or_bytes.cast<std::size_t>();
    raise_unless_added(heap_add_memory(heap(), nullptr, bytes), bytes, "adding ");
    return;
  }
  HeldBuffer memory{memory_or_bytes};
  raise_unless_added(heap_add_memory(heap(), memory.start(), memory.bytes()), memory.bytes(), "adding ");
  memories_.push_back(std::move(memory));
}

std::shared_ptr<BlockState> HeapState::remember(void* address, std::size_t size, std::size_t align) {
  auto block = std::make_shared<BlockState>(BlockState{address, size, align});
  blocks_[address] = block;
  return block;
}

void HeapState::forget(void* address) {
  const auto found = blocks_.find(address);
  if (found == blocks_.end()) return;
  found->second->is_live = false;
  blocks_.erase(found);
}

/// Python is asked between two calls of the C heap, not from inside of one: whatever it does, the heap included, is safe.
bool HeapState::may_try_again(std::size_t size, std::size_t align) const {
  if (out_of_memory_.is_none() || heap_usable_size(heap_, size, align).max == 0) return false;
  const py::object asked = out_of_memory_;  // closing the heap lets go of its own
  const py::object answer = asked(size, align);
  try {
    return answer.cast<bool>();
  } catch (const py::cast_error&) {
    throw py::type_error("out_of_memory must return a bool, not one of the type " + type_name(answer));
  }
}

template <typename Attempt>
void* HeapState::attempt_twice(std::size_t size, std::size_t align, Attempt attempt) {
  void* address = attempt();
  if (address == nullptr && may_try_again(size, align)) {
    ++second_attempts_;
    address = attempt();
  }
  if (address != nullptr) return address;
  const std::string message = "no memory for " + std::to_string(size) + " bytes at an alignment of " + std::to_string(align) +
                              "; the largest free block is " + std::to_string(heap_stats(heap_).largest_free_bytes);
  PyErr_SetString(PyExc_MemoryError, message.c_str());
  throw py::error_already_set();
}

std::shared_ptr<BlockState> HeapState::allocate(std::size_t size, std::size_t align, bool zeroed) {
  void* address = attempt_twice(
      size, align, [&] { return zeroed ? heap_allocate_zeroed(heap(), size, align) : heap_allocate(heap(), size, align); });
  return remember(address, size, align);
}

std::shared_ptr<BlockState> HeapState::reallocate(const BlockState& block, std::size_t new_size) {
  void* address = attempt_twice(new_size, block.align, [&] {
    ::Heap* heap_now = heap();
    if (!block.is_live) refuse(HEAP_STATUS_NOT_ALLOCATED, block);
    refuse_views_on(block.address);
    return heap_reallocate(heap_now, block.address, block.size, block.align, new_size);
  });
  forget(block.address);
  return remember(address, new_size, block.align);
}

void HeapState::refuse(HeapStatus status, const BlockState& block) {
  ++refused_;
  raise_unless_ok(status, "the block at " + text_of(block.address));
  throw std::logic_error("a refusal has a reason");
}

HeapStats HeapState::stats() const {
  HeapStats stats = heap_stats(heap());
  stats.rejected_frees += refused_;
  stats.failed_allocations -= second_attempts_;
  return stats;
}

void HeapState::deallocate(void* block, std::size_t size, std::size_t align) {
  ::Heap* heap_now = heap();
  refuse_views_on(block);
  raise_unless_ok(heap_deallocate(heap_now, block, size, align), "deallocating the block at " + text_of(block));
  forget(block);
}

void HeapState::free(void* block) {
  ::Heap* heap_now = heap();
  refuse_views_on(block);
  raise_unless_ok(heap_free(heap_now, block), "freeing the block at " + text_of(block));
  forget(block);
}

void HeapState::reset() {
  ::Heap* heap_now = heap();
  refuse_views("reset");
  for (auto& [address, block] : blocks_) block->is_live = false;
  blocks_.clear();
  raise_unless_ok(heap_reset(heap_now), "resetting the heap");
}

}  // namespace slabheap::python
