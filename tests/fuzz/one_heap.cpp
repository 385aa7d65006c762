// A stream of operations on one heap, every answer compared with the model's.
#include "fuzz/play.hpp"
#include "fuzz/target.hpp"

int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t bytes) {
  slabheap::fuzz::play({data, bytes}, 1);
  return 0;
}
