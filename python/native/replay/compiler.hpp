// Turns events into steps: checks that they make sense, and gives each live block a slot, used again when the block is freed, so
// that slots are as many as blocks live at once.
#pragma once

#include <string>
#include <unordered_map>
#include <vector>

#include "replay/step.hpp"

namespace slabheap::replay {

class Compiler {
 public:
  /// The steps of the next events. Throws std::invalid_argument, naming the event, if one makes no sense: a block allocated
  /// twice, or one freed or reallocated that is not live, or an alignment that is no power of two.
  [[nodiscard]] std::vector<Step> compile(const trace::Event* events, std::size_t count);

  [[nodiscard]] std::uint64_t events() const { return events_; }
  [[nodiscard]] std::uint32_t slots() const { return slots_; }
  [[nodiscard]] std::uint64_t requested_bytes() const { return requested_; }
  [[nodiscard]] std::uint64_t peak_requested_bytes() const { return peak_requested_; }
  /// The event after which most bytes were requested for the first time.
  [[nodiscard]] std::uint64_t peak_event() const { return peak_event_; }
  [[nodiscard]] std::uint64_t largest_request() const { return largest_; }

 private:
  struct Live {
    std::uint64_t size;
    std::uint32_t slot;
    std::uint8_t align_shift;
  };

  [[noreturn]] void fail(const std::string& what) const;
  [[nodiscard]] Step allocate(const trace::Event& event);
  [[nodiscard]] Step reallocate(const trace::Event& event);
  [[nodiscard]] Step free(const trace::Event& event);
  [[nodiscard]] Live& live_block(const trace::Event& event, const char* action);
  void account(std::uint64_t gone, std::uint64_t come);

  std::unordered_map<std::uint64_t, Live> live_;
  std::vector<std::uint32_t> free_slots_;
  std::uint32_t slots_ = 0;
  std::uint64_t events_ = 0;
  std::uint64_t requested_ = 0;
  std::uint64_t peak_requested_ = 0;
  std::uint64_t peak_event_ = 0;
  std::uint64_t largest_ = 0;
};

}  // namespace slabheap::replay
