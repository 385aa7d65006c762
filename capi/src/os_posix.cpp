#include <sys/mman.h>
#include <unistd.h>

#include <cstdint>
#include <cstdlib>

#include "os.hpp"
#include "slabheap/core/units.hpp"

namespace slabheap::os {
namespace {

std::size_t os_page_bytes() { return static_cast<std::size_t>(sysconf(_SC_PAGESIZE)); }

/// What the system makes of it is its own affair.
void advise([[maybe_unused]] void* memory, [[maybe_unused]] std::size_t bytes, [[maybe_unused]] HugePages huge_pages) {
#if defined(MADV_HUGEPAGE) && defined(MADV_NOHUGEPAGE)
  if (huge_pages == HugePages::wanted) (void)madvise(memory, bytes, MADV_HUGEPAGE);
  if (huge_pages == HugePages::unwanted) (void)madvise(memory, bytes, MADV_NOHUGEPAGE);
#endif
}

}  // namespace

bool can_map() { return true; }

void* map(std::size_t bytes, std::size_t alignment, HugePages huge_pages) {
  const std::size_t page = os_page_bytes();
  const std::size_t room = alignment > page ? alignment - page : 0;
  if (bytes == 0 || bytes > ~std::size_t{0} - room - page) return nullptr;
  const std::size_t wanted = round_up(bytes, page);
  void* mapping = mmap(nullptr, wanted + room, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
  if (mapping == MAP_FAILED) return nullptr;

  const auto start = reinterpret_cast<Address>(mapping);
  const Address aligned = round_up(start, room != 0 ? alignment : page);
  if (aligned > start) munmap(mapping, aligned - start);
  if (aligned - start < room) munmap(reinterpret_cast<void*>(aligned + wanted), room - (aligned - start));
  advise(reinterpret_cast<void*>(aligned), wanted, huge_pages);
  return reinterpret_cast<void*>(aligned);
}

void unmap(void* memory, std::size_t bytes) { munmap(memory, round_up(bytes, os_page_bytes())); }

bool give_back(void* memory, std::size_t bytes, std::size_t& given_back_bytes) {
  const std::size_t page = os_page_bytes();
  const Address start = round_up(reinterpret_cast<Address>(memory), page);
  const Address end = round_down(reinterpret_cast<Address>(memory) + bytes, page);
  if (end <= start) return true;
  if (madvise(reinterpret_cast<void*>(start), end - start, MADV_DONTNEED) != 0) return false;
  given_back_bytes += end - start;
  return true;
}

void abort_with(const char* text, std::size_t bytes) {
  while (bytes > 0) {
    const ssize_t written = write(STDERR_FILENO, text, bytes);
    if (written <= 0) break;
    text += written;
    bytes -= static_cast<std::size_t>(written);
  }
  abort();
}

}  // namespace slabheap::os
