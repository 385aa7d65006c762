#include "module/heap_state.hpp"

#include <bit>
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

namespace {

std::string text_of(const void* address) {
  return py::str("{:#x}").format(reinterpret_cast<std::uintptr_t>(address)).cast<std::string>();
}

}  // namespace

HeldBuffer::HeldBuffer(const py::object& object) {
  if (!PyObject_CheckBuffer(object.ptr())) throw py::type_error("memory must be a writable buffer, or a number of bytes to map");
  auto view = std::make_unique<Py_buffer>();
  if (PyObject_GetBuffer(object.ptr(), view.get(), PyBUF_CONTIG) != 0) throw py::error_already_set();
  view_.reset(view.release());
}

HeapState::~HeapState() { heap_destroy(heap_); }

::Heap* HeapState::heap() const {
  if (heap_ == nullptr) throw py::value_error("the heap is closed");
  return heap_;
}

void HeapState::open(HeapOptions options, const py::object& memory, const py::object& out_of_memory) {
  if (heap_ != nullptr) throw py::value_error("the heap is open");
  if (!memory.is_none()) {
    memories_.emplace_back(memory);
    options.memory = memories_.back().start();
    options.bytes = memories_.back().bytes();
  }
  if (!out_of_memory.is_none()) {
    options.out_of_memory = call_out_of_memory;
    options.context = this;
    out_of_memory_ = out_of_memory;
  }
  const HeapStatus status = heap_new_with(&options, &heap_);
  if (status != HEAP_STATUS_OK) memories_.clear();
  raise_unless_ok(status, "a heap of " + std::to_string(options.bytes) + " bytes");
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
    raise_unless_ok(heap_add_memory(heap(), nullptr, bytes), "adding " + std::to_string(bytes) + " bytes");
    return;
  }
  HeldBuffer memory{memory_or_bytes};
  const std::string what = "adding " + std::to_string(memory.bytes()) + " bytes";
  raise_unless_ok(heap_add_memory(heap(), memory.start(), memory.bytes()), what);
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

/// Why an allocation gave nothing: bad arguments, an exception of the callback, or no memory.
void HeapState::fail_allocation(std::size_t size, std::size_t align) {
  if (PyErr_Occurred() != nullptr) throw py::error_already_set();
  if (!std::has_single_bit(align)) throw py::value_error("align must be a power of two, not " + std::to_string(align));
  const std::string message = "no memory for " + std::to_string(size) + " bytes at an alignment of " + std::to_string(align) +
                              "; the largest free block is " + std::to_string(heap_stats(heap_).largest_free_bytes);
  PyErr_SetString(PyExc_MemoryError, message.c_str());
  throw py::error_already_set();
}

std::shared_ptr<BlockState> HeapState::allocate(std::size_t size, std::size_t align, bool zeroed) {
  void* address = zeroed ? heap_allocate_zeroed(heap(), size, align) : heap_allocate(heap(), size, align);
  if (address == nullptr) fail_allocation(size, align);
  return remember(address, size, align);
}

std::shared_ptr<BlockState> HeapState::reallocate(const BlockState& block, std::size_t new_size) {
  ::Heap* heap_now = heap();
  refuse_views_on(block.address);
  if (!block.is_live) raise_unless_ok(HEAP_STATUS_NOT_ALLOCATED, "reallocating the block at " + text_of(block.address));
  const BlockState old = block;
  void* address = heap_reallocate(heap_now, old.address, old.size, old.align, new_size);
  if (address == nullptr) fail_allocation(new_size, old.align);
  forget(old.address);
  return remember(address, new_size, old.align);
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

/// Asks Python. An exception stays set, and is raised when the allocation has failed.
bool HeapState::call_out_of_memory(void* context, ::Heap* /*heap*/, std::size_t size, std::size_t align) {
  auto* state = static_cast<HeapState*>(context);
  try {
    return state->out_of_memory_(size, align).cast<bool>();
  } catch (py::error_already_set& error) {
    error.restore();
  } catch (const py::cast_error&) {
    PyErr_SetString(PyExc_TypeError, "out_of_memory must return a bool");
  }
  return false;
}

}  // namespace slabheap::python
