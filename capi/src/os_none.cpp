#include "os.hpp"

namespace slabheap::os {

bool can_map() { return false; }

void* map(std::size_t /*bytes*/, std::size_t /*alignment*/, HugePages /*huge_pages*/) { return nullptr; }

void unmap(void* /*memory*/, std::size_t /*bytes*/) {}

bool give_back(void* /*memory*/, std::size_t /*bytes*/, std::size_t& /*given_back_bytes*/) { return true; }

void abort_with(const char* /*text*/, std::size_t /*bytes*/) { __builtin_trap(); }

}  // namespace slabheap::os
