#include "trace/numbering.hpp"

#include <stdexcept>
#include <string>

namespace slabheap::trace {

namespace {

constexpr std::uint64_t no_block = ~std::uint64_t{0};

/// The call as an event of a block, with the size and alignment that its operation has.
Event event_of(const Event& call, Operation operation, std::uint64_t block) {
  Event event = call;
  event.block = block;
  event.operation = operation;
  if (operation == Operation::free) event.size = 0;
  if (operation == Operation::free || operation == Operation::reallocate) event.align = 1;
  return event;
}

}  // namespace

void AddressNumbering::number(const Event& call, std::vector<Event>& events) {
  switch (call.operation) {
    case Operation::allocate:
    case Operation::allocate_zeroed: begin(call, call.operation, events); break;
    case Operation::reallocate: reallocate(call, events); break;
    case Operation::free: free(call, events); break;
    case reallocate_begins: begin_reallocation(call); break;
    default: throw std::invalid_argument("there is no operation " + std::to_string(static_cast<unsigned>(call.operation)));
  }
}

void AddressNumbering::begin(const Event& call, Operation operation, std::vector<Event>& events) {
  give_up(call, events);
  events.push_back(event_of(call, operation, next_block_));
  live_[call.block] = next_block_++;
}

void AddressNumbering::free(const Event& call, std::vector<Event>& events) {
  const auto found = live_.find(call.block);
  if (found == live_.end()) {
    ++foreign_;
    return;
  }
  events.push_back(event_of(call, Operation::free, found->second));
  live_.erase(found);
}

/// Ends the block at an address that is handed out again: its free was lost.
void AddressNumbering::give_up(const Event& call, std::vector<Event>& events) {
  const auto found = live_.find(call.block);
  if (found == live_.end()) return;
  events.push_back(event_of(call, Operation::free, found->second));
  events.back().tag = 0;  // it is the call's, which does not free
  live_.erase(found);
  ++implied_frees_;
}

void AddressNumbering::begin_reallocation(const Event& call) {
  const auto found = live_.find(call.block);
  reallocating_[call.thread] = found != live_.end() ? found->second : no_block;
  if (found != live_.end()) live_.erase(found);
}

void AddressNumbering::reallocate(const Event& call, std::vector<Event>& events) {
  const auto begun = reallocating_.find(call.thread);
  const std::uint64_t block = begun != reallocating_.end() ? begun->second : no_block;
  if (begun != reallocating_.end()) reallocating_.erase(begun);
  if (block == no_block) {
    // Its allocation is unknown, so it begins here.
    ++foreign_;
    if (call.size != 0) {
      begin(call, Operation::allocate, events);
    } else {
      give_up(call, events);
    }
    return;
  }
  give_up(call, events);
  if (call.size != 0) events.push_back(event_of(call, Operation::reallocate, block));
  live_[call.block] = block;
}

void BlockNumbering::number(Event& event) {
  const std::uint64_t index = events_++;
  const auto fail = [&](const char* what) {
    throw std::invalid_argument("event " + std::to_string(index) + ": block " + std::to_string(event.block) + what);
  };
  if (event.operation <= Operation::allocate_zeroed) {
    if (!live_.try_emplace(event.block, next_block_).second) fail(" is allocated twice");
    event.block = next_block_++;
    return;
  }
  const auto found = live_.find(event.block);
  if (found == live_.end()) fail(" is not live");
  event.block = found->second;
  if (event.operation == Operation::free) live_.erase(found);
}

}  // namespace slabheap::trace
