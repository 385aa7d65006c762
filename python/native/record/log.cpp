#include "record/log.hpp"

#include <fcntl.h>
#include <pthread.h>
#include <sched.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <atomic>
#include <bit>
#include <cerrno>
#include <cstdio>
#include <cstdlib>
#include <cstring>

#include "clock/ticks.hpp"

namespace slabheap::record {
namespace {

enum class State : std::uint32_t { unknown = 0, starting, recording, off };

constexpr std::uint32_t calls_between_tries = 4096;  // how many are lost before a thread asks for a segment again

/// What a process has of its own. On a page that the kernel clears in a forked child, which so finds itself unknown.
struct Process {
  std::atomic<State> state;
  std::uint32_t generation;  // differs from that of the process it was forked from
  RawHeader* header;
  alignas(64) std::atomic<std::uint64_t> sequence;
};

struct Thread {
  RawSegment* segment;
  std::uint32_t generation;  // of the process that the segment belongs to
  std::uint32_t tries_later;
};

Process* process_page = nullptr;
char path[4096];
pthread_key_t thread_end;
__thread Thread this_thread __attribute__((tls_model("initial-exec")));

/// Maps part of the file, after seeing to it that the disk has room for it.
void* map_part(int file, std::uint64_t offset) {
  rlimit limit{};
  // Beyond the program's limit, it would be sent a signal.
  if (getrlimit(RLIMIT_FSIZE, &limit) != 0 || offset + segment_bytes > limit.rlim_cur) return nullptr;
  if (syscall(SYS_fallocate, file, 0, offset, segment_bytes) != 0) return nullptr;
  void* part = mmap(nullptr, segment_bytes, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_POPULATE, file, static_cast<off_t>(offset));
  return part == MAP_FAILED ? nullptr : part;
}

int open_file(int flags) { return static_cast<int>(syscall(SYS_openat, AT_FDCWD, path, flags | O_RDWR | O_CLOEXEC, 0600)); }

/// The first name that is free: an image that replaces another in the same process has the next number.
int create_file(const char* folder) {
  for (int image = 0; image < 10000; ++image) {
    const int length = snprintf(path, sizeof path, "%s/%d-%d.raw", folder, static_cast<int>(getpid()), image);
    if (length <= 0 || static_cast<std::size_t>(length) >= sizeof path) return -1;
    const int file = open_file(O_CREAT | O_EXCL);
    if (file >= 0 || errno != EEXIST) return file;
  }
  return -1;
}

void read_command(RawHeader& header) {
  const int file = static_cast<int>(syscall(SYS_openat, AT_FDCWD, "/proc/self/cmdline", O_RDONLY | O_CLOEXEC));
  if (file < 0) return;
  const ssize_t length = read(file, header.command, sizeof header.command);
  header.command_length = length > 0 ? static_cast<std::uint32_t>(length) : 0;
  close(file);
}

RawHeader* start_file() {
  const char* folder = getenv(folder_variable);
  if (folder == nullptr) return nullptr;
  const int file = create_file(folder);
  if (file < 0) return nullptr;
  auto* header = static_cast<RawHeader*>(map_part(file, 0));
  close(file);
  if (header == nullptr) return nullptr;
  header->process = static_cast<std::uint32_t>(getpid());
  header->start_nanoseconds = clock::monotonic_nanoseconds();
  header->start_ticks = clock::ticks();
  read_command(*header);
  header->magic = raw_magic;
  return header;
}

void end_thread(void* /*segment*/) {
  if (this_thread.segment != nullptr && this_thread.generation == process_page->generation) {
    munmap(this_thread.segment, segment_bytes);
  }
  this_thread.segment = nullptr;
}

void start(Process& process) {
  static std::uint32_t generations = 0;
  static bool has_key = false;
  process.header = start_file();
  process.generation = ++generations;
  process.sequence = 1;
  if (!has_key) has_key = pthread_key_create(&thread_end, end_thread) == 0;
  process.state = process.header != nullptr ? State::recording : State::off;
}

/// The page of this process, once it is known whether anything is recorded.
Process* this_process() {
  Process& process = *process_page;
  for (;;) {
    State state = process.state.load(std::memory_order_acquire);
    if (state == State::recording) return &process;
    if (state == State::off) return nullptr;
    if (state == State::unknown && process.state.compare_exchange_strong(state, State::starting)) {
      start(process);
    } else if (state == State::starting) {
      sched_yield();
    }
  }
}

/// Gives the thread a segment of its own; false if there is no room for it.
bool renew_segment(Process& process, Thread& thread) {
  if (thread.segment != nullptr && thread.generation == process.generation) munmap(thread.segment, segment_bytes);
  thread.segment = nullptr;
  if (thread.tries_later > 0 && thread.generation == process.generation) {
    --thread.tries_later;
    return false;
  }
  thread.generation = process.generation;
  const std::uint64_t index = std::atomic_ref{process.header->segments}.fetch_add(1) + 1;
  // Opened for each segment anew: a file that stayed open might be closed by the program, and its number given to a file of its
  // own.
  const int file = open_file(0);
  if (file >= 0) {
    thread.segment = static_cast<RawSegment*>(map_part(file, index * segment_bytes));
    close(file);
  }
  if (thread.segment == nullptr) {
    thread.tries_later = calls_between_tries;
    return false;
  }
  thread.segment->thread = static_cast<std::uint32_t>(syscall(SYS_gettid));
  (void)pthread_setspecific(thread_end, thread.segment);
  return thread.segment != nullptr;
}

bool has_room(const Process& process, const Thread& thread) {
  return thread.segment != nullptr && thread.generation == process.generation && thread.segment->count < segment_capacity;
}

__attribute__((constructor(101))) void prepare() {
  if (process_page != nullptr) return;
  void* page = mmap(nullptr, 4096, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  if (page == MAP_FAILED) abort();
  (void)madvise(page, 4096, MADV_WIPEONFORK);
  process_page = static_cast<Process*>(page);
}

}  // namespace

std::uint64_t next_sequence() {
  if (process_page == nullptr) prepare();  // calls come before constructors, from the loader, while there is one thread
  Process* process = this_process();
  return process != nullptr ? process->sequence.fetch_add(1, std::memory_order_relaxed) : 0;
}

void add(std::uint64_t sequence, RawOperation operation, const void* address, std::size_t size, std::size_t align) {
  if (sequence == 0) return;
  Process& process = *process_page;
  Thread& thread = this_thread;
  if (!has_room(process, thread)) {
    const int error = errno;
    const bool has_segment = renew_segment(process, thread);
    errno = error;
    if (!has_segment) {
      std::atomic_ref{process.header->lost}.fetch_add(1);
      return;
    }
  }
  RawSegment& segment = *thread.segment;
  RawEvent& event = segment.events[segment.count];
  event.sequence = sequence;
  event.ticks = clock::ticks();
  event.address = reinterpret_cast<std::uintptr_t>(address);
  event.size = size & ((std::size_t{1} << 48) - 1);                                          // no process has more address space
  event.align_shift = static_cast<std::uint8_t>(align > 1 ? std::bit_width(align - 1) : 0);  // rounded up, as memalign does
  event.operation = operation;
  // After the record, so that one cut short by the end of the program does not count.
  std::atomic_ref{segment.count}.store(segment.count + 1, std::memory_order_release);
}

}  // namespace slabheap::record
