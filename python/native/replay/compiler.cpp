#include "replay/compiler.hpp"

#include <algorithm>
#include <bit>
#include <stdexcept>

namespace slabheap::replay {

using trace::Event;
using trace::Operation;

namespace {

/// No request is larger than half of the address space; sums of sizes stay far from wrapping around.
constexpr std::uint64_t most_bytes = std::uint64_t{1} << 62;

std::string block_name(const Event& event) { return "block " + std::to_string(event.block); }

}  // namespace

void Compiler::fail(const std::string& what) const {
  throw std::invalid_argument("event " + std::to_string(events_) + ": " + what);
}

void Compiler::account(std::uint64_t gone, std::uint64_t come) {
  requested_ = requested_ - gone + come;
  largest_ = std::max(largest_, come);
  if (requested_ <= peak_requested_) return;
  peak_requested_ = requested_;
  peak_event_ = events_;
}

Compiler::Live& Compiler::live_block(const Event& event, const char* action) {
  const auto found = live_.find(event.block);
  if (found == live_.end()) fail(std::string{action} + " " + block_name(event) + ", which is not live");
  return found->second;
}

Step Compiler::allocate(const Event& event) {
  if (!std::has_single_bit(event.align)) fail(block_name(event) + " has an alignment of " + std::to_string(event.align));
  const auto shift = static_cast<std::uint8_t>(std::countr_zero(event.align));
  const std::uint32_t slot = free_slots_.empty() ? slots_ : free_slots_.back();
  if (!live_.try_emplace(event.block, Live{event.size, slot, shift}).second) fail(block_name(event) + " is allocated twice");
  if (free_slots_.empty()) {
    ++slots_;
  } else {
    free_slots_.pop_back();
  }
  account(0, event.size);
  return {event.time, event.size, 0, slot, event.operation, shift};
}

Step Compiler::reallocate(const Event& event) {
  Live& live = live_block(event, "reallocates");
  const Step step{event.time, event.size, live.size, live.slot, event.operation, live.align_shift};
  account(live.size, event.size);
  live.size = event.size;
  return step;
}

Step Compiler::free(const Event& event) {
  const Live live = live_block(event, "frees");
  account(live.size, 0);
  free_slots_.push_back(live.slot);
  live_.erase(event.block);
  return {event.time, 0, live.size, live.slot, event.operation, live.align_shift};
}

std::vector<Step> Compiler::compile(const Event* events, std::size_t count) {
  std::vector<Step> steps;
  steps.reserve(count);
  for (std::size_t i = 0; i < count; ++i, ++events_) {
    const Event& event = events[i];
    if (event.size > most_bytes) fail(block_name(event) + " has " + std::to_string(event.size) + " bytes");
    switch (event.operation) {
      case Operation::allocate:
      case Operation::allocate_zeroed: steps.push_back(allocate(event)); break;
      case Operation::reallocate: steps.push_back(reallocate(event)); break;
      case Operation::free: steps.push_back(free(event)); break;
      default: fail("there is no operation " + std::to_string(static_cast<unsigned>(event.operation)));
    }
  }
  return steps;
}

}  // namespace slabheap::replay
