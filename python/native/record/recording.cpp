#include "record/recording.hpp"

#include <fcntl.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <bit>
#include <cerrno>
#include <cstring>
#include <stdexcept>

#include "clock/ticks.hpp"

namespace slabheap::record {

using trace::Event;
using trace::Operation;

namespace {

/// Maps a file as a whole, readable; throws if it cannot be.
unsigned char* map_file(const std::string& path, std::size_t& length) {
  const int file = open(path.c_str(), O_RDONLY | O_CLOEXEC);
  if (file < 0) throw std::runtime_error(path + ": " + std::strerror(errno));
  struct stat status {};
  void* bytes = MAP_FAILED;
  if (fstat(file, &status) == 0 && status.st_size >= static_cast<off_t>(segment_bytes)) {
    length = static_cast<std::size_t>(status.st_size);
    bytes = mmap(nullptr, length, PROT_READ, MAP_PRIVATE, file, 0);
  }
  close(file);
  if (bytes == MAP_FAILED) throw std::runtime_error(path + ": not a recording: shorter than its header");
  (void)madvise(bytes, length, MADV_SEQUENTIAL);
  return static_cast<unsigned char*>(bytes);
}

/// The rate of the clock, from the time between the recording's start and now: both are of this machine since it was started.
double rate_since(const RawHeader& header) {
  const std::uint64_t now_ticks = clock::ticks();
  const std::uint64_t now = clock::monotonic_nanoseconds();
  if (now_ticks <= header.start_ticks || now <= header.start_nanoseconds) return 1;
  return static_cast<double>(now - header.start_nanoseconds) / static_cast<double>(now_ticks - header.start_ticks);
}

}  // namespace

Recording::Recording(const std::string& path) : bytes_{map_file(path, length_)} {
  if (header().magic != raw_magic) {
    munmap(bytes_, length_);
    throw std::runtime_error(path + ": not a recording: it does not begin as one");
  }
  nanoseconds_per_tick_ = rate_since(header());
  collect_segments(length_ / segment_bytes);
}

Recording::~Recording() { munmap(bytes_, length_); }

/// Deals the segments, which lie in the order they were handed out, to their threads.
void Recording::collect_segments(std::uint64_t segments) {
  std::unordered_map<std::uint32_t, std::uint32_t> index_of;
  for (std::uint64_t i = 1; i < segments; ++i) {
    const auto* segment = reinterpret_cast<const RawSegment*>(bytes_ + i * segment_bytes);
    if (segment->thread == 0 || segment->count == 0 || segment->count > segment_capacity) continue;
    records_ += segment->count;
    const auto [place, is_new] = index_of.try_emplace(segment->thread, static_cast<std::uint32_t>(threads_.size()));
    if (is_new) threads_.push_back({place->second, {}, 0});
    threads_[place->second].segments.push_back(segment);
  }
  for (const Thread& thread : threads_) heads_.push({thread.segments.front()->events[0].sequence, thread.number});
}

/// Steps over the record that a thread's head was, and puts its next one among the heads.
void Recording::advance(std::uint32_t index) {
  Thread& thread = threads_[index];
  if (++thread.next == thread.segments.front()->count) {
    (void)madvise(const_cast<RawSegment*>(thread.segments.front()), segment_bytes, MADV_DONTNEED);
    thread.segments.pop_front();
    thread.next = 0;
  }
  if (!thread.segments.empty()) heads_.push({thread.segments.front()->events[thread.next].sequence, index});
}

std::vector<Event> Recording::read(std::size_t most) {
  std::vector<Event> events;
  events.reserve(most + 1);
  while (events.size() < most && !heads_.empty()) {
    const std::uint32_t thread = heads_.top().thread;
    heads_.pop();
    numbering_.number(call_of(threads_[thread].segments.front()->events[threads_[thread].next], thread), events);
    ++records_read_;
    advance(thread);
  }
  return events;
}

/// A record as a call of its thread; the address stands for the block.
Event Recording::call_of(const RawEvent& event, std::uint32_t thread) {
  const std::uint64_t elapsed = event.ticks > header().start_ticks ? event.ticks - header().start_ticks : 0;
  // The order is that of the sequence; the clock, read a moment later, may be a little off it, but is not to run backwards.
  last_time_ = std::max(last_time_, static_cast<std::uint64_t>(static_cast<double>(elapsed) * nanoseconds_per_tick_));
  Event call{};
  call.time = last_time_;
  call.block = event.address;
  call.size = event.size;
  call.align = std::uint32_t{1} << (event.align_shift < 31 ? event.align_shift : 31);
  call.thread = thread;
  switch (event.operation) {
    case RawOperation::allocate: call.operation = Operation::allocate; break;
    case RawOperation::allocate_zeroed: call.operation = Operation::allocate_zeroed; break;
    case RawOperation::free: call.operation = Operation::free; break;
    case RawOperation::reallocate_begin: call.operation = trace::reallocate_begins; break;
    case RawOperation::reallocate_end: call.operation = Operation::reallocate; break;
  }
  return call;
}

}  // namespace slabheap::record
