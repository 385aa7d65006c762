// A stream of operations on two heaps whose regions alternate, pointers of each given to the other.
#include "fuzz/play.hpp"
#include "fuzz/target.hpp"

int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t bytes) {
  slabheap::fuzz::play({data, bytes}, 2);
  return 0;
}
