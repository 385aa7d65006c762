// What a fuzzer calls, and what replay.cpp calls with the inputs that are kept.
#pragma once

#include <cstddef>
#include <cstdint>

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t bytes);
