// Heap and Block as Python types. The rest of what a Python heap offers stands in slabheap/heap.py.
#include "module/heap_binding.hpp"

#include <string>

#include "module/heap_choice.hpp"
#include "module/heap_state.hpp"
#include "module/rows.hpp"

namespace slabheap::python {
namespace {

/// A heap as Python holds it.
struct HeapObject {
  HeapObject() = default;
  /// Nobody can ask for memory any more; a callback that refers to a block would keep both for good.
  ~HeapObject() { state->out_of_memory() = py::none(); }
  HeapObject(const HeapObject&) = delete;
  HeapObject& operator=(const HeapObject&) = delete;

  std::shared_ptr<HeapState> state = std::make_shared<HeapState>();
};

/// A block as Python holds it; its memory is there as long as it lives.
struct BlockObject {
  std::shared_ptr<HeapState> heap;
  std::shared_ptr<BlockState> state;
};

py::array_t<BlockRow> blocks_of(const HeapObject& heap) {
  std::vector<BlockRow> rows;
  const HeapVisitor collect = [](void* context, void* block, std::size_t bytes) {
    static_cast<std::vector<BlockRow>*>(context)->push_back({reinterpret_cast<std::uintptr_t>(block), bytes});
    return true;
  };
  raise_unless_ok(heap_visit(heap.state->heap(), collect, &rows), "visiting blocks");
  return array_of(rows);
}

py::array_t<RunRow> runs_of(const HeapObject& heap) {
  std::vector<RunRow> rows;
  const HeapRunVisitor collect = [](void* context, const HeapRun* run) {
    static_cast<std::vector<RunRow>*>(context)->push_back(row_of(*run, 0));
    return true;
  };
  raise_unless_ok(heap_visit_runs(heap.state->heap(), collect, &rows), "visiting runs");
  return array_of(rows);
}

py::list class_stats_of(const HeapObject& heap) {
  py::list list;
  for (std::size_t i = 0; i < heap_class_count(heap.state->heap()); ++i) {
    HeapClassStats stats{};
    raise_unless_ok(heap_class_stats(heap.state->heap(), i, &stats), "class statistics");
    list.append(dict_of(stats));
  }
  return list;
}

BlockObject allocate(const HeapObject& heap, std::size_t size, std::size_t align, bool zeroed) {
  return {heap.state, heap.state->allocate(size, align, zeroed)};
}

/// Refuses a block that is not this heap's, or not any more.
void expect_live(const HeapObject& heap, const BlockObject& block) {
  (void)heap.state->heap();
  if (block.heap != heap.state) heap.state->refuse(HEAP_STATUS_NOT_OWNED, *block.state);
  if (!block.state->is_live) heap.state->refuse(HEAP_STATUS_NOT_ALLOCATED, *block.state);
}

BlockObject reallocate(const HeapObject& heap, const BlockObject& block, std::size_t new_size) {
  expect_live(heap, block);
  return {heap.state, heap.state->reallocate(*block.state, new_size)};
}

/// Where a block is that is given as such or by its address.
void* target_of(const HeapObject& heap, const py::object& block) {
  if (!py::isinstance<BlockObject>(block)) return reinterpret_cast<void*>(block.cast<std::uintptr_t>());
  const auto& held = block.cast<const BlockObject&>();
  expect_live(heap, held);
  return held.state->address;
}

std::size_t block_size(const HeapObject& heap, const py::object& block) {
  const ::Heap* c_heap = heap.state->heap();
  if (!py::isinstance<BlockObject>(block)) return heap_block_size(c_heap, reinterpret_cast<void*>(block.cast<std::uintptr_t>()));
  const auto& held = block.cast<const BlockObject&>();
  return held.heap == heap.state && held.state->is_live ? heap_block_size(c_heap, held.state->address) : 0;
}

/// The buffer of a live block; a freed one, or one of a closed heap, has none.
int get_buffer(PyObject* object, Py_buffer* view, int flags) {
  const BlockObject& block = py::handle(object).cast<const BlockObject&>();
  if (!block.state->is_live) {
    PyErr_SetString(PyExc_ValueError, block.heap->is_open() ? "the block was freed" : "the heap of the block is closed");
    view->obj = nullptr;
    return -1;
  }
  const int result = PyBuffer_FillInfo(view, object, block.state->address, static_cast<Py_ssize_t>(block.state->size), 0, flags);
  if (result == 0) ++block.state->views;
  return result;
}

void release_buffer(PyObject* object, Py_buffer* /*view*/) { --py::handle(object).cast<const BlockObject&>().state->views; }

/// The garbage collector has to see the callback: it may refer to the heap.
int visit_heap(PyObject* object, visitproc visit, void* arg) {
  Py_VISIT(Py_TYPE(object));
  if (!py::detail::is_holder_constructed(object)) return 0;
  Py_VISIT(py::handle(object).cast<const HeapObject&>().state->out_of_memory().ptr());
  return 0;
}

int clear_heap(PyObject* object) {
  py::handle(object).cast<const HeapObject&>().state->out_of_memory() = py::none();
  return 0;
}

/// Makes a heap that is closed, whether or not `__init__` is called after it.
PyObject* new_heap(PyTypeObject* type, PyObject* /*args*/, PyObject* /*kwargs*/) {
  PyObject* heap = py::detail::make_new_instance(type);
  if (heap == nullptr) return nullptr;
  try {
    py::type::of<HeapObject>().attr("__init__")(py::handle(heap));
  } catch (py::error_already_set& error) {
    Py_DECREF(heap);
    error.restore();
    return nullptr;
  }
  return heap;
}

void bind_block(py::module_& module) {
  const auto slots = [](PyHeapTypeObject* type) {
    type->ht_type.tp_flags |= Py_TPFLAGS_DISALLOW_INSTANTIATION;  // only a heap makes blocks
    type->ht_type.tp_as_buffer = &type->as_buffer;
    type->as_buffer.bf_getbuffer = get_buffer;
    type->as_buffer.bf_releasebuffer = release_buffer;
  };
  py::class_<BlockObject>(
      module, "Block", py::custom_type_setup(slots), py::is_final(),
      "A block of a heap: a writable buffer of `size` bytes.\n\n"
      "memoryview(block) and numpy.frombuffer(block) look at its memory without a copy. While there is such a view,\n"
      "the block is not freed or moved, and its heap not closed: that is a BufferError. A block that Python\n"
      "lets go of stays allocated until its heap is reset or closed.")
      .def_property_readonly(
          "address", [](const BlockObject& block) { return reinterpret_cast<std::uintptr_t>(block.state->address); },
          "Where it is, as a number.")
      .def_property_readonly(
          "size", [](const BlockObject& block) { return block.state->size; }, "The bytes asked for.")
      .def_property_readonly(
          "align", [](const BlockObject& block) { return block.state->align; }, "The alignment asked for, in bytes.")
      .def_property_readonly(
          "is_live", [](const BlockObject& block) { return block.state->is_live; },
          "Whether it is neither freed nor of a closed heap.")
      .def("__len__", [](const BlockObject& block) { return block.state->size; })
      .def("__repr__", [](const BlockObject& block) {
        return py::str("<Block of {} bytes at {:#x}{}>")
            .format(block.state->size, reinterpret_cast<std::uintptr_t>(block.state->address),
                    block.state->is_live ? "" : ", freed");
      });
}

void bind_heap(py::module_& module) {
  const auto slots = [](PyHeapTypeObject* heap_type) {
    PyTypeObject* type = &heap_type->ht_type;
    type->tp_flags |= Py_TPFLAGS_HAVE_GC;
    type->tp_new = new_heap;
    type->tp_traverse = visit_heap;
    type->tp_clear = clear_heap;
  };
  py::class_<HeapObject>(module, "HeapBase", py::custom_type_setup(slots), "What slabheap.Heap is built on.")
      .def(py::init<>())
      .def(
          "_open",
          [](HeapObject& heap, const HeapChoice& choice, const py::object& memory, const py::object& out_of_memory) {
            heap.state->open(choice.options(), memory, out_of_memory);
          },
          py::arg("choice"), py::arg("memory"), py::arg("out_of_memory"))
      .def("_allocate", allocate, py::arg("size"), py::arg("align"), py::arg("zeroed"))
      .def("_reallocate", reallocate, py::arg("block"), py::arg("new_size"))
      .def(
          "_deallocate",
          [](const HeapObject& heap, const py::object& block, std::size_t size, std::size_t align) {
            heap.state->deallocate(target_of(heap, block), size, align);
          },
          py::arg("block"), py::arg("size"), py::arg("align"))
      .def(
          "_free", [](const HeapObject& heap, const py::object& block) { heap.state->free(target_of(heap, block)); },
          py::arg("block"))
      .def("_stats", [](const HeapObject& heap) { return dict_of(heap.state->stats()); })
      .def("_class_stats", class_stats_of)
      .def("_blocks", blocks_of)
      .def("_runs", runs_of)
      .def(
          "_add_memory", [](const HeapObject& heap, const py::object& memory) { heap.state->add_memory(memory); },
          py::arg("memory"))
      .def(
          "_usable_size",
          [](const HeapObject& heap, std::size_t size, std::size_t align) {
            const HeapUsableSize usable = heap_usable_size(heap.state->heap(), size, align);
            return py::make_tuple(usable.min, usable.max);
          },
          py::arg("size"), py::arg("align"))
      .def("_block_size", block_size, py::arg("block"))
      .def("_check", [](const HeapObject& heap) { raise_unless_ok(heap_check(heap.state->heap()), "checking the heap"); })
      .def("_trim", [](const HeapObject& heap) { return heap_trim(heap.state->heap()); })
      .def("_reset", [](const HeapObject& heap) { heap.state->reset(); })
      .def("_close", [](const HeapObject& heap) { heap.state->close(); })
      .def_property_readonly("_is_open", [](const HeapObject& heap) { return heap.state->is_open(); });
}

}  // namespace

void bind_heaps(py::module_& module) {
  register_rows();
  bind_block(module);
  bind_heap(module);
}

}  // namespace slabheap::python
