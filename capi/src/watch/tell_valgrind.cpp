#include <valgrind/memcheck.h>
#include <valgrind/valgrind.h>

#include "slabheap/core/memory.hpp"
#include "tool.hpp"

namespace slabheap::tool {

void hide(const void* memory, std::size_t bytes) { (void)VALGRIND_MAKE_MEM_NOACCESS(memory, bytes); }

void show(const void* memory, std::size_t bytes) { (void)VALGRIND_MAKE_MEM_DEFINED(memory, bytes); }

// Valgrind may switch threads between any two lines of this: it is of this thread alone that it reports nothing. To it, what is
// read where nobody may counts as written.
std::size_t read_hidden(const void* word) {
  std::size_t value = 0;
  VALGRIND_DISABLE_ERROR_REPORTING;
  copy_bytes(&value, word, sizeof value);
  VALGRIND_ENABLE_ERROR_REPORTING;
  return value;
}

void begin_block(void* block, std::size_t bytes) { VALGRIND_MALLOCLIKE_BLOCK(block, bytes, 0, false); }

void end_block(void* block, std::size_t held_bytes) {
  VALGRIND_FREELIKE_BLOCK(block, 0);
  hide(block, held_bytes);
}

// No block begins there, which memcheck says.
void report_wrong_free(void* block) { VALGRIND_FREELIKE_BLOCK(block, 0); }

}  // namespace slabheap::tool
