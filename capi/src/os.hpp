// What the C API wants of an operating system. os_posix.cpp asks a Unix; os_none.cpp says that there is nobody to ask.
#pragma once

#include <cstddef>
#include <cstdint>

namespace slabheap::os {

/// Whether what is mapped is to be backed by huge pages.
enum class HugePages : std::uint32_t { system, wanted, unwanted };

/// Whether there is memory to map at all.
[[nodiscard]] bool can_map();

/// Maps so many bytes of zeros at a multiple of `alignment`, a power of two, without committing memory. Null: the system gives
/// none. Huge pages are advice: where there are none, it is mapped all the same.
[[nodiscard]] void* map(std::size_t bytes, std::size_t alignment, HugePages huge_pages);

/// Ends a mapping of so many bytes.
void unmap(void* memory, std::size_t bytes);

/// Gives the OS pages that lie wholly inside the range back to the system, to read as zeros when they are next used, and counts
/// their bytes. False: the system does not take them.
[[nodiscard]] bool give_back(void* memory, std::size_t bytes, std::size_t& given_back_bytes);

/// Prints one line to the standard error stream and ends the process by SIGABRT. Allocates nothing.
[[noreturn]] void abort_with(const char* text, std::size_t bytes);

}  // namespace slabheap::os
