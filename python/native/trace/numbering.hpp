// Numbers of blocks: from what others call a block, such as its address, to the numbers that a trace wants, from 0 in order of
// their allocation.
//
// Both kinds take a call as an event whose block is the name that its maker knew it by.
#pragma once

#include <cstdint>
#include <unordered_map>
#include <vector>

#include "trace/event.hpp"

namespace slabheap::trace {

/// Of calls only, never of a trace: a reallocation gives up its old address. The next `reallocate` of the same thread tells the
/// new one, or the old one again and 0 bytes if there was no memory.
inline constexpr auto reallocate_begins = static_cast<Operation>(4);

/// Addresses become numbers. What was not seen is made up for: the free of a block whose address is handed out again is put in,
/// frees and reallocations of unknown blocks are left out, and counted.
class AddressNumbering {
 public:
  /// Appends the events that a call comes to: none, one, or two. Throws std::invalid_argument if its operation is none.
  void number(const Event& call, std::vector<Event>& events);

  /// Frees and reallocations of blocks whose allocation was not seen.
  [[nodiscard]] std::uint64_t foreign() const { return foreign_; }
  /// Blocks whose free was not seen, because their address was handed out again.
  [[nodiscard]] std::uint64_t implied_frees() const { return implied_frees_; }

 private:
  void begin(const Event& call, Operation operation, std::vector<Event>& events);
  void free(const Event& call, std::vector<Event>& events);
  void give_up(const Event& call, std::vector<Event>& events);
  void begin_reallocation(const Event& call);
  void reallocate(const Event& call, std::vector<Event>& events);

  std::unordered_map<std::uint64_t, std::uint64_t> live_;          // from address to block
  std::unordered_map<std::uint32_t, std::uint64_t> reallocating_;  // from thread to the block that it gave up
  std::uint64_t next_block_ = 0;
  std::uint64_t foreign_ = 0;
  std::uint64_t implied_frees_ = 0;
};

/// Numbers become numbers, strictly: an event of a block that is not live, or the allocation of one that is, is refused.
class BlockNumbering {
 public:
  /// Renumbers an event in place. Throws std::invalid_argument, which names the event, counted from the first ever.
  void number(Event& event);

 private:
  std::unordered_map<std::uint64_t, std::uint64_t> live_;  // from old to new
  std::uint64_t next_block_ = 0;
  std::uint64_t events_ = 0;
};

}  // namespace slabheap::trace
