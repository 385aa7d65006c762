// A recorded file, read as the events of a trace: the records of all threads in the order of their sequence numbers, addresses
// turned into numbers of blocks.
//
// Read as a stream: of each thread, one segment is looked at at a time; the file is mapped, and what has been read is let go of.
#pragma once

#include <cstdint>
#include <deque>
#include <functional>
#include <queue>
#include <string>
#include <vector>

#include "record/raw_recording.hpp"
#include "trace/event.hpp"
#include "trace/numbering.hpp"

namespace slabheap::record {

class Recording {
 public:
  /// Throws std::runtime_error, naming what is wrong, if the file is none of the recorder's.
  explicit Recording(const std::string& path);
  ~Recording();
  Recording(const Recording&) = delete;
  Recording& operator=(const Recording&) = delete;

  /// The next events, at most so many; none at the end.
  [[nodiscard]] std::vector<trace::Event> read(std::size_t most);

  [[nodiscard]] const RawHeader& header() const { return *reinterpret_cast<const RawHeader*>(bytes_); }
  /// All records in the file.
  [[nodiscard]] std::uint64_t records() const { return records_; }
  /// Records read so far.
  [[nodiscard]] std::uint64_t records_read() const { return records_read_; }
  /// So far: frees and reallocations of blocks whose allocation was not recorded.
  [[nodiscard]] std::uint64_t foreign() const { return numbering_.foreign(); }
  /// So far: blocks whose free was not recorded, because their address was handed out again.
  [[nodiscard]] std::uint64_t implied_frees() const { return numbering_.implied_frees(); }

 private:
  /// The segments of a thread that are not read to their end, and where reading stands in the first.
  struct Thread {
    std::uint32_t number;
    std::deque<const RawSegment*> segments;
    std::uint32_t next;
  };
  /// The earliest record of a thread that is not read.
  struct Head {
    std::uint64_t sequence;
    std::uint32_t thread;  // index into threads_
    bool operator>(const Head& other) const { return sequence > other.sequence; }
  };

  void collect_segments(std::uint64_t segments);
  void advance(std::uint32_t thread);
  [[nodiscard]] trace::Event call_of(const RawEvent& event, std::uint32_t thread);

  std::size_t length_ = 0;  // before the bytes: mapping them sets it
  unsigned char* bytes_ = nullptr;
  std::vector<Thread> threads_;
  std::priority_queue<Head, std::vector<Head>, std::greater<>> heads_;
  trace::AddressNumbering numbering_;
  double nanoseconds_per_tick_ = 1;
  std::uint64_t last_time_ = 0;
  std::uint64_t records_ = 0;
  std::uint64_t records_read_ = 0;
};

}  // namespace slabheap::record
